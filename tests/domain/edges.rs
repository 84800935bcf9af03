//! The edges of rules that one case more depends on: at a bound and one beside it, with a field and without.

use pacing::breaker::{Breaker, Cause, Counted, Health, Mode};
use pacing::gate::GateState;
use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::id::{ClaimId, MerchantId, OrderId, PaymentId};
use payments::message::{LATE_SEND_MS, Message};
use payments::payment::{Heal, Kind, Payment, Reason, State};
use payments::time::Timestamp;
use payments::transition::triage::delay_seconds;
use payments::transition::{
    Event, HEAL_PAUSE_MS, HEAL_WAITED_MS, Kept, LOST_IN_BUSY_LANE_MS, LOST_IN_EMPTY_LANE_MS, Moment, Recovery,
    Replaced, Step, has_lost_its_message, is_overdue, transition,
};

use crate::contract::samples::{
    NOW, accepted, held, in_state, message, moment, nonce, order, policy, reference, sending, step,
};

fn decided(payment: &Payment, event: &Event<'_>, at: Timestamp) -> Step {
    transition(payment, event, &moment(&policy(), at))
}

fn kept(step: Step) -> Kept {
    match step {
        Step::Keep(kept) => kept,
        Step::Change(after) => panic!("it becomes {:?}", after.state),
    }
}

/// The longest throw: of a wait no bound may take anything off but the one that is meant to.
fn at_the_longest(policy: &payments::policy::Policy, now: Timestamp) -> Moment<'_> {
    Moment { now, nonce: nonce(), dice: Dice(u64::MAX), policy, history_keys: Some(&policy.history_keys) }
}

/// What README and the runbooks say in words.
#[test]
fn the_stated_times_are_these() {
    assert_eq!((LATE_SEND_MS, HEAL_PAUSE_MS), (120_000, 120_000));
    assert_eq!((LOST_IN_EMPTY_LANE_MS, LOST_IN_BUSY_LANE_MS), (180_000, 3_600_000));
    assert_eq!(payments::transition::REPEAT_HEAL_MS, 10_000);
    assert_eq!(payments::transition::PAYMENT_RETRY_AFTER_MAX_MS, 900_000);
    assert_eq!(payments::transition::triage::DELAY_SECONDS_MAX, 900);
}

#[test]
fn a_message_is_lost_after_three_minutes_or_an_hour_to_the_millisecond() {
    for (lane_is_empty, patience_ms) in [(true, 180_000), (false, 3_600_000)] {
        for state in [State::Queued, State::Sending, State::Pending, State::Unknown] {
            let heard = NOW.plus_ms(1_000_000);
            let claim = in_state(state).claim.map(|claim| payments::payment::Claim { lease_until: heard, ..claim });
            let payment = Payment { changed_at: NOW, due_at: Some(heard), claim, ..in_state(state) };
            let is_lost = |ms: u64| has_lost_its_message(&payment, lane_is_empty, heard.plus_ms(ms));
            assert_eq!((is_lost(patience_ms - 1), is_lost(patience_ms)), (false, true), "{state:?} {lane_is_empty}");
        }
    }
}

#[test]
fn sqs_is_asked_for_whole_seconds_and_for_no_more_than_it_takes() {
    for (due_in_ms, seconds) in
        [(0, 0), (1, 1), (1_000, 1), (1_001, 2), (900_000, 900), (900_001, 900), (86_400_000, 900)]
    {
        assert_eq!(delay_seconds(Some(NOW.plus_ms(due_in_ms)), NOW), seconds, "{due_in_ms} ms");
    }
    assert_eq!((delay_seconds(None, NOW), delay_seconds(Some(NOW.minus_ms(1)), NOW)), (0, 0));
}

#[test]
fn a_late_send_of_our_own_is_told_from_a_person_to_the_millisecond() {
    let message = Message { sent_at: NOW, ..message() };
    for (after_ms, is_replay) in [(119_999, false), (120_000, false), (120_001, true)] {
        assert_eq!(message.is_replay(NOW.plus_ms(after_ms), NOW.plus_ms(1)), is_replay, "{after_ms} ms");
    }
    let parked_at = NOW.plus_ms(500_000);
    for (after_ms, is_replay) in [(0, false), (1, true)] {
        assert_eq!(message.is_replay(parked_at.plus_ms(after_ms), parked_at), is_replay);
    }
}

#[test]
fn a_restore_doubts_from_the_earliest_request_to_the_latest() {
    let recovery = Recovery { point: NOW.plus_ms(50_000), at: NOW.plus_ms(3_600_000) };
    let restored = |payment: &Payment| step(payment, &Event::Restored(&recovery), recovery.at);
    for (attempts, expected) in [(0, 1), (1, 1), (3, 3)] {
        let before = Payment { attempts, waits: 4, due_at: Some(NOW.plus_ms(9_000_000)), ..accepted(order()) };
        let after = restored(&before);
        assert_eq!((after.attempts, after.waits, after.due_at), (expected, 0, None), "{attempts} attempts");
    }
    let first = |at: Option<Timestamp>| {
        restored(&Payment { created_at: NOW.plus_ms(10), first_sent_at: at, ..accepted(order()) }).first_sent_at
    };
    assert_eq!(first(None), Some(NOW.plus_ms(10)), "it may have been sent as soon as it was there");
    assert_eq!(first(Some(NOW.plus_ms(7_000))), Some(NOW.plus_ms(10)));
    assert_eq!(first(Some(NOW.plus_ms(3))), Some(NOW.plus_ms(3)));
    let until = |at: Option<Timestamp>| restored(&Payment { written_until: at, ..accepted(order()) }).written_until;
    assert_eq!(until(None), Some(recovery.at));
    assert_eq!(until(Some(NOW)), Some(recovery.at), "a request may have been written until the consumers were off");
    let later = recovery.at.plus_ms(1);
    assert_eq!(until(Some(later)), Some(later), "a lease that goes on is not cut short");
}

/// With an earlier attempt that the restored table does not show as the only one, a decline says nothing.
#[test]
fn after_a_restore_a_decline_ends_only_what_was_sent_once() {
    let recovery = Recovery { point: NOW, at: NOW.plus_ms(60_000) };
    let declined = SendAnswer::Found(Found::Declined { code: reference() });
    for (attempts, state) in [(0, State::Declined), (2, State::Unknown)] {
        let restored = step(&Payment { attempts, ..accepted(order()) }, &Event::Restored(&recovery), recovery.at);
        let claimed = Payment { state: State::Queued, attempts: restored.attempts.saturating_sub(1), ..restored };
        let claim = Event::Claim { id: ClaimId::from_bits(9), lease_until: recovery.at.plus_ms(15_000) };
        let sent = step(&claimed, &claim, recovery.at);
        let after = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &declined }, recovery.at);
        assert_eq!(after.state, state, "{attempts} attempts before");
    }
}

#[test]
fn what_is_overdue_is_so_from_its_very_millisecond() {
    let policy = policy();
    for state in [State::Sending, State::Pending, State::Unknown] {
        // Its last lease ended long ago.
        let payment = Payment { first_sent_at: Some(NOW), ..in_state(state) };
        let told = NOW.plus_ms(policy.overdue_after_ms);
        assert!(!is_overdue(&payment, &policy, told.minus_ms(1)) && is_overdue(&payment, &policy, told), "{state:?}");
        let parked = NOW.plus_ms(policy.park_overdue_ms());
        assert_eq!(kept(decided(&payment, &Event::Overdue, parked.minus_ms(1))), Kept::NotDue, "{state:?}");
        let after = step(&payment, &Event::Overdue, parked);
        assert_eq!((after.state, after.reason), (State::Parked, Reason::Overdue), "{state:?}");
    }
    // Who is being asked about is left to whoever asks, until that lease ends.
    let parked = NOW.plus_ms(policy.park_overdue_ms());
    let mut asked = Payment { first_sent_at: Some(NOW), ..sending(order()) };
    for (lease_until, is_held) in [(parked, false), (parked.plus_ms(1), true)] {
        asked.claim.as_mut().unwrap().lease_until = lease_until;
        match decided(&asked, &Event::Overdue, parked) {
            Step::Keep(kept) => assert!(is_held && kept == Kept::LeaseHeld { until: lease_until }),
            Step::Change(after) => assert!(!is_held && after.state == State::Parked),
        }
    }
}

#[test]
fn a_person_who_puts_it_back_has_looked_and_gives_an_attempt() {
    let parked = Payment { recovered_at: Some(NOW), attempts_left: 0, ..in_state(State::Parked) };
    let back = step(&parked, &Event::Replay, NOW.plus_ms(5));
    assert_eq!((back.recovered_at, back.attempts_left), (None, 1));
    let more = step(&Payment { attempts_left: 3, ..parked }, &Event::Replay, NOW.plus_ms(5));
    assert_eq!(more.attempts_left, 3);
}

#[test]
fn a_heal_is_bound_by_its_number_its_pause_and_who_came_before() {
    let most = policy().max_heals;
    let healed = |message_id: Option<&str>, times: u32| Payment {
        heal: Some(Heal { at: NOW, message_id: message_id.map(str::to_owned), times }),
        ..accepted(order())
    };
    let by = |sent_at: Timestamp| Event::Heal { replaces: Some(Replaced { message_id: "m-2", sent_at }) };
    let late = NOW.plus_ms(HEAL_PAUSE_MS);
    // The bound is for dead letters; a sweep has none, and the same message's work again is no new heal.
    assert_eq!(step(&healed(Some("m-1"), most - 1), &by(NOW), late).heal.unwrap().times, most);
    assert_eq!(kept(decided(&healed(Some("m-1"), most), &by(NOW), late)), Kept::HealsUsedUp);
    assert_eq!(step(&healed(Some("m-1"), most), &Event::Heal { replaces: None }, late).heal.unwrap().times, most + 1);
    assert_eq!(step(&healed(Some("m-2"), most), &by(NOW), late).heal.unwrap(), healed(Some("m-2"), most).heal.unwrap());
    // What has waited in its lane for half an hour goes round nothing.
    let waited = NOW.plus_ms(HEAL_WAITED_MS);
    assert_eq!(kept(decided(&healed(Some("m-1"), most), &by(NOW), waited.minus_ms(1))), Kept::HealsUsedUp);
    let back = step(&healed(Some("m-1"), most), &by(NOW), waited).heal.unwrap();
    assert_eq!((back.times, back.at, back.message_id.as_deref()), (most, waited, Some("m-2")));
    // Written before the heal and within its pause: what that one has put back is on its way.
    for (sent_at, at, is_held) in [
        (NOW.minus_ms(1), late.minus_ms(1), true),
        (NOW.minus_ms(1), late, false),
        (NOW, late.minus_ms(1), false),
        (NOW.plus_ms(1), NOW.plus_ms(2), false),
    ] {
        match decided(&healed(Some("m-1"), 1), &by(sent_at), at) {
            Step::Keep(kept) => assert!(is_held && kept == Kept::HealedElsewhere, "{sent_at} {at}"),
            Step::Change(after) => assert!(!is_held && after.heal.unwrap().times == 2, "{sent_at} {at}"),
        }
    }
    // A sweep's message may never have been sent: nothing waits for it.
    assert_eq!(step(&healed(None, 1), &by(NOW.minus_ms(1)), NOW.plus_ms(1)).heal.unwrap().times, 2);
}

#[test]
fn a_refusal_of_the_only_attempt_leaves_nothing_that_was_sent_and_of_a_later_one_what_was() {
    let refused = SendAnswer::NotTaken(NotTaken::NotWritten);
    for (attempts, times) in [(1, None), (2, Some(NOW)), (3, Some(NOW))] {
        let sent = Payment { attempts, first_sent_at: Some(NOW), written_until: Some(NOW), ..sending(order()) };
        let back = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &refused }, NOW.plus_ms(10));
        assert_eq!((back.state, back.attempts), (State::Queued, attempts - 1));
        assert_eq!((back.first_sent_at, back.written_until), (times, times), "{attempts} attempts");
    }
    // A merchant's cancelation ends it, unless the provider has said that it has it.
    for (acknowledged, state) in [(false, State::Canceled), (true, State::Pending)] {
        let sent = Payment { acknowledged, cancel_requested_at: Some(NOW), ..sending(order()) };
        let after = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &refused }, NOW.plus_ms(10));
        assert_eq!(after.state, state, "acknowledged: {acknowledged}");
    }
}

#[test]
fn a_proof_of_absence_is_looked_for_at_its_moment_and_then_sent_at_once() {
    let policy = policy();
    let sent = sending(order());
    let unclear = SendAnswer::Unclear(Unclear::TimedOut);
    let unknown = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &unclear }, NOW);
    let proof = unknown.written_until.unwrap().plus_ms(policy.absence_bound_ms + policy.clock_skew_ms);
    let asked = |at: Timestamp| {
        let claim = Event::Claim { id: ClaimId::from_bits(u128::from(at.ms())), lease_until: at.plus_ms(15_000) };
        let claimed = Payment { waits: 9, ..step(&unknown, &claim, at) };
        let event = Event::QueryAnswered { claim: &held(&claimed), answer: &QueryAnswer::NotFound };
        match transition(&claimed, &event, &at_the_longest(&policy, at)) {
            Step::Change(after) => *after,
            Step::Keep(kept) => panic!("{kept:?}"),
        }
    };
    let early = asked(proof.minus_ms(5));
    assert_eq!((early.state, early.due_at, early.waits), (State::Unknown, Some(proof), 10), "not after it");
    let proved = asked(proof);
    assert_eq!((proved.state, proved.reason), (State::Queued, Reason::ProvedAbsent));
    assert_eq!((proved.due_at, proved.waits), (Some(proof), 0));
}

#[test]
fn a_breaker_that_closes_has_forgotten_how_often_it_opened_and_a_slowed_probe_is_an_answer() {
    let settings = simulator::run::gate_settings().breaker;
    let ramp = Breaker { mode: Mode::Ramp, reopened: 3, ..Breaker::default() };
    let closed = ramp.judged(&Counted::default(), &settings, 86_400_000_000, 2).unwrap();
    assert_eq!((closed.mode, closed.cause, closed.reopened), (Mode::Closed, Cause::RampOver, 0));

    let probing = Breaker { mode: Mode::Probing { lease_until_us: 9 }, reopened: 3, ..Breaker::default() };
    let after = |health| {
        let counted = Counted { probe: Some(health), ..Counted::default() };
        probing.judged(&counted, &settings, 5, 2).unwrap()
    };
    for health in [Health::Answers, Health::RateLimits { retry_after_ms: None }] {
        assert_eq!((after(health).mode, after(health).reopened), (Mode::Ramp, 3), "{health:?}");
    }
    assert_eq!(after(Health::Unsaid).mode, Mode::Open { probe_at_us: Some(5) });
    assert_eq!((after(Health::Fails).cause, after(Health::Fails).reopened), (Cause::ProbeFailed, 4));
}

/// Rounded up: a slot that is a microsecond too short is a call too many in a second.
#[test]
fn a_slot_is_never_shorter_than_its_share_of_a_second() {
    for (rate, span_us) in [(3, 333_334), (7, 142_858), (1_000, 1_000)] {
        assert_eq!(GateState::new("acme", rate, 0).span_us(1), span_us, "{rate} a second");
    }
}

/// The three parts of an order's identity do not run together.
#[test]
fn orders_whose_parts_read_the_same_in_a_row_have_ids_of_their_own() {
    let id = |merchant: &str, order_id: &str| {
        PaymentId::derive(&MerchantId::new(merchant).unwrap(), Kind::Charge, &OrderId::new(order_id).unwrap())
    };
    assert_ne!(id("x", "charge1"), id("xcharge", "1"));
}

/// What SQS counts from the receive on, so that the fill of a batch and a whole invocation come off its twelve hours.
#[test]
fn nothing_is_hidden_for_longer_than_sqs_takes_of_what_was_received_a_while_ago() {
    let hidden = batch::Verdict::again_at(NOW.plus_ms(13 * 3_600_000), NOW);
    assert_eq!(hidden, batch::Verdict::Again { seconds: 43_200 - 300 - 900 });
}

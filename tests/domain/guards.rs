//! The guards of decisions: what is asked before something is written, from the side on which nothing may be written.

use std::collections::BTreeSet;

use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::id::ClaimId;
use payments::message::{Message, NotOurs};
use payments::payment::{Heal, Payment, Reason, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Moment, REPEAT_HEAL_MS, Step, may_lack_its_message, transition};

use ports::Entropy;

use crate::contract::samples::{
    NOW, Stopped, accepted, in_state, message, moment, nonce, order, policy, reference, sending, step,
};

fn kept(payment: &Payment, event: &Event<'_>, at: Timestamp) -> Kept {
    match transition(payment, event, &moment(&policy(), at)) {
        Step::Keep(kept) => kept,
        Step::Change(after) => panic!("{event:?} makes it {:?}", after.state),
    }
}

/// Dice that are all of one kind.
#[derive(Debug)]
struct Bits(u128);

impl Entropy for Bits {
    fn bits(&self) -> u128 {
        self.0
    }
}

/// Without dice every payment of a bad moment would be looked at again at the same time.
#[test]
fn a_moments_dice_are_the_lower_half_of_what_was_thrown() {
    for (thrown, low) in [(u128::MAX - 5, u64::MAX - 5), ((7 << 64) + 3, 3), (9, 9)] {
        assert_eq!(ports::moment(&Stopped, &Bits(thrown), &policy()).dice.0, low);
    }
}

#[test]
fn what_is_not_over_does_not_expire_and_what_has_no_end_never_does() {
    assert_eq!(kept(&in_state(State::Queued), &Event::Expire, NOW), Kept::NotDue);
    assert_eq!(kept(&accepted(order()), &Event::Expire, NOW.plus_ms(1_000_000_000)), Kept::NotDue);
}

/// A dead letter of what somebody is sending waits for that lease, and for no lease that is over.
#[test]
fn a_dead_letter_waits_for_a_lease_to_its_millisecond() {
    let sending = sending(order());
    let until = NOW.plus_ms(15_000);
    assert_eq!(kept(&sending, &Event::DeadLettered, until.minus_ms(1)), Kept::LeaseHeld { until });
    assert_eq!(kept(&sending, &Event::DeadLettered, until), Kept::NotDue);
}

/// Somebody else's answer says what the provider has done; that it did nothing is its own claim's to say.
#[test]
fn what_was_not_done_under_another_claim_changes_nothing() {
    let sending = sending(order());
    let other = ClaimId::from_bits(u128::MAX);
    for answer in [SendAnswer::NotTaken(NotTaken::NotWritten), SendAnswer::Unclear(Unclear::TimedOut)] {
        let event = Event::SendAnswered { claim: &other, answer: &answer };
        assert_eq!(kept(&sending, &event, NOW.plus_ms(400)), Kept::ClaimLost, "{answer:?}");
    }
    for answer in [QueryAnswer::NotFound, QueryAnswer::NotTaken(NotTaken::NotWritten)] {
        let event = Event::QueryAnswered { claim: &other, answer: &answer };
        assert_eq!(kept(&sending, &event, NOW.plus_ms(3_600_000)), Kept::ClaimLost, "{answer:?}");
    }
}

/// Whoever takes over from a lease that has ended says so in a line, for whoever looks for what was charged and when.
#[test]
fn a_lease_that_ended_is_a_line_of_the_history() {
    let later = NOW.plus_ms(20_000);
    let claim = Event::Claim { id: ClaimId::from_bits(u128::MAX), lease_until: later.plus_ms(15_000) };
    let taken = step(&sending(order()), &claim, later);
    let last = taken.history.last().unwrap();
    assert_eq!((last.state, last.reason, last.at), (State::Unknown, Reason::LeaseEnded, later));
    assert_eq!((taken.state, taken.reason), (State::Sending, Reason::Claimed));
}

/// What the provider has is looked at once more by the time at which it would be put before a person, and from then on by
/// its own backoff.
#[test]
fn what_the_provider_has_is_looked_at_by_the_time_that_it_would_be_parked() {
    let policy = policy();
    let pending = Payment { waits: 20, ..in_state(State::Pending) };
    let parked_at = pending.first_sent_at.unwrap().plus_ms(policy.park_overdue_ms());
    for (now, due) in
        [(parked_at.minus_ms(1_000), parked_at.minus_ms(1_000 - 5_000 % 1_001)), (parked_at, parked_at.plus_ms(5_000))]
    {
        let id = ClaimId::from_bits(u128::MAX);
        let claimed = step(&pending, &Event::Claim { id: id.clone(), lease_until: now.plus_ms(15_000) }, now);
        let dice = Dice(5_000);
        let moment = Moment { now, nonce: nonce(), dice, policy: &policy, history_keys: Some(&policy.history_keys) };
        let answer = QueryAnswer::Found(Found::Accepted { reference: None });
        let event = Event::QueryAnswered { claim: &id, answer: &answer };
        let Step::Change(after) = transition(&claimed, &event, &moment) else { panic!("it waits") };
        assert_eq!((after.state, after.due_at), (State::Pending, Some(due)));
    }
}

/// Only what nobody has touched since it was accepted may have been left without its message, and each heal doubles the
/// patience.
#[test]
fn a_repeated_request_heals_only_what_was_never_touched_and_is_no_longer_new() {
    let new = accepted(order());
    let at = |ms: u64| NOW.plus_ms(ms);
    assert!(!may_lack_its_message(&new, at(REPEAT_HEAL_MS - 1)));
    assert!(may_lack_its_message(&new, at(REPEAT_HEAL_MS)));
    let refused = Payment { reason: Reason::RateLimited, ..new.clone() };
    assert!(!may_lack_its_message(&refused, at(1_000_000)), "it was taken up");
    for state in [State::Sending, State::Pending, State::Unknown, State::Parked, State::Succeeded] {
        assert!(!may_lack_its_message(&in_state(state), at(1_000_000)), "{state:?}");
    }
    let healed = Payment { heal: Some(Heal { at: NOW, message_id: None, times: 2 }), ..new };
    assert!(!may_lack_its_message(&healed, at(4 * REPEAT_HEAL_MS - 1)));
    assert!(may_lack_its_message(&healed, at(4 * REPEAT_HEAL_MS)));
}

/// A case that is closed is nobody's any more, and one that nobody has taken is its closer's.
#[test]
fn a_closed_case_is_not_taken_and_has_an_owner() {
    let approved = Found::Approved { reference: reference() };
    let open = step(&in_state(State::Declined), &Event::CalledBack(&approved), NOW);
    let evidence = Evidence::new("rf_1", "anna", "given back in the console").unwrap();
    let close = Event::CloseCase { resolution: CaseResolution::Accept, evidence: &evidence };
    let closed = step(&open, &close, NOW.plus_ms(5));
    let (anna, otto) = (Operator::new("anna").unwrap(), Operator::new("otto").unwrap());
    assert_eq!(closed.case.as_ref().unwrap().owner, Some(anna));
    assert_eq!(kept(&closed, &Event::TakeCase { owner: &otto }, NOW.plus_ms(6)), Kept::NoOpenCase);
    assert_eq!(kept(&closed, &close, NOW.plus_ms(6)), Kept::NoOpenCase);
    let taken = step(&open, &Event::TakeCase { owner: &otto }, NOW.plus_ms(3));
    assert_eq!(kept(&taken, &Event::TakeCase { owner: &otto }, NOW.plus_ms(4)), Kept::NotDue, "it is theirs already");
    assert_eq!(step(&taken, &close, NOW.plus_ms(5)).case.unwrap().owner, Some(otto));
}

/// Operators read it when nothing was written: each says another thing, in words.
#[test]
fn each_reason_to_write_nothing_is_told_in_words_of_its_own() {
    let all = [
        Kept::Ended,
        Kept::LeaseHeld { until: NOW },
        Kept::Parked,
        Kept::NotParked,
        Kept::ClaimLost,
        Kept::NotDue,
        Kept::HealsUsedUp,
        Kept::HealedElsewhere,
        Kept::NotCancelable,
        Kept::NoOpenCase,
        Kept::HistoryDoubted,
    ];
    let told: BTreeSet<&str> = all.iter().map(|kept| kept.why()).collect();
    assert_eq!(told.len(), all.len());
    assert!(told.iter().all(|why| why.split(' ').count() >= 3 && !why.ends_with('.')), "{told:?}");
}

/// A message of a version that never was is nobody's, and one of a later is another code's.
#[test]
fn a_message_of_another_version_is_not_read_as_one_of_this() {
    let ours = message();
    let body = |version: u64| {
        let mut body: serde_json::Value = serde_json::from_str(&ours.to_body()).unwrap();
        body["version"] = version.into();
        body.to_string()
    };
    assert_eq!(Message::parse(&body(ours.version)), Ok(ours.clone()));
    assert_eq!(Message::parse(&body(0)), Err(NotOurs::Foreign));
    assert_eq!(Message::parse(&body(ours.version + 1)), Err(NotOurs::NewerVersion(ours.version + 1)));
}

/// Whichever backoff is the longer bounds how long a message is hidden.
#[test]
fn the_longest_wait_is_that_of_the_longer_backoff() {
    let (short, long) =
        (Policy { pending_backoff_cap_ms: 7, ..policy() }, Policy { backoff_cap_ms: 1_000_000, ..policy() });
    assert_eq!([policy(), short, long].map(|policy| policy.longest_wait_ms()), [900_000, 60_000, 1_000_000]);
}

/// It is stored and compared as text.
#[test]
fn a_fingerprint_is_52_characters_and_another_for_each_order() {
    let [one, other] = [1, 2].map(|_| accepted(order()).fingerprint);
    assert_eq!(one.as_str().len(), 52);
    assert!(one.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{}", one.as_str());
    assert_ne!(one.as_str(), other.as_str());
}

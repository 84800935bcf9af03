//! What each change writes, to the value: times, waits, shards and when details are forgotten. A field that is merely there, in
//! another unit or from another moment, is as wrong as one that is missing.

use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer};
use payments::case::CaseResolution;
use payments::evidence::Evidence;
use payments::id::ClaimId;
use payments::payment::{Claim, Heal, Order, Payment, Reason, State, open_shard};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Replaced};
use proptest::prelude::*;

use super::cases;
use super::walk::{Done, Walk, What, any_order, turn};
use crate::contract::samples::{NOW, accepted, claim_of, held, in_state, order, policy, reference, sending, step};

/// 400 days after an end at [`NOW`].
const FORGET_AT: Timestamp = Timestamp::from_ms((1_764_000_000 + 400 * 86_400) * 1_000);

fn is_open(state: State) -> bool {
    matches!(state, State::Queued | State::Sending | State::Pending | State::Unknown)
}

fn forget_at(done: &Done, policy: &Policy) -> Option<Timestamp> {
    let Done { before, after, at, .. } = done;
    let from_now = at.plus_ms(policy.retention_ms);
    if !after.state.is_terminal() || after.has_open_case() {
        None
    } else if before.state == after.state && !before.has_open_case() {
        before.forget_at
    } else {
        Some(from_now)
    }
}

/// What the provider has from here on waits by a backoff of its own.
fn begins_anew(done: &Done) -> bool {
    !done.before.acknowledged && done.after.acknowledged && done.after.state == State::Pending
}

/// How long the next look is put off, if the change puts it off.
fn wait_bounds(done: &Done, policy: &Policy) -> (u64, u64) {
    let (base_ms, cap_ms) = if done.after.acknowledged {
        (policy.pending_backoff_base_ms, policy.pending_backoff_cap_ms)
    } else {
        (policy.backoff_base_ms, policy.backoff_cap_ms)
    };
    let waits = if begins_anew(done) { 0 } else { done.before.waits };
    let bound = base_ms.saturating_mul(1 << waits.min(20)).min(cap_ms);
    let asked = match &done.answered {
        Some(held) => match (held.to_send, &held.answered) {
            (true, Some((SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms }), _)))
            | (false, Some((_, QueryAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms })))) => {
                retry_after_ms.unwrap_or(0)
            }
            _ => 0,
        },
        None => 0,
    };
    (asked, bound.max(asked))
}

proptest! {
    #![proptest_config(cases(250))]

    #[test]
    fn each_change_writes_exactly_what_it_says(
        order in any_order(),
        turns in proptest::collection::vec(turn(), 1..60),
    ) {
        let mut walk = Walk::new(order);
        for turn in &turns {
            let done = walk.take(turn);
            if done.before == done.after {
                continue;
            }
            let Done { before, after, at, .. } = &done;
            let policy = &walk.policy;
            // What was asked is never changed.
            prop_assert_eq!(&after.id, &before.id);
            prop_assert_eq!(&after.order, &before.order);
            prop_assert_eq!(&after.fingerprint, &before.fingerprint);
            prop_assert_eq!(after.created_at, before.created_at);
            prop_assert_eq!(after.refundable, before.refundable);
            prop_assert_eq!((after.version, &after.nonce), (before.version + 1, &done.nonce));
            prop_assert_eq!(after.forget_at, forget_at(&done, policy));
            let has_moved = after.state != before.state || after.reason != before.reason;
            if has_moved {
                prop_assert_eq!(after.changed_at, *at);
                let newest = after.history.last().unwrap();
                if after.reason == Reason::Claimed && before.state != State::Queued {
                    // Its answer will be the line.
                } else {
                    prop_assert_eq!(
                        (newest.state, newest.reason, newest.attempt),
                        (after.state, after.reason, after.attempts)
                    );
                    prop_assert!(newest.at == *at || newest.times > 1);
                }
            }
            match after.state {
                State::Parked if before.state != State::Parked => prop_assert_eq!(after.parked_at, Some(*at)),
                State::Parked => prop_assert_eq!(after.parked_at, before.parked_at),
                _ => prop_assert_eq!(after.parked_at, None),
            }
            prop_assert!(after.acknowledged || !before.acknowledged, "it is for good");
            if before.cancel_requested_at.is_some() {
                prop_assert_eq!(after.cancel_requested_at, before.cancel_requested_at);
            } else if let Some(asked) = after.cancel_requested_at {
                prop_assert_eq!(asked, *at);
                prop_assert!(matches!(done.what, What::Cancel));
            }
            match &done.what {
                What::Claim { lease_ms } if after.state == State::Sending => {
                    let lease_until = at.plus_ms(*lease_ms);
                    let is_to_send = before.state == State::Queued;
                    let claim = after.claim.as_ref().unwrap();
                    let from = if before.state == State::Sending { claim.from } else { before.state };
                    prop_assert_eq!((claim.from, claim.lease_until), (from, lease_until));
                    prop_assert_eq!(claim.from == State::Queued, is_to_send, "a lease that ended is asked about");
                    prop_assert_eq!(after.due_at, None);
                    let (first, until) = (before.first_sent_at.or(Some(*at)), Some(lease_until));
                    let expected =
                        if is_to_send { (first, until) } else { (before.first_sent_at, before.written_until) };
                    prop_assert_eq!((after.first_sent_at, after.written_until), expected);
                }
                What::Answer { .. }
                    if is_open(after.state) && after.waits > 0 && (after.waits != before.waits || begins_anew(&done)) =>
                {
                    prop_assert_eq!(after.waits, if begins_anew(&done) { 1 } else { before.waits + 1 });
                    let wait = after.due_at.unwrap().since_ms(*at);
                    let (least, most) = wait_bounds(&done, policy);
                    let is_cut_short = after.reason == Reason::NotFoundYet;
                    prop_assert!((is_cut_short || wait >= least) && wait <= most, "{} of {}..{}", wait, least, most);
                }
                What::Replay => {
                    prop_assert_eq!((after.waits, after.due_at), (0, Some(*at)));
                    prop_assert_eq!(after.attempts_left, before.attempts_left.max(1));
                }
                What::Claim { .. }
                | What::Answer { .. }
                | What::CalledBack(_)
                | What::Cancel
                | What::Expire
                | What::DeadLettered
                | What::Heal(_)
                | What::Overdue
                | What::Resolve(_)
                | What::TakeCase(_)
                | What::CloseCase(_) => {}
            }
        }
    }
}

#[test]
fn a_new_payment_is_exactly_this() {
    let order = Order { expires_at: Some(NOW.plus_ms(1)), ..order() };
    let payment = accepted(order.clone());
    let expected = Payment {
        id: payment.id.clone(),
        order: order.clone(),
        fingerprint: payment.fingerprint.clone(),
        created_at: NOW,
        state: State::Queued,
        reason: Reason::Accepted,
        changed_at: NOW,
        version: 1,
        nonce: payment.nonce.clone(),
        attempts: 0,
        attempts_left: 5,
        waits: 0,
        claim: None,
        first_sent_at: None,
        written_until: None,
        due_at: None,
        acknowledged: false,
        cancel_requested_at: None,
        parked_at: None,
        recovered_at: None,
        heal: None,
        provider_text: None,
        case: None,
        refundable: Some(13_912),
        open_shard: Some(open_shard(&payment.id)),
        forget_at: None,
        forgotten_at: None,
        history: payment.history.clone(),
        chain: payment.chain.clone(),
    };
    assert_eq!(payment, expected);
}

#[test]
fn a_claim_to_send_writes_exactly_this() {
    let before = accepted(order());
    let claim = claim_of(&before);
    let after = claim.apply(&before, &policy()).unwrap();
    let kept = Claim { id: claim.claim.clone(), from: State::Queued, lease_until: NOW.plus_ms(15_000) };
    assert_eq!(after.claim, Some(kept));
    assert_eq!((after.attempts, after.attempts_left), (1, 4));
    assert_eq!((after.first_sent_at, after.written_until), (Some(NOW), Some(NOW.plus_ms(15_000))));
    assert_eq!((after.state, after.reason, after.changed_at), (State::Sending, Reason::Claimed, NOW));
    assert_eq!((after.due_at, after.waits, after.refundable), (None, 0, Some(13_912)));
}

/// After the retention, counted from the end, or from the moment at which its case is closed.
#[test]
fn each_ends_details_may_be_forgotten_after_the_retention() {
    let evidence = Evidence::new("ref-17", "anna", "the console shows it").unwrap();
    let sent = sending(order());
    let claim = held(&sent);
    let approved = SendAnswer::Found(Found::Approved { reference: reference() });
    let declined = SendAnswer::Found(Found::Declined { code: reference() });
    let canceled = step(&accepted(order()), &Event::Cancel, NOW);
    let expiring = accepted(Order { expires_at: Some(NOW), ..order() });
    let resolve = Event::Resolve { end: payments::transition::Resolution::Canceled, evidence: &evidence };
    for (name, ended) in [
        ("succeeded", step(&sent, &Event::SendAnswered { claim: &claim, answer: &approved }, NOW)),
        ("declined", step(&sent, &Event::SendAnswered { claim: &claim, answer: &declined }, NOW)),
        ("canceled", canceled.clone()),
        ("expired", step(&expiring, &Event::Expire, NOW)),
        ("resolved", step(&in_state(State::Parked), &resolve, NOW)),
    ] {
        assert_eq!(ended.forget_at, Some(FORGET_AT), "{name}");
    }
    // A case keeps it, and its closing begins the time anew.
    let late = Found::Approved { reference: reference() };
    let opened = step(&canceled, &Event::CalledBack(&late), NOW.plus_ms(5_000));
    assert_eq!(
        (opened.forget_at, opened.open_shard.as_deref()),
        (None, Some(format!("case-{}", opened.id.shard(16)).as_str()))
    );
    assert_eq!(opened.case.as_ref().unwrap().opened_at, NOW.plus_ms(5_000));
    let close = Event::CloseCase { resolution: CaseResolution::Accept, evidence: &evidence };
    let closed = step(&opened, &close, NOW.plus_ms(86_400_000));
    assert_eq!((closed.forget_at, closed.open_shard.as_deref()), (Some(FORGET_AT.plus_ms(86_400_000)), None));
    assert_eq!(closed.case.as_ref().unwrap().closed_at, Some(NOW.plus_ms(86_400_000)));
}

#[test]
fn a_heal_writes_when_for_which_message_and_how_often() {
    let before = accepted(order());
    let by_message = Event::Heal { replaces: Some(Replaced { message_id: "m-1", sent_at: NOW }) };
    let first = step(&before, &by_message, NOW.plus_ms(10));
    let expected = Heal { at: NOW.plus_ms(10), message_id: Some("m-1".to_owned()), times: 1 };
    assert_eq!(first.heal, Some(expected));
    let second = step(&first, &Event::Heal { replaces: None }, NOW.plus_ms(20));
    assert_eq!(second.heal, Some(Heal { at: NOW.plus_ms(20), message_id: None, times: 2 }));
    let state = |payment: &Payment| (payment.state, payment.reason, payment.changed_at, payment.due_at);
    assert_eq!(state(&second), state(&before));
}

/// A bound is at the bound: one before it the other holds.
#[test]
fn each_bound_of_a_decision_is_at_its_millisecond() {
    let lease_end = NOW.plus_ms(15_000);
    let takes = |payment: &Payment, at: Timestamp| {
        let claim = Event::Claim { id: ClaimId::from_bits(u128::MAX), lease_until: at.plus_ms(15_000) };
        payments::transition::transition(payment, &claim, &crate::contract::samples::moment(&policy(), at))
    };
    let sent = sending(order());
    let is_kept = |step: payments::transition::Step| matches!(step, payments::transition::Step::Keep(_));
    assert!(is_kept(takes(&sent, lease_end.minus_ms(1))) && !is_kept(takes(&sent, lease_end)), "a lease");

    // Not found, asked by a claim of that moment: proved 25 minutes after the lease, and no moment before.
    let claim = held(&sent);
    let unclear = SendAnswer::Unclear(payments::answer::Unclear::TimedOut);
    let unknown = step(&sent, &Event::SendAnswered { claim: &claim, answer: &unclear }, NOW);
    let proof = lease_end.plus_ms(900_000 + 600_000);
    for (at, state) in [(proof.minus_ms(1), State::Unknown), (proof, State::Queued)] {
        let asked = Event::Claim { id: ClaimId::from_bits(7), lease_until: at.plus_ms(15_000) };
        let asked = step(&unknown, &asked, at);
        // However late the answer is written down.
        let event = Event::QueryAnswered { claim: &held(&asked), answer: &QueryAnswer::NotFound };
        let answered = step(&asked, &event, at.plus_ms(10_000));
        assert_eq!(answered.state, state, "{at}");
        if state == State::Unknown {
            assert!(answered.due_at.unwrap() <= proof, "it looks again at the proof, not after it");
        }
    }

    // The key is surely known for a day less the clocks' skew.
    let forgotten = NOW.plus_ms(86_400_000 - 600_000);
    let queued = Payment { first_sent_at: Some(NOW), attempts: 1, ..accepted(order()) };
    for (at, state) in [(forgotten.minus_ms(1), State::Sending), (forgotten, State::Parked)] {
        let claim = Event::Claim { id: ClaimId::from_bits(7), lease_until: at.plus_ms(15_000) };
        assert_eq!(step(&queued, &claim, at).state, state, "{at}");
    }
    let expiring = accepted(Order { expires_at: Some(NOW.plus_ms(5)), ..order() });
    for (after_ms, state) in [(4, State::Sending), (5, State::Expired)] {
        let at = NOW.plus_ms(after_ms);
        let claim = Event::Claim { id: ClaimId::from_bits(7), lease_until: at.plus_ms(15_000) };
        assert_eq!(step(&expiring, &claim, at).state, state, "{after_ms} ms");
    }
}

/// A decline ends a payment only if its one attempt was the only one, and the provider never said that it has it.
#[test]
fn a_decline_is_believed_only_where_nothing_else_may_have_been_done() {
    let declined = SendAnswer::Found(Found::Declined { code: reference() });
    for (attempts, acknowledged, state) in
        [(1, false, State::Declined), (1, true, State::Unknown), (2, false, State::Unknown), (2, true, State::Unknown)]
    {
        let sent = Payment { attempts, acknowledged, ..sending(order()) };
        let after = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &declined }, NOW);
        assert_eq!(after.state, state, "{attempts} attempts, acknowledged: {acknowledged}");
    }
}

//! Rules of the transition function that have one case, or one a state.

use payments::answer::{Found, QueryAnswer, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::id::ClaimId;
use payments::payment::{Payment, Reason, State};
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Moment, Step, transition};

use crate::contract::samples::{NOW, accepted, held, in_state, nonce, order, policy, reference, step};

/// The provider's word counts in whatever state it comes, except after an end.
#[test]
fn any_open_state_takes_the_providers_word() {
    let policy = policy();
    for &state in State::ALL {
        for (found, end) in [
            (Found::Approved { reference: reference() }, State::Succeeded),
            (Found::Declined { code: reference() }, State::Declined),
        ] {
            let payment = in_state(state);
            let moment =
                Moment { now: payment.changed_at, nonce: nonce(), dice: Dice(0), policy: &policy, history_keys: None };
            match transition(&payment, &Event::CalledBack(&found), &moment) {
                Step::Change(after) if !state.is_terminal() => assert_eq!(after.state, end, "{state:?}"),
                Step::Change(after) => assert!(after.state == state && after.has_open_case(), "{state:?}"),
                Step::Keep(kept) => assert!(state.is_terminal() && kept == Kept::Ended, "{state:?}"),
            }
        }
    }
}

/// A provider that has it may yet do it, whether or not our item says that we ever sent it: only a person may end it.
#[test]
fn a_parked_payment_that_the_provider_has_is_not_taken_back_by_the_merchant() {
    let policy = policy();
    let decide = |payment: &Payment, event: &Event<'_>| {
        let moment =
            Moment { now: payment.changed_at, nonce: nonce(), dice: Dice(0), policy: &policy, history_keys: None };
        transition(payment, event, &moment)
    };
    let parked = in_state(State::Parked);
    assert!(!parked.ever_sent());
    let Step::Change(acknowledged) = decide(&parked, &Event::CalledBack(&Found::Accepted { reference: None })) else {
        panic!("the provider's word was not taken down");
    };
    assert_eq!(decide(&acknowledged, &Event::Cancel), Step::Keep(Kept::NotCancelable));
    // What the provider never heard of may be.
    assert!(matches!(decide(&parked, &Event::Cancel), Step::Change(after) if after.state == State::Canceled));
}

/// Counted from the first request that may have been written, however often a query proved absence since, and with the
/// clocks' difference taken off.
#[test]
fn past_the_key_window_nothing_is_sent_again() {
    let claim = |payment: &Payment, now: Timestamp| {
        step(
            payment,
            &Event::Claim { id: ClaimId::from_bits(u128::from(now.ms())), lease_until: now.plus_ms(15_000) },
            now,
        )
    };
    let window_ends = NOW.plus_ms(policy().key_window_ms - policy().clock_skew_ms);
    for (now, state, reason) in [
        (window_ends.minus_ms(1), State::Sending, Reason::Claimed),
        (window_ends, State::Parked, Reason::KeyWindowOver),
        (window_ends.plus_ms(1), State::Parked, Reason::KeyWindowOver),
    ] {
        let sent = claim(&accepted(order()), NOW);
        let answer = SendAnswer::Unclear(Unclear::TimedOut);
        let unknown = step(&sent, &Event::SendAnswered { claim: &held(&sent), answer: &answer }, NOW.plus_ms(400));
        let asked = claim(&unknown, NOW.plus_ms(10_000_000));
        let answer = QueryAnswer::NotFound;
        let event = Event::QueryAnswered { claim: &held(&asked), answer: &answer };
        let queued = step(&asked, &event, NOW.plus_ms(10_000_400));
        assert_eq!(queued.state, State::Queued);
        let after = claim(&queued, now);
        assert_eq!((after.state, after.reason, after.ever_sent()), (state, reason, true));
    }
}

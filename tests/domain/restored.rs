//! What a restore of the table does to what it says.

use payments::answer::{Found, QueryAnswer};
use payments::backoff::Dice;
use payments::id::ClaimId;
use payments::payment::{Payment, Reason, State};
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Moment, Recovery, Step, accepted_after_recovery, transition};

use crate::contract::samples::{NOW, accepted, held, in_state, nonce, order, policy, reference, step};

/// An hour is lost; the consumers were off a minute after it was noticed.
fn recovery() -> Recovery {
    Recovery { point: NOW, at: NOW.plus_ms(3_660_000) }
}

fn restored(payment: &Payment) -> Payment {
    step(payment, &Event::Restored(&recovery()), recovery().at)
}

/// Asks the provider at a moment.
fn asked(payment: &Payment, answer: &QueryAnswer, at: Timestamp) -> Payment {
    let claim = Event::Claim { id: ClaimId::from_bits(u128::from(at.ms())), lease_until: at.plus_ms(15_000) };
    let claimed = step(payment, &claim, at);
    assert_eq!(claimed.attempts, payment.attempts, "it is asked about, not sent");
    step(&claimed, &Event::QueryAnswered { claim: &held(&claimed), answer }, at.plus_ms(100))
}

fn proof() -> Timestamp {
    recovery().at.plus_ms(policy().absence_bound_ms + policy().clock_skew_ms)
}

#[test]
fn what_was_open_is_unknown_and_what_has_ended_stays_so() {
    for &state in State::ALL {
        let before = in_state(state);
        let policy = policy();
        let moment = Moment { now: recovery().at, nonce: nonce(), dice: Dice(0), policy: &policy, history_keys: None };
        match transition(&before, &Event::Restored(&recovery()), &moment) {
            Step::Change(after) => {
                assert!(!state.is_terminal(), "{state:?}");
                assert_eq!((after.state, after.reason), (State::Unknown, Reason::Restored));
                assert!(after.ever_sent() && after.claim.is_none(), "{state:?}");
                // Once for one restore: the command may be run again.
                let again = transition(&after, &Event::Restored(&recovery()), &moment);
                assert_eq!(again, Step::Keep(Kept::NotDue));
            }
            Step::Keep(kept) => assert!(state.is_terminal() && kept == Kept::Ended, "{state:?}"),
        }
    }
}

#[test]
fn the_providers_word_ends_it_and_its_silence_puts_it_before_a_person() {
    let unknown = restored(&accepted(order()));
    let approved = asked(&unknown, &QueryAnswer::Found(Found::Approved { reference: reference() }), recovery().at);
    assert_eq!(approved.state, State::Succeeded);
    let declined = asked(&unknown, &QueryAnswer::Found(Found::Declined { code: reference() }), recovery().at);
    assert_eq!(declined.state, State::Declined);

    let too_early = asked(&unknown, &QueryAnswer::NotFound, proof().minus_ms(1));
    assert_eq!((too_early.state, too_early.reason), (State::Unknown, Reason::NotFoundYet));
    // The merchant may have been told since that it was canceled: nothing is sent for it.
    let parked = asked(&too_early, &QueryAnswer::NotFound, proof());
    assert_eq!((parked.state, parked.reason), (State::Parked, Reason::AbsentAfterRestore));
    // Whoever puts it back has looked: it is asked about once more, and sent.
    let replayed = step(&parked, &Event::Replay, proof().plus_ms(1_000));
    let queued = asked(&replayed, &QueryAnswer::NotFound, proof().plus_ms(2_000));
    assert_eq!((queued.state, queued.reason), (State::Queued, Reason::ProvedAbsent));
}

#[test]
fn what_is_new_since_is_asked_about_and_then_an_ordinary_payment() {
    let policy = policy();
    let now = recovery().at.plus_ms(60_000);
    let moment = Moment { now, nonce: nonce(), dice: Dice(0), policy: &policy, history_keys: None };
    let order = payments::payment::Order { expires_at: None, ..order() };
    let ordinary = Payment::accepted(order, accepted(crate::contract::samples::order()).fingerprint, &moment);
    let doubted = accepted_after_recovery(&ordinary, &recovery(), &moment);
    assert_eq!((doubted.state, doubted.reason), (State::Unknown, Reason::MayHaveBeenMade));
    assert_eq!(doubted.version, ordinary.version, "it is a first version");
    assert_eq!(doubted.first_sent_at, Some(recovery().point), "the key window may have begun as early");
    let queued = asked(&doubted, &QueryAnswer::NotFound, proof());
    assert_eq!((queued.state, queued.reason), (State::Queued, Reason::ProvedAbsent));
    // Past the key window counted from the recovery point nothing is sent.
    let late = recovery().point.plus_ms(policy.key_window_ms - policy.clock_skew_ms);
    let parked = asked(&doubted, &QueryAnswer::NotFound, late);
    assert_eq!((parked.state, parked.reason), (State::Parked, Reason::KeyWindowOver));
}

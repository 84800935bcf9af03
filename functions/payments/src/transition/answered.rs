//! What becomes of a payment when the provider has said something about it, or has not: the answer to a send, the answer
//! to a query, and the provider's own callback.

use crate::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use crate::case::Case;
use crate::id::ClaimId;
use crate::index::case_shard;
use crate::payment::Payment;
use crate::state::{Reason, State};

use super::draft::Draft;
use super::{Kept, Moment, Step, why_not_sendable};

pub(super) fn send_answered(payment: &Payment, claim: &ClaimId, answer: &SendAnswer, moment: &Moment<'_>) -> Step {
    let mine = holds(payment, claim);
    match answer {
        SendAnswer::Found(Found::Approved { reference }) => approve(payment, reference, Reason::Approved, moment),
        SendAnswer::Found(Found::Accepted { reference }) => acknowledge(payment, mine, reference.as_ref(), moment),
        SendAnswer::Found(Found::Declined { code }) => {
            // Providers answer "already succeeded" as an error: after an attempt that may have had an effect, a
            // refusal says nothing about that one.
            let only_attempt = payment.attempts == 1 && !payment.acknowledged;
            match (only_attempt, mine) {
                (true, _) => decline(payment, code, Reason::DeclinedByProvider, moment),
                (false, true) => wait(payment, State::Unknown, Reason::NegativeAfterUnknown, None, moment),
                (false, false) => kept_without_claim(payment),
            }
        }
        SendAnswer::NotTaken(why) if mine => not_taken(payment, *why, moment),
        SendAnswer::Unclear(why) if mine => wait(payment, State::Unknown, reason_of_unclear(*why), None, moment),
        SendAnswer::NotTaken(_) | SendAnswer::Unclear(_) => kept_without_claim(payment),
    }
}

/// The request surely had no effect: the attempt is given back.
fn not_taken(payment: &Payment, why: NotTaken, moment: &Moment<'_>) -> Step {
    let (reason, wait_ms) = match why {
        NotTaken::RateLimited { retry_after_ms } => (Reason::RateLimited, retry_after_ms),
        NotTaken::ConnectFailed => (Reason::ConnectFailed, None),
        NotTaken::CredentialsRefused => (Reason::CredentialsRefused, None),
        NotTaken::NotWritten => (Reason::NotWritten, None),
    };
    let mut draft = Draft::of(payment, moment);
    draft.next.attempts = draft.next.attempts.saturating_sub(1);
    draft.next.attempts_left = draft.next.attempts_left.saturating_add(1);
    if draft.next.attempts == 0 {
        draft.next.first_sent_at = None;
        draft.next.written_until = None;
    }
    if !payment.acknowledged && payment.cancel_requested_at.is_some() {
        return draft.go(State::Canceled, Reason::CanceledByMerchant, None);
    }
    if !payment.acknowledged && payment.is_expired(moment.now) {
        return draft.go(State::Expired, Reason::ExpiryOver, None);
    }
    draft.wait(wait_ms);
    // An acknowledgement that came meanwhile is for good: what the provider has is never sent again.
    let state = if payment.acknowledged { State::Pending } else { State::Queued };
    draft.go(state, reason, None)
}

pub(super) fn query_answered(payment: &Payment, claim: &ClaimId, answer: &QueryAnswer, moment: &Moment<'_>) -> Step {
    let mine = holds(payment, claim);
    match answer {
        QueryAnswer::Found(Found::Approved { reference }) => approve(payment, reference, Reason::Approved, moment),
        QueryAnswer::Found(Found::Declined { code }) => decline(payment, code, Reason::DeclinedByProvider, moment),
        QueryAnswer::Found(Found::Accepted { reference }) => acknowledge(payment, mine, reference.as_ref(), moment),
        QueryAnswer::NotFound if mine => not_found(payment, moment),
        QueryAnswer::NotTaken(why) if mine => {
            let (reason, retry_after_ms) = match why {
                NotTaken::RateLimited { retry_after_ms } => (Reason::RateLimited, *retry_after_ms),
                NotTaken::ConnectFailed => (Reason::ConnectFailed, None),
                NotTaken::CredentialsRefused => (Reason::CredentialsRefused, None),
                NotTaken::NotWritten => (Reason::NotWritten, None),
            };
            wait(payment, still_open(payment), reason, retry_after_ms, moment)
        }
        QueryAnswer::Unclear(why) if mine => wait(payment, still_open(payment), reason_of_unclear(*why), None, moment),
        QueryAnswer::NotFound | QueryAnswer::NotTaken(_) | QueryAnswer::Unclear(_) => kept_without_claim(payment),
    }
}

/// The provider does not know it. Only after its stated bound does that prove that no effect is to come.
fn not_found(payment: &Payment, moment: &Moment<'_>) -> Step {
    let Some(written_until) = payment.written_until else {
        // Nothing was ever written, so there is nothing to prove.
        return absent(payment, moment);
    };
    let proved_at = written_until.plus_ms(moment.policy.absence_proof_ms());
    // What was not there when the provider was asked may be there by now, however late its answer is read or written
    // down. The claim was taken before it was asked, so the bound has to have passed by then.
    let claimed_at = payment.changed_at;
    if claimed_at >= proved_at {
        return absent(payment, moment);
    }
    let mut draft = Draft::of(payment, moment);
    draft.wait(None);
    // Looking at the very moment of the proof saves the wait after it.
    draft.next.due_at = draft.next.due_at.map(|due| due.min(proved_at));
    draft.go(still_open(payment), Reason::NotFoundYet, None)
}

fn absent(payment: &Payment, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    if payment.acknowledged {
        return draft.go(State::Parked, Reason::VanishedAtProvider, None);
    }
    match why_not_sendable(payment, moment) {
        Some((state, reason)) => draft.go(state, reason, None),
        // Whoever was told since that it is canceled or declined must not be charged: a person looks first.
        None if payment.recovered_at.is_some() => draft.go(State::Parked, Reason::AbsentAfterRestore, None),
        None => {
            draft.next.waits = 0;
            draft.next.due_at = Some(moment.now);
            draft.go(State::Queued, Reason::ProvedAbsent, None)
        }
    }
}

pub(super) fn called_back(payment: &Payment, found: &Found, moment: &Moment<'_>) -> Step {
    match found {
        Found::Approved { reference } => approve(payment, reference, Reason::CalledBack, moment),
        Found::Declined { code } => decline(payment, code, Reason::CalledBack, moment),
        Found::Accepted { reference } => acknowledge(payment, false, reference.as_ref(), moment),
    }
}

fn approve(payment: &Payment, reference: &ProviderText, why: Reason, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked => {
            Draft::of(payment, moment).go(State::Succeeded, why, Some(reference))
        }
        State::Succeeded => Step::Keep(Kept::Ended),
        State::Declined | State::Canceled | State::Expired => {
            if payment.case.is_some() {
                return Step::Keep(Kept::Ended);
            }
            let mut draft = Draft::of(payment, moment);
            draft.next.case = Some(Case {
                opened_at: moment.now,
                reference: reference.clone(),
                owner: None,
                resolution: None,
                closed_at: None,
            });
            // A case is found and kept until a person has closed it.
            draft.next.open_shard = Some(case_shard(&payment.id));
            draft.next.forget_at = None;
            draft.append(payment.state, Reason::LateSuccess, Some(reference));
            draft.done()
        }
    }
}

fn decline(payment: &Payment, code: &ProviderText, why: Reason, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked => {
            Draft::of(payment, moment).go(State::Declined, why, Some(code))
        }
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// The provider has it. Whoever holds the claim settles; everybody else only makes sure that it is remembered.
fn acknowledge(payment: &Payment, mine: bool, reference: Option<&ProviderText>, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    draft.next.acknowledged = true;
    match (payment.state, mine) {
        (State::Sending, true) | (State::Unknown | State::Queued, _) => {
            if !payment.acknowledged {
                // Its own backoff begins here.
                draft.next.waits = 0;
            }
            draft.wait(None);
            draft.go(State::Pending, Reason::PendingAtProvider, reference)
        }
        (State::Sending | State::Parked, _) if payment.acknowledged => kept_without_claim(payment),
        (State::Sending | State::Parked, _) => draft.done(),
        (State::Pending, _) => Step::Keep(Kept::NotDue),
        (State::Succeeded | State::Declined | State::Canceled | State::Expired, _) => Step::Keep(Kept::Ended),
    }
}

fn wait(payment: &Payment, state: State, reason: Reason, at_least_ms: Option<u64>, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    draft.wait(at_least_ms);
    draft.go(state, reason, None)
}

fn holds(payment: &Payment, claim: &ClaimId) -> bool {
    payment.state == State::Sending && payment.claim.as_ref().is_some_and(|held| held.id == *claim)
}

/// Where a payment stands when a query said nothing: pending if it was that, else unknown.
fn still_open(payment: &Payment) -> State {
    if payment.acknowledged { State::Pending } else { State::Unknown }
}

fn kept_without_claim(payment: &Payment) -> Step {
    Step::Keep(if payment.state.is_terminal() { Kept::Ended } else { Kept::ClaimLost })
}

const fn reason_of_unclear(why: Unclear) -> Reason {
    match why {
        Unclear::TimedOut => Reason::TimedOut,
        Unclear::ConnectionLost => Reason::ConnectionLost,
        Unclear::ProviderError => Reason::ProviderError,
        Unclear::Conflict => Reason::ConflictAtProvider,
        Unclear::Unreadable => Reason::UnreadableAnswer,
    }
}

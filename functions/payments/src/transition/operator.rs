//! What a person may do: put a parked payment back, end it with evidence, and see to a case.

use crate::case::{Case, CaseResolution};
use crate::evidence::{Evidence, Operator};
use crate::payment::Payment;
use crate::state::{Reason, State};

use super::draft::Draft;
use super::{Kept, Moment, Resolution, Step};

/// A person put it back: what was ever sent is queried first, and coming back grants one attempt.
pub(super) fn replay(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Parked => {
            let mut draft = Draft::of(payment, moment);
            draft.next.attempts_left = draft.next.attempts_left.max(1);
            draft.next.waits = 0;
            draft.next.due_at = Some(moment.now);
            // Whoever puts it back has looked.
            draft.next.recovered_at = None;
            let state = if payment.ever_sent() { State::Unknown } else { State::Queued };
            draft.go(state, Reason::Replayed, None)
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotParked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

pub(super) fn resolve(payment: &Payment, end: Resolution, evidence: &Evidence, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Parked => {
            let state = match end {
                Resolution::Succeeded => State::Succeeded,
                Resolution::Declined => State::Declined,
                Resolution::Canceled => State::Canceled,
            };
            let resolved = Draft::of(payment, moment).go(state, Reason::ResolvedByOperator, Some(&evidence.text()));
            match resolved {
                // Who and why are history's; the merchant is shown the reference.
                Step::Change(mut next) => {
                    next.provider_text = Some(evidence.reference().clone());
                    Step::Change(next)
                }
                Step::Keep(kept) => Step::Keep(kept),
            }
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotParked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// Somebody sees to it from now on, perhaps in another's place.
pub(super) fn take_case(payment: &Payment, owner: &Operator, moment: &Moment<'_>) -> Step {
    match &payment.case {
        Some(case) if case.is_open() && case.owner.as_ref() == Some(owner) => Step::Keep(Kept::NotDue),
        Some(case) if case.is_open() => {
            let mut draft = Draft::of(payment, moment);
            draft.next.case = Some(Case { owner: Some(owner.clone()), ..case.clone() });
            draft.append(payment.state, Reason::CaseTaken, Some(&owner.text()));
            draft.done()
        }
        Some(_) | None => Step::Keep(Kept::NoOpenCase),
    }
}

/// The money is where it should be. From now on the item is one that has ended, and its details are forgotten in their
/// time.
pub(super) fn close_case(
    payment: &Payment,
    resolution: CaseResolution,
    evidence: &Evidence,
    moment: &Moment<'_>,
) -> Step {
    match &payment.case {
        Some(case) if case.is_open() => {
            let owner = case.owner.clone().unwrap_or_else(|| evidence.by().clone());
            let mut draft = Draft::of(payment, moment);
            draft.next.case = Some(Case {
                owner: Some(owner),
                resolution: Some(resolution),
                closed_at: Some(moment.now),
                ..case.clone()
            });
            draft.next.open_shard = None;
            draft.next.forget_at = Some(moment.now.plus_ms(moment.policy.retention_ms));
            draft.append(payment.state, resolution.reason(), Some(&evidence.text()));
            draft.done()
        }
        Some(_) | None => Step::Keep(Kept::NoOpenCase),
    }
}

//! Payments whose end is long in coming: from when on people are told, and from when on one of them is needed.

use crate::payment::Payment;
use crate::policy::Policy;
use crate::state::{Reason, State};
use crate::time::Timestamp;

use super::draft::Draft;
use super::{Kept, Moment, Step};

/// How long a request of it has been out without an end, in ms; `None` if none is.
fn open_for_ms(payment: &Payment, now: Timestamp) -> Option<u64> {
    let begun = payment.first_sent_at.unwrap_or(payment.created_at);
    match payment.state {
        State::Sending | State::Pending | State::Unknown => Some(now.since_ms(begun)),
        State::Queued | State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => None,
    }
}

/// Whether it is pending or unknown, or being asked about, for longer than it may be without anybody being told.
pub fn is_overdue(payment: &Payment, policy: &Policy, now: Timestamp) -> bool {
    open_for_ms(payment, now).is_some_and(|open_ms| open_ms >= policy.overdue_after_ms)
}

/// Puts it in front of a person once only a person can help: the provider may have forgotten the key by then, so that
/// nothing may be sent again, and it has said nothing for so long that it may never say anything. This is no end: a
/// query of a replay, a callback or evidence settles it.
pub(super) fn overdue(payment: &Payment, moment: &Moment<'_>) -> Step {
    let is_due = open_for_ms(payment, moment.now).is_some_and(|open_ms| open_ms >= moment.policy.park_overdue_ms());
    match payment.state {
        State::Pending | State::Unknown if is_due => {
            Draft::of(payment, moment).go(State::Parked, Reason::Overdue, None)
        }
        State::Sending => match &payment.claim {
            Some(held) if held.lease_until > moment.now => Step::Keep(Kept::LeaseHeld { until: held.lease_until }),
            Some(_) | None if is_due => {
                let mut draft = Draft::of(payment, moment);
                draft.note(State::Unknown, Reason::LeaseEnded);
                draft.go(State::Parked, Reason::Overdue, None)
            }
            Some(_) | None => Step::Keep(Kept::NotDue),
        },
        State::Queued | State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

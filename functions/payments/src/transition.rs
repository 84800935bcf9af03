//! The one function that decides what becomes of a payment. Every Lambda asks it; none writes a state of its own.
//!
//! It is given what stands in the table, what happened, and the time and dice; it answers with what is to be written
//! next, or why nothing is. The rules are those of the invariants (infra/docs/invariants.md) I1, I3 and I9.

mod accepted;
mod answered;
mod draft;
mod forgotten;
mod last_look;
mod lost;
mod operator;
mod overdue;
mod restored;
pub mod triage;

use crate::answer::{Found, QueryAnswer, SendAnswer};
use crate::backoff::Dice;
use crate::case::CaseResolution;
use crate::evidence::{Evidence, Operator};
use crate::history::HistoryKeys;
use crate::id::{ClaimId, Nonce};
use crate::payment::{Claim, Payment};
use crate::policy::Policy;
use crate::state::{Reason, State};
use crate::time::Timestamp;

use answered::{called_back, query_answered, send_answered};
use draft::Draft;
pub use draft::PAYMENT_RETRY_AFTER_MAX_MS;
use forgotten::forget;
pub use last_look::may_be_written;
use lost::heal;
pub use lost::{
    HEAL_PAUSE_MS, HEAL_WAITED_MS, LOST_IN_BUSY_LANE_MS, LOST_IN_EMPTY_LANE_MS, REPEAT_HEAL_MS, has_lost_its_message,
    may_lack_its_message,
};
use operator::{close_case, replay, resolve, take_case};
pub use overdue::is_overdue;
use overdue::overdue;
pub use restored::{Recovery, accepted_after_recovery};

/// What the decision depends on besides the payment and the event.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The mark of the write that may follow.
    pub nonce: Nonce,
    /// For jitter.
    pub dice: Dice,
    /// The provider's numbers.
    pub policy: &'a Policy,
    /// What history is linked under; none for a write that has not read the item and cannot know its head.
    pub history_keys: Option<&'a HistoryKeys>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A consumer wants to make a call for it, under a lease.
    Claim {
        /// The claim's own id.
        id: ClaimId,
        /// When the lease ends.
        lease_until: Timestamp,
    },
    /// The claim's send was answered, or was not.
    SendAnswered {
        /// Under which claim.
        claim: &'a ClaimId,
        /// What came.
        answer: &'a SendAnswer,
    },
    /// The claim's query was answered, or was not.
    QueryAnswered {
        /// Under which claim.
        claim: &'a ClaimId,
        /// What came.
        answer: &'a QueryAnswer,
    },
    /// The provider's own callback.
    CalledBack(&'a Found),
    /// The merchant takes it back.
    Cancel,
    /// Somebody looked whether its time is over.
    Expire,
    /// Its message came to the DLQ: park it if there is nothing left to try.
    DeadLettered,
    /// Its message is to be put back in its queue.
    Heal {
        /// The dead-lettered message that it replaces, if that is why.
        replaces: Option<Replaced<'a>>,
    },
    /// A person put it back.
    Replay,
    /// Somebody looked whether its end has been open for too long.
    Overdue,
    /// The table was restored to an earlier moment.
    Restored(&'a Recovery),
    /// Somebody looked whether its details are old enough to be forgotten.
    Forget,
    /// A person says how it ended, with evidence.
    Resolve {
        /// The end.
        end: Resolution,
        /// Where to look it up, who says so, and why.
        evidence: &'a Evidence,
    },
    /// A person sees to its case.
    TakeCase {
        /// Who.
        owner: &'a Operator,
    },
    /// A person says what became of the money of its case.
    CloseCase {
        /// What.
        resolution: CaseResolution,
        /// Where to look it up, who says so, and why.
        evidence: &'a Evidence,
    },
}

/// A dead-lettered message whose place a new one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced<'a> {
    /// Its id.
    pub message_id: &'a str,
    /// When its sender wrote it.
    pub sent_at: Timestamp,
}

/// How a person may end a parked payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The provider did it.
    Succeeded,
    /// The provider refused it.
    Declined,
    /// It was never done and is not to be.
    Canceled,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this in place of what was read.
    Change(Box<Payment>),
    /// Write nothing.
    Keep(Kept),
}

/// Why nothing is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has ended, and an end is for ever.
    Ended,
    /// Somebody else holds a lease on it.
    LeaseHeld {
        /// Until then.
        until: Timestamp,
    },
    /// It is in front of a person.
    Parked,
    /// It is not parked, so there is nothing to replay or resolve.
    NotParked,
    /// The claim was lost meanwhile, and the answer does not change what the new one will find.
    ClaimLost,
    /// Nothing to do yet.
    NotDue,
    /// It can be put back no more; the sweep will find it.
    HealsUsedUp,
    /// Another message of it was put back a moment ago.
    HealedElsewhere,
    /// It cannot be canceled: a person has to look first.
    NotCancelable,
    /// It has no case that is open.
    NoOpenCase,
    /// Its history does not verify: it is evidence, and not forgotten.
    HistoryDoubted,
}

impl Kept {
    /// Why nothing was written, for people.
    pub const fn why(self) -> &'static str {
        match self {
            Self::Ended => "it has ended",
            Self::LeaseHeld { .. } => "it is being sent or asked about: try again in a minute",
            Self::Parked => "it waits for a person",
            Self::NotParked => "it is not parked, so there is nothing to replay or resolve",
            Self::ClaimLost => "somebody else has taken it up",
            Self::NotDue => "there is nothing to do for it yet",
            Self::HealsUsedUp => "its message was put back as often as may be: the sweep sees to it",
            Self::HealedElsewhere => "its message was put back a moment ago",
            Self::NotCancelable => "it cannot be canceled before a person has looked",
            Self::NoOpenCase => "it has no case that is open",
            Self::HistoryDoubted => "its history does not verify",
        }
    }
}

/// Decides what becomes of `payment` after `event`.
pub fn transition(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
    match event {
        Event::Claim { id, lease_until } => claim(payment, id, *lease_until, moment),
        Event::SendAnswered { claim, answer } => send_answered(payment, claim, answer, moment),
        Event::QueryAnswered { claim, answer } => query_answered(payment, claim, answer, moment),
        Event::CalledBack(found) => called_back(payment, found, moment),
        Event::Cancel => cancel(payment, moment),
        Event::Expire => expire(payment, moment),
        Event::DeadLettered => dead_lettered(payment, moment),
        Event::Heal { replaces } => heal(payment, *replaces, moment),
        Event::Replay => replay(payment, moment),
        Event::Overdue => overdue(payment, moment),
        Event::Forget => forget(payment, moment),
        Event::Restored(recovery) => restored::restored(payment, recovery, moment),
        Event::Resolve { end, evidence } => resolve(payment, *end, evidence, moment),
        Event::TakeCase { owner } => take_case(payment, owner, moment),
        Event::CloseCase { resolution, evidence } => close_case(payment, *resolution, evidence, moment),
    }
}

fn claim(payment: &Payment, id: &ClaimId, lease_until: Timestamp, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => match why_not_sendable(payment, moment) {
            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None if is_held_back(payment, moment) => Step::Keep(Kept::NotDue),
            None => {
                let mut draft = Draft::of(payment, moment);
                draft.next.attempts = draft.next.attempts.saturating_add(1);
                draft.next.attempts_left = draft.next.attempts_left.saturating_sub(1);
                draft.next.first_sent_at = draft.next.first_sent_at.or(Some(moment.now));
                draft.next.written_until = Some(lease_until);
                draft.next.due_at = None;
                draft.next.claim = Some(Claim { id: id.clone(), from: State::Queued, lease_until });
                draft.go(State::Sending, Reason::Claimed, None)
            }
        },
        State::Sending => match &payment.claim {
            Some(held) if held.lease_until > moment.now && held.id != *id => {
                Step::Keep(Kept::LeaseHeld { until: held.lease_until })
            }
            Some(_) | None => {
                let mut draft = Draft::of(payment, moment);
                draft.note(State::Unknown, Reason::LeaseEnded);
                draft.take(id, lease_until)
            }
        },
        State::Pending | State::Unknown if is_held_back(payment, moment) => Step::Keep(Kept::NotDue),
        State::Pending | State::Unknown => Draft::of(payment, moment).take(id, lease_until),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// Whether it is too early to take it up: a `Retry-After` (RFC 9110, section 10.2.3) and a backoff bind whichever of its
/// messages comes first. Ending it is not taking it up.
fn is_held_back(payment: &Payment, moment: &Moment<'_>) -> bool {
    payment.due_at.is_some_and(|due| due > moment.now)
}

/// What a queued payment becomes instead of being sent, if it may not be sent.
fn why_not_sendable(payment: &Payment, moment: &Moment<'_>) -> Option<(State, Reason)> {
    let key_may_be_forgotten =
        payment.first_sent_at.is_some_and(|at| moment.now.since_ms(at) >= moment.policy.sure_key_window_ms());
    if payment.cancel_requested_at.is_some() {
        Some((State::Canceled, Reason::CanceledByMerchant))
    } else if payment.is_expired(moment.now) {
        Some((State::Expired, Reason::ExpiryOver))
    } else if key_may_be_forgotten {
        Some((State::Parked, Reason::KeyWindowOver))
    } else if payment.attempts_left == 0 {
        Some((State::Parked, Reason::AttemptsUsedUp))
    } else {
        None
    }
}

fn cancel(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None),
        State::Sending | State::Pending | State::Unknown => {
            if payment.cancel_requested_at.is_some() {
                return Step::Keep(Kept::NotDue);
            }
            let mut draft = Draft::of(payment, moment);
            draft.next.cancel_requested_at = Some(moment.now);
            draft.done()
        }
        State::Parked if payment.ever_sent() => Step::Keep(Kept::NotCancelable),
        State::Parked => Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// A payment that is canceled before it was ever there, or, after a restore, is to be canceled once the provider has been
/// asked. It is written as a first version, so that only an order that is really not here takes it.
pub fn canceled_unseen(accepted: &Payment, moment: &Moment<'_>) -> Option<Payment> {
    match cancel(accepted, moment) {
        Step::Change(canceled) => Some(Payment { version: accepted.version, ..*canceled }),
        Step::Keep(_) => None,
    }
}

fn expire(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued if payment.is_expired(moment.now) => {
            Draft::of(payment, moment).go(State::Expired, Reason::ExpiryOver, None)
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

fn dead_lettered(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => match why_not_sendable(payment, moment) {
            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None => Step::Keep(Kept::NotDue),
        },
        State::Sending => match &payment.claim {
            Some(held) if held.lease_until > moment.now => Step::Keep(Kept::LeaseHeld { until: held.lease_until }),
            Some(_) | None => Step::Keep(Kept::NotDue),
        },
        State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

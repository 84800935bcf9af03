//! What `dead_letter` does with a message that was received too often. The item alone decides, by a match over every
//! state; the message says no more than where to look.

use crate::payment::Payment;
use crate::state::State;
use crate::time::Timestamp;

/// What is to be done with the message, once the item says what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triage {
    /// Put it back in its lane, to be seen when the payment is due as it stands once that is written down.
    Heal,
    /// Somebody is sending it: look again when their lease has ended.
    Hide {
        /// Until then.
        until: Timestamp,
    },
    /// It has ended: the message is needed no more.
    Drop,
    /// It is in front of a person, and so should the message be.
    PassOn,
    /// A person put it back.
    Replay,
}

impl Triage {
    /// Its name in logs. A time in milliseconds has no place there: one in ten passes for a card number.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Heal => "heal",
            Self::Hide { .. } => "hide",
            Self::Drop => "drop",
            Self::PassOn => "pass_on",
            Self::Replay => "replay",
        }
    }
}

/// Longest delay that SQS takes with a message, in seconds ("Amazon SQS delay queues").
pub const DELAY_SECONDS_MAX: u64 = 900;

/// Judges a message in the DLQ by its payment's item.
pub fn triage(payment: &Payment, is_replay: bool, now: Timestamp) -> Triage {
    match payment.state {
        State::Queued | State::Pending | State::Unknown => Triage::Heal,
        State::Sending => match &payment.claim {
            Some(claim) if claim.lease_until > now => Triage::Hide { until: claim.lease_until },
            Some(_) | None => Triage::Heal,
        },
        State::Parked if is_replay => Triage::Replay,
        State::Parked => Triage::PassOn,
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Triage::Drop,
    }
}

/// Whole seconds from now until `due_at`, rounded up, within SQS's bound.
pub fn delay_seconds(due_at: Option<Timestamp>, now: Timestamp) -> u32 {
    let wait_ms = due_at.map_or(0, |due| due.since_ms(now));
    u32::try_from(wait_ms.div_ceil(1_000).min(DELAY_SECONDS_MAX)).unwrap_or(900)
}

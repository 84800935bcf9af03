//! When a payment's message is taken for lost, and when a new one may take its place. A message too many does no harm;
//! no message does.

use crate::payment::{Heal, Payment};
use crate::state::{Reason, State};
use crate::time::Timestamp;

use super::draft::Draft;
use super::{Kept, Moment, Replaced, Step};

/// How long after a heal by somebody else no second message is put back, in ms.
pub const HEAL_PAUSE_MS: u64 = 120_000;

/// A message that was put back so long ago has waited in its lane, in ms: receives end a lap in minutes where something is
/// wrong with a payment, and in an hour where nothing may be sent. Such a heal counts for nothing, because the bound is for
/// what goes round; an outage of a day would use it up.
pub const HEAL_WAITED_MS: u64 = 30 * 60 * 1_000;

/// How long a payment that nobody has touched waits before a repeated request puts a message back for it, in ms.
pub const REPEAT_HEAL_MS: u64 = 10_000;

/// Whether a repeated request finds its payment as a crash between put and send would have left it: queued, never
/// touched, and no longer new. Its message may never have been sent; a second one does no harm, no message does.
pub fn may_lack_its_message(payment: &Payment, now: Timestamp) -> bool {
    let (last_heard, times) = payment.heal.as_ref().map_or((payment.created_at, 0), |heal| (heal.at, heal.times));
    // Each time twice as long, so that a merchant who asks again and again in a long sale does not fill the queue.
    let patience_ms = REPEAT_HEAL_MS.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX));
    payment.state == State::Queued && payment.reason == Reason::Accepted && now.since_ms(last_heard) >= patience_ms
}

/// How long nothing was heard of an open payment before the sweep takes its message for lost: its lane being empty.
pub const LOST_IN_EMPTY_LANE_MS: u64 = 180_000;

/// The same while its lane holds messages, one of which may be its own.
pub const LOST_IN_BUSY_LANE_MS: u64 = 60 * 60 * 1_000;

/// Whether the sweep takes an open payment's message for lost. Where it is mistaken, a second message does no harm.
pub fn has_lost_its_message(payment: &Payment, lane_is_empty: bool, now: Timestamp) -> bool {
    let patience_ms = if lane_is_empty { LOST_IN_EMPTY_LANE_MS } else { LOST_IN_BUSY_LANE_MS };
    let heard = [
        Some(payment.changed_at),
        payment.due_at,
        payment.heal.as_ref().map(|heal| heal.at),
        payment.claim.as_ref().map(|claim| claim.lease_until),
    ];
    let last_heard = heard.into_iter().flatten().max().unwrap_or(payment.created_at);
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown => now.since_ms(last_heard) >= patience_ms,
        State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => false,
    }
}

pub(super) fn heal(payment: &Payment, replaces: Option<Replaced<'_>>, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown => {}
        State::Parked => return Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => {
            return Step::Keep(Kept::Ended);
        }
    }
    let now = moment.now;
    let has_waited = |heal: &Heal| now.since_ms(heal.at) >= HEAL_WAITED_MS;
    let (times, at) = match (&payment.heal, replaces) {
        (None, _) => (1, now),
        // The same message's work again: it crashed between its write and its send, its send's answer was lost, or it was
        // delivered twice. What the other one has put back must not look older than its own heal.
        (Some(heal), Some(it)) if heal.message_id.as_deref() == Some(it.message_id) => (heal.times, heal.at.min(now)),
        (Some(heal), Some(_)) if heal.times >= moment.policy.max_heals && !has_waited(heal) => {
            return Step::Keep(Kept::HealsUsedUp);
        }
        // An older message than the heal: the message that it put back is on its way, because the one that it replaced
        // comes again until it is. One that was written after the heal may itself be the one that it put back.
        (Some(heal), Some(it))
            if heal.message_id.is_some() && it.sent_at < heal.at && moment.now.since_ms(heal.at) < HEAL_PAUSE_MS =>
        {
            return Step::Keep(Kept::HealedElsewhere);
        }
        (Some(heal), Some(_)) if has_waited(heal) => (heal.times, now),
        (Some(heal), _) => (heal.times.saturating_add(1), now),
    };
    let mut draft = Draft::of(payment, moment);
    draft.next.heal = Some(Heal { at, message_id: replaces.map(|it| it.message_id.to_owned()), times });
    draft.done()
}

//! The next version of a payment while it is being written down: what every change of state brings with it.

use crate::answer::ProviderText;
use crate::backoff::full_jitter_ms;
use crate::history::{self, Entry};
use crate::id::ClaimId;
use crate::index::{open_shard, parked_shard};
use crate::payment::{Claim, Payment};
use crate::state::{Reason, State};
use crate::time::Timestamp;

use super::{Moment, Step};

/// The longest that a Retry-After holds the payment that it was the answer to, in ms: a provider that asks for more is
/// asked again by then. How long it may hold everybody is `BrakeSettings::hold_max_ms`.
pub const PAYMENT_RETRY_AFTER_MAX_MS: u64 = 15 * 60 * 1_000;

/// The next version of a payment while it is being written down.
pub(super) struct Draft<'a> {
    pub(super) next: Payment,
    moment: &'a Moment<'a>,
}

impl<'a> Draft<'a> {
    pub(super) fn of(payment: &Payment, moment: &'a Moment<'a>) -> Self {
        let mut next = payment.clone();
        next.version = next.version.saturating_add(1);
        next.nonce = moment.nonce.clone();
        history::link_claim(&mut next, moment.history_keys);
        Self { next, moment }
    }

    /// Sets when to look again: after a jittered backoff, at least after what the provider asked for. What the provider has is
    /// looked at by its own backoff, and once more by the time at which it would be parked.
    pub(super) fn wait(&mut self, at_least_ms: Option<u64>) {
        let Moment { now, dice, policy, .. } = *self.moment;
        let backoff_ms = if self.next.acknowledged {
            let (base_ms, cap_ms) = (policy.pending_backoff_base_ms, policy.pending_backoff_cap_ms);
            let begun = self.next.first_sent_at.unwrap_or(self.next.created_at);
            let left_ms = begun.plus_ms(policy.park_overdue_ms()).since_ms(now);
            // Once that is over, the sweep or a person is faster than any wait.
            let cap_ms = if left_ms == 0 { cap_ms } else { cap_ms.min(left_ms) };
            full_jitter_ms(base_ms, cap_ms, self.next.waits, dice)
        } else {
            full_jitter_ms(policy.backoff_base_ms, policy.backoff_cap_ms, self.next.waits, dice)
        };
        let wait_ms = backoff_ms.max(at_least_ms.unwrap_or(0).min(PAYMENT_RETRY_AFTER_MAX_MS));
        self.next.due_at = Some(now.plus_ms(wait_ms));
        self.next.waits = self.next.waits.saturating_add(1);
    }

    /// A line of history for a state that was found to have been passed through.
    pub(super) fn note(&mut self, state: State, reason: Reason) {
        self.append(state, reason, None);
    }

    pub(super) fn append(&mut self, state: State, reason: Reason, text: Option<&ProviderText>) {
        let entry = Entry {
            at: self.moment.now,
            state,
            reason,
            attempt: self.next.attempts,
            times: 1,
            provider_text: text.cloned(),
            tag: None,
        };
        history::append_linked(&mut self.next, entry, self.moment.history_keys);
    }

    /// Claims for a query, which is no line of history: its answer will be.
    pub(super) fn take(mut self, id: &ClaimId, lease_until: Timestamp) -> Step {
        let from = self.next.state;
        self.next.state = State::Sending;
        self.next.reason = Reason::Claimed;
        self.next.changed_at = self.moment.now;
        self.next.due_at = None;
        self.next.claim = Some(Claim { id: id.clone(), from, lease_until });
        self.done()
    }

    /// Goes to `state`, with all that the state implies.
    pub(super) fn go(mut self, state: State, reason: Reason, text: Option<&ProviderText>) -> Step {
        let now = self.moment.now;
        self.append(state, reason, text);
        if let Some(text) = text {
            self.next.provider_text = Some(text.clone());
        }
        self.next.state = state;
        self.next.reason = reason;
        self.next.changed_at = now;
        if state != State::Sending {
            self.next.claim = None;
        }
        self.next.parked_at = None;
        match state {
            State::Queued | State::Sending | State::Pending | State::Unknown => {
                self.next.open_shard = Some(open_shard(&self.next.id));
            }
            State::Parked => {
                self.next.parked_at = Some(now);
                self.next.due_at = None;
                self.next.open_shard = Some(parked_shard(&self.next.id));
            }
            State::Succeeded | State::Declined | State::Canceled | State::Expired => {
                self.next.due_at = None;
                self.next.open_shard = None;
                self.next.forget_at = Some(now.plus_ms(self.moment.policy.retention_ms));
            }
        }
        self.done()
    }

    pub(super) fn done(self) -> Step {
        Step::Change(Box::new(self.next))
    }
}

//! The numbers that decisions depend on, one set for each provider, and the keys that their histories are linked under.
//! All of them come from settings; none is guessed.

use crate::history::HistoryKeys;
use crate::time::Timestamp;

/// Longest time that one operation on a table or a queue takes, all of its attempts together, in ms; less than any lease, so
/// that nobody writes under a lease that is over.
pub const OPERATION_TIMEOUT_MS: u64 = 8_000;
/// Kept at the end of a consumer's invocation for what is left to hide and to answer.
pub const ANSWER_ALLOWANCE_MS: u64 = 500;
/// How long a message of a newer version waits in its lane before it is looked at again, in seconds.
pub const NEWER_VERSION_LOOK_SECONDS: u32 = 60;
/// How long a dead letter waits for an item that is not there yet before it is looked at again, in seconds.
pub const MISSING_ITEM_LOOK_SECONDS: u32 = 30;

/// What a provider promises and how long we wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Longest time to open a connection.
    pub connect_timeout_ms: u64,
    /// Longest time from a request's first byte to its whole answer.
    pub call_timeout_ms: u64,
    /// How long before its slot a payment is claimed, so that the claim's own write is over by then.
    pub claim_lead_ms: u64,
    /// Time kept for the write that settles, after a call's time-out.
    pub settle_allowance_ms: u64,
    /// The provider's stated bound: a charge that is not found this long after its request was written does not exist.
    pub absence_bound_ms: u64,
    /// How long the provider remembers an idempotency key, from the first request that carried it.
    pub key_window_ms: u64,
    /// How far apart clocks may be; added to the absence bound and taken off the key window.
    pub clock_skew_ms: u64,
    /// Sends that may have had an effect before a payment is parked.
    pub max_attempts: u32,
    /// First bound of the backoff.
    pub backoff_base_ms: u64,
    /// Largest bound of the backoff.
    pub backoff_cap_ms: u64,
    /// The same for what the provider has and answers later, by hours where a bank or the customer has to act: its callback is
    /// what tells it soon, and looks are for a callback that does not come.
    pub pending_backoff_base_ms: u64,
    /// Likewise.
    pub pending_backoff_cap_ms: u64,
    /// How often a payment's message may be put back by `dead_letter` before only a sweep may do it.
    pub max_heals: u32,
    /// How long a message may be there before its payment's item must be.
    pub missing_item_grace_ms: u64,
    /// How long a message of a newer version waits for its code.
    pub newer_version_grace_ms: u64,
    /// How long the details of an ended payment are kept; the order and its end are kept for ever.
    pub retention_ms: u64,
    /// How long a payment is pending or unknown before people are told.
    pub overdue_after_ms: u64,
    /// How long before it is put in front of one of them.
    pub park_overdue_after_ms: u64,
    /// What each payment's history is linked under.
    pub history_keys: HistoryKeys,
}

impl Policy {
    /// Time from a call's slot until its lease may end: to connect, to call, and to settle.
    pub const fn lease_ms(&self) -> u64 {
        self.connect_timeout_ms.saturating_add(self.call_timeout_ms).saturating_add(self.settle_allowance_ms)
    }

    /// The last moment at which a request may be written, so that its whole call fits and its answer can be written down
    /// before `until`: the end of the lease, or of the invocation if that comes first.
    pub const fn latest_write(&self, until: Timestamp) -> Timestamp {
        until.minus_ms(self.call_timeout_ms.saturating_add(self.settle_allowance_ms))
    }

    /// Time that an absence must have lasted to be proved, after the last lease under which a request may have been
    /// written has ended.
    pub const fn absence_proof_ms(&self) -> u64 {
        self.absence_bound_ms.saturating_add(self.clock_skew_ms)
    }

    /// Time from the first request after which what is still pending or unknown is parked: never while sending it again
    /// may yet help.
    pub fn park_overdue_ms(&self) -> u64 {
        self.park_overdue_after_ms.max(self.key_window_ms.saturating_add(self.clock_skew_ms))
    }

    /// The longest that a message is hidden at a time, in ms.
    pub fn longest_wait_ms(&self) -> u64 {
        self.backoff_cap_ms.max(self.pending_backoff_cap_ms)
    }

    /// Time from the first request within which the idempotency key surely still holds.
    pub const fn sure_key_window_ms(&self) -> u64 {
        self.key_window_ms.saturating_sub(self.clock_skew_ms)
    }
}

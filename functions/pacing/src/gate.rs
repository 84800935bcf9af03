//! The gate: one place in the whole system where send slots are handed out, so that the rate holds for any number of
//! consumers.
//!
//! The next free slot is the time of a [`crate::schedule`]: taking `n` slots moves it on by `n` ÷ rate.
//!
//! The item has two kinds of attributes. What every reservation moves (the next slot, the counts) needs no version:
//! the updates commute. What a reservation assumes (rate, pause, breaker, brake) changes rarely, each time with the
//! version, and every update requires the version that it assumed: a reservation at an old rate fails and is made anew.

mod healing;
mod operate;
mod update;
mod view;

use serde::{Deserialize, Serialize};

use crate::brake::{Brake, BrakeSettings, Paced};
use crate::breaker::{Breaker, BreakerSettings, WHOLE_PERMILLE};

pub use healing::Healing;
pub use operate::{Note, NoteError, Operated, Operation, WHO_MAX, WHY_MAX};
pub use update::{Control, Counts, GateAnswer, GateUpdate};
pub use view::{Ask, GateView, Replied, Sent};

/// The numbers that pace and breaker go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateSettings {
    /// The breaker's.
    pub breaker: BreakerSettings,
    /// The brake's.
    pub brake: BrakeSettings,
}

/// What the gate's item says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateState {
    /// The provider that this is the gate of.
    pub provider: String,
    /// The next free slot, in microseconds since the epoch.
    pub next_us: u64,
    /// The provider's limit, in calls a second.
    pub rate_per_second: u32,
    /// The largest rate at which slots may have been handed out that were still to come when the rate was last set, in
    /// calls a second; 0 when it never was.
    #[serde(default)]
    pub rate_before: u32,
    /// How much of each second is kept free for the network's jitter, in ms; a slot that is missed by more is lost.
    pub margin_ms: u32,
    /// Counts changes of what a reservation assumes: rate, pause, breaker, brake. One that assumed another version is
    /// refused.
    pub rate_version: u64,
    /// Set by an operator: nothing is sent.
    #[serde(default)]
    pub paused: bool,
    /// Who paused or resumed it last, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_note: Option<Note>,
    /// Who set the rate last, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_note: Option<Note>,
    /// The breaker.
    #[serde(default)]
    pub breaker: Breaker,
    /// The brake.
    #[serde(default)]
    pub brake: Brake,
    /// Calls that consumers have reported, ever.
    #[serde(default)]
    pub calls: u64,
    /// How many of them failed.
    #[serde(default)]
    pub failures: u64,
    /// Failures since the last success, as far as reported.
    #[serde(default)]
    pub in_a_row: u64,
    /// Calls that were sent since the brake last changed and its time to settle was over, as far as reported.
    #[serde(default)]
    pub paced: u64,
    /// How many of them were answered 429.
    #[serde(default)]
    pub limited: u64,
}

/// What the gate lets through at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Nothing: an operator has paused the provider.
    Paused,
    /// Nothing: the breaker is open.
    Open {
        /// When it may be tried, in microseconds since the epoch; `None` waits for an operator.
        probe_at_us: Option<u64>,
    },
    /// One call, by whoever takes it.
    Probe,
    /// This share of the rate, in thousandths.
    Pace(u32),
}

impl GateState {
    /// A new gate, free from the beginning of time.
    pub fn new(provider: &str, rate_per_second: u32, margin_ms: u32) -> Self {
        Self {
            provider: provider.to_owned(),
            next_us: 0,
            rate_per_second: rate_per_second.max(1),
            rate_before: 0,
            margin_ms: margin_ms.min(900),
            rate_version: 1,
            paused: false,
            pause_note: None,
            rate_note: None,
            breaker: Breaker::default(),
            brake: Brake::default(),
            calls: 0,
            failures: 0,
            in_a_row: 0,
            paced: 0,
            limited: 0,
        }
    }

    /// What it lets through now.
    pub fn sending(&self, settings: &GateSettings, now_us: u64) -> Sending {
        if self.paused {
            return Sending::Paused;
        }
        if self.breaker.probe_is_due(now_us) {
            return Sending::Probe;
        }
        match self.breaker.permille(&settings.breaker, now_us) {
            0 => Sending::Open { probe_at_us: self.breaker.looked_at_us() },
            permille => Sending::Pace(permille.min(self.brake.permille(&settings.brake, now_us))),
        }
    }

    /// Microseconds that `slots` slots take at the whole rate.
    pub fn span_us(&self, slots: u32) -> u64 {
        self.span_at_us(slots, WHOLE_PERMILLE)
    }

    /// Microseconds that `slots` slots take at a share of the rate, rounded up so that the rate is never exceeded.
    ///
    /// The pace is the rate less the margin's share of a second: any window of one second then holds at most
    /// rate × (1 − margin) × (1 + margin) + 1 < rate + 1 calls, though each may be late by the margin.
    pub fn span_at_us(&self, slots: u32, permille: u32) -> u64 {
        let used_ms = 1_000_u64.saturating_sub(u64::from(self.margin_ms)).max(1);
        let calls_per_million_seconds = u64::from(self.rate_per_second.max(1))
            .saturating_mul(used_ms)
            .saturating_mul(u64::from(permille.clamp(1, WHOLE_PERMILLE)));
        u64::from(slots).saturating_mul(1_000_000_000_000).div_ceil(calls_per_million_seconds)
    }

    /// Slots that begin at or after `from_us` and not later than `latest_us`.
    fn slots_until(&self, from_us: u64, latest_us: u64, permille: u32) -> u32 {
        if latest_us < from_us {
            return 0;
        }
        let room_us = latest_us.saturating_sub(from_us);
        let one_us = self.span_at_us(1, permille).max(1);
        u32::try_from(room_us / one_us).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The running sums.
    pub const fn counts(&self) -> Counts {
        let paced = Paced { calls: self.paced, limited: self.limited };
        Counts { calls: self.calls, failures: self.failures, in_a_row: self.in_a_row, paced }
    }

    /// Calls that the provider has answered, ever, as far as reported.
    pub const fn answered(&self) -> u64 {
        self.calls.saturating_sub(self.failures)
    }

    /// What a reservation assumes of it.
    pub fn control(&self) -> Control {
        Control {
            rate_per_second: self.rate_per_second,
            rate_before: self.rate_before,
            paused: self.paused,
            pause_note: self.pause_note.clone(),
            rate_note: self.rate_note.clone(),
            breaker: self.breaker,
            brake: self.brake,
        }
    }
}

/// Slots that are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// When the first begins, in microseconds since the epoch.
    pub first_us: u64,
    /// How many.
    pub count: u32,
    /// Microseconds that all of them take.
    pub span_us: u64,
    /// How late a slot may be used, in microseconds.
    pub margin_us: u64,
    /// The gate's version that they were reserved under.
    pub version: u64,
    /// The pace that they were reserved at, in thousandths of the rate.
    pub permille: u32,
    /// Whether this is the breaker's probe, one slot.
    pub is_probe: bool,
}

impl Slots {
    /// When the slot of this index begins; `None` beyond the last.
    pub fn start_us(&self, index: u32) -> Option<u64> {
        (index < self.count).then(|| {
            let offset = self.span_us.saturating_mul(u64::from(index)) / u64::from(self.count.max(1));
            self.first_us.saturating_add(offset)
        })
    }
}

/// What the gate gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// These slots, at least one and at most as many as were wanted.
    Slots(Slots),
    /// None in time; the first free one is then.
    Later {
        /// In microseconds since the epoch.
        free_us: u64,
    },
    /// An operator has paused the provider.
    Paused,
    /// The breaker is open.
    Open {
        /// When it may be tried, in microseconds since the epoch; `None` waits for an operator.
        probe_at_us: Option<u64>,
    },
}

/// Write units a second that one partition of DynamoDB takes ("DynamoDB burst and adaptive capacity").
pub const PARTITION_WRITES_PER_SECOND: u64 = 1_000;

/// Write units a second that the gate's item costs at most, when nothing fails: it is one item, so it has one
/// partition's.
///
/// A batch's slots are one update, refused once where the guess at the gate's form was wrong, and a refusal costs as
/// much. At 20,000 calls a second with 200 slots an update that is 100 updates and at most 200 units: a fifth of what
/// the partition takes. With batches of 10 it would be 4,000. A consumer that finds no slot in time asks again once in
/// `look_again_ms`; one that is stopped by a pause or an open breaker reads, which costs no write units. The item stays
/// under 1 KB, so that each update is one unit.
pub const fn writes_per_second(rate_per_second: u64, slots_per_update: u64, waiting: u64, look_again_ms: u64) -> u64 {
    let slots_per_update = if slots_per_update == 0 { 1 } else { slots_per_update };
    let look_again_ms = if look_again_ms == 0 { 1 } else { look_again_ms };
    let reserving = rate_per_second.div_ceil(slots_per_update).saturating_mul(2);
    let looking = waiting.saturating_mul(1_000).div_ceil(look_again_ms);
    reserving.saturating_add(looking)
}

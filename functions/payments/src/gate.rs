//! The gate: one place in the whole system where send slots are handed out, so that the rate holds for any number of
//! consumers.
//!
//! Virtual scheduling (the leaky bucket as a meter, ITU-T I.371 Annex A): the next free slot is at
//! max(now, next), and taking `n` slots moves it on by `n` ÷ rate. DynamoDB's update expressions have no maximum, so
//! there are two conditional forms of the same update: one for a gate that is behind us, one for one that is ahead.
//!
//! The item has two kinds of attributes. What every reservation moves (the next slot, the counts) needs no version:
//! the updates commute. What a reservation assumes (rate, pause, breaker, brake) changes rarely, each time with the
//! version, and every update requires the version that it assumed: a reservation at an old rate fails and is made anew.

mod operate;
mod view;

use serde::{Deserialize, Serialize};

use crate::brake::{Brake, BrakeSettings};
use crate::breaker::{Breaker, BreakerSettings, WHOLE_PERMILLE};

pub use operate::{Note, NoteError, OperateError, Operated, Operation, WHO_MAX, WHY_MAX, operate, reserved_ahead};
pub use view::{GateView, report, reserve};

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

    /// What a reservation assumes of it.
    pub fn control(&self) -> Control {
        Control {
            rate_per_second: self.rate_per_second,
            paused: self.paused,
            pause_note: self.pause_note.clone(),
            rate_note: self.rate_note.clone(),
            breaker: self.breaker,
            brake: self.brake,
        }
    }
}

/// What a reservation assumes of the gate: it changes as a whole, and the version with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The provider's limit, in calls a second.
    pub rate_per_second: u32,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Who paused or resumed it last, and why.
    pub pause_note: Option<Note>,
    /// Who set the rate last, and why.
    pub rate_note: Option<Note>,
    /// The breaker.
    pub breaker: Breaker,
    /// The brake.
    pub brake: Brake,
}

/// How a consumer's calls went since it last said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that said something about the provider.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Failures since the last that did not.
    pub in_a_row: u64,
}

impl Counts {
    /// Counts a call.
    pub const fn add(&mut self, failed: bool) {
        self.calls = self.calls.saturating_add(1);
        if failed {
            self.failures = self.failures.saturating_add(1);
            self.in_a_row = self.in_a_row.saturating_add(1);
        } else {
            self.in_a_row = 0;
        }
    }

    /// Whether one of them did not fail, which ends everybody's row.
    pub const fn breaks_the_row(&self) -> bool {
        self.calls > self.failures
    }

    /// These, and then those.
    #[must_use]
    pub const fn then(&self, later: &Self) -> Self {
        let in_a_row =
            if later.breaks_the_row() { later.in_a_row } else { self.in_a_row.saturating_add(later.in_a_row) };
        Self {
            calls: self.calls.saturating_add(later.calls),
            failures: self.failures.saturating_add(later.failures),
            in_a_row,
        }
    }
}

/// Which form of a reservation is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The gate's next slot is in the past: it begins now.
    Idle,
    /// The gate's next slot is in the future: it goes on from there.
    Busy,
}

/// Slots that an update takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// Which form.
    pub form: Form,
    /// When the first slot may begin, in microseconds: now, or the end of a hold.
    pub now_us: u64,
    /// How far the next slot moves.
    pub span_us: u64,
    /// The largest next slot before the update for which all of the slots are in time (busy form only).
    pub next_at_most_us: u64,
}

/// One conditional update of the gate's item: slots, counts and a change of what is assumed, each of them or none.
///
/// When the SDK tries again after a lost answer, the counts are added twice and slots are wasted; none is handed out
/// twice, and a change is refused the second time because its version stands there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateUpdate {
    /// The gate.
    pub provider: String,
    /// The version that is assumed.
    pub rate_version: u64,
    /// The rate that is assumed: somebody who edits the item by hand may forget the version.
    pub rate_per_second: u32,
    /// Slots to take; a paused gate gives none.
    pub take: Option<Take>,
    /// Calls to count.
    pub counts: Counts,
    /// What is assumed from now on.
    pub control: Option<Box<Control>>,
}

impl GateUpdate {
    /// An update that assumes what this state says, and does nothing yet.
    pub fn of(gate: &GateState) -> Self {
        Self {
            provider: gate.provider.clone(),
            rate_version: gate.rate_version,
            rate_per_second: gate.rate_per_second,
            take: None,
            counts: Counts::default(),
            control: None,
        }
    }

    /// What the update makes of the gate, or `None` when its condition fails. The AWS adapter writes the same as an
    /// update expression; the contract suite holds the two together.
    pub fn apply(&self, gate: &GateState) -> Option<GateState> {
        if gate.rate_version != self.rate_version || gate.rate_per_second != self.rate_per_second {
            return None;
        }
        let mut after = gate.clone();
        if let Some(take) = &self.take {
            if gate.paused {
                return None;
            }
            let next_us = match take.form {
                Form::Idle if gate.next_us <= take.now_us => take.now_us,
                Form::Busy if gate.next_us > take.now_us && gate.next_us <= take.next_at_most_us => gate.next_us,
                Form::Idle | Form::Busy => return None,
            };
            after.next_us = next_us.saturating_add(take.span_us);
        }
        let had = Counts { calls: gate.calls, failures: gate.failures, in_a_row: gate.in_a_row };
        let counts = had.then(&self.counts);
        (after.calls, after.failures, after.in_a_row) = (counts.calls, counts.failures, counts.in_a_row);
        if let Some(control) = &self.control {
            if self.begins_a_row() {
                after.in_a_row = 0;
            }
            let Control { rate_per_second, paused, pause_note, rate_note, breaker, brake } = *control.clone();
            after = GateState { rate_per_second, paused, pause_note, rate_note, breaker, brake, ..after };
            after.rate_version = self.version_after();
        }
        Some(after)
    }

    /// The version once the update is done.
    pub const fn version_after(&self) -> u64 {
        if self.control.is_some() { self.rate_version.saturating_add(1) } else { self.rate_version }
    }

    /// Whether the breaker changes, which ends a row of failures whatever it came to.
    pub fn begins_a_row(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.breaker.version == self.version_after())
    }
}

/// What became of an update of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateAnswer {
    /// Done; this is the item now.
    Done(Box<GateState>),
    /// The condition failed; this is the item, if there is one.
    Refused(Option<Box<GateState>>),
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

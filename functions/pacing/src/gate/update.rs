//! The one way in which the gate's item changes.

use super::{GateState, Note};
use crate::brake::{Brake, Paced};
use crate::breaker::Breaker;
use crate::schedule::Advance;

/// What a reservation assumes of the gate: it changes as a whole, and the version with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The provider's limit, in calls a second.
    pub rate_per_second: u32,
    /// The largest rate of slots that were still to come when it was set.
    pub rate_before: u32,
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
    /// Calls that were sent at the pace that is known, and their 429s.
    pub paced: Paced,
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
            paced: self.paced.plus(&later.paced),
        }
    }
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
    pub take: Option<Advance>,
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
            after.next_us = take.apply(gate.next_us)?;
        }
        let counts = gate.counts().then(&self.counts);
        (after.calls, after.failures, after.in_a_row) = (counts.calls, counts.failures, counts.in_a_row);
        (after.paced, after.limited) = (counts.paced.calls, counts.paced.limited);
        if let Some(control) = &self.control {
            if self.begins_a_row() {
                after.in_a_row = 0;
            }
            if self.begins_a_pace() {
                (after.paced, after.limited) = (0, 0);
            }
            let Control { rate_per_second, rate_before, paused, pause_note, rate_note, breaker, brake } =
                *control.clone();
            after = GateState { rate_per_second, rate_before, paused, pause_note, rate_note, breaker, brake, ..after };
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

    /// Whether the brake changes: what was sent at the pace before says nothing about the one that begins.
    pub fn begins_a_pace(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.brake.version == self.version_after())
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

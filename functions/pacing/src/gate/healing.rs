//! Which messages a sweep may take for lost, by what the gate lets through: while nothing is sent, what was quiet for long
//! merely waits, and each message put back for it would be one more for every hour of an outage.

use crate::breaker::Mode;
use payments::payment::Payment;
use payments::time::Timestamp;
use payments::transition::{LOST_IN_BUSY_LANE_MS, has_lost_its_message};

use super::GateState;

/// What a sweep may put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Healing {
    /// What is lost.
    Lost {
        /// Since when the gate lets through: what waited until then has its turn first, in a lane that holds messages.
        since: Timestamp,
    },
    /// What is lost from a lane without a message: nothing waits there.
    IntoAnEmptyLane,
    /// Nothing.
    Nothing,
}

impl Healing {
    /// As if nothing had ever been stopped: for a gate that is not there or cannot be read, because a message that is lost
    /// stays lost otherwise.
    pub const USUAL: Self = Self::Lost { since: Timestamp::from_ms(0) };

    /// Its name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost { .. } => "lost",
            Self::IntoAnEmptyLane => "into_an_empty_lane",
            Self::Nothing => "nothing",
        }
    }

    /// Whether the message of an open payment is put back.
    pub fn finds_lost(self, payment: &Payment, lane_is_empty: bool, now: Timestamp) -> bool {
        let has_its_turn = match self {
            Self::Lost { since } => lane_is_empty || now.since_ms(since) >= LOST_IN_BUSY_LANE_MS,
            Self::IntoAnEmptyLane => lane_is_empty,
            Self::Nothing => false,
        };
        has_its_turn && has_lost_its_message(payment, lane_is_empty, now)
    }
}

impl GateState {
    /// What a sweep may put back while the gate stands so.
    pub fn healing(&self) -> Healing {
        if self.paused {
            return Healing::Nothing;
        }
        match self.breaker.mode {
            Mode::Open { probe_at_us: None } => Healing::Nothing,
            Mode::Open { probe_at_us: Some(_) } | Mode::Probing { .. } => Healing::IntoAnEmptyLane,
            Mode::Closed | Mode::Ramp => {
                let resumed = self.pause_note.as_ref().map_or(0, |note| note.at.us());
                Healing::Lost { since: Timestamp::from_us(resumed.max(self.breaker.since_us)) }
            }
        }
    }
}

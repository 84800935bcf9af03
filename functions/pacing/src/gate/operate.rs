//! What an operator does to a gate: pause it, let it go on, set its rate. Each is one update that requires the version
//! that was seen, so that it neither undoes nor is undone by what somebody else changed meanwhile.

use serde::{Deserialize, Serialize};

use super::{GateState, GateUpdate};
use payments::time::Timestamp;

/// Longest name that is kept, in characters.
pub const WHO_MAX: usize = 48;
/// Longest reason that is kept, in characters: with both notes at their longest the item is under 1 KB still.
pub const WHY_MAX: usize = 110;

/// Who did it, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
}

/// Why a note is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Nobody said who.
    #[error("who does it is empty, or longer than {WHO_MAX} characters of ASCII")]
    Who,
    /// Nobody said why.
    #[error("why it is done is empty, or longer than {WHY_MAX} characters of ASCII")]
    Why,
}

impl Note {
    /// A note. The texts are ASCII, so that a character is a byte of the item.
    pub fn new(at: Timestamp, who: &str, why: &str) -> Result<Self, NoteError> {
        let fits = |text: &str, max| {
            !text.trim().is_empty() && text.len() <= max && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        };
        if !fits(who, WHO_MAX) {
            return Err(NoteError::Who);
        }
        if !fits(why, WHY_MAX) {
            return Err(NoteError::Why);
        }
        Ok(Self { at, who: who.trim().to_owned(), why: why.trim().to_owned() })
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Nothing is sent from now on.
    Pause,
    /// The pause ends; a breaker that is open makes a probe at once.
    Resume,
    /// The rate, in calls a second.
    Rate(u32),
}

impl Operation {
    /// The update that does it.
    pub fn update(self, gate: &GateState, note: &Note) -> GateUpdate {
        let mut update = GateUpdate::of(gate);
        let mut control = gate.control();
        match self {
            Self::Pause => {
                control.paused = true;
                control.pause_note = Some(note.clone());
            }
            Self::Resume => {
                control.paused = false;
                control.pause_note = Some(note.clone());
                let version = gate.rate_version.saturating_add(1);
                control.breaker = gate.breaker.tried_by_operator(note.at.us(), version);
            }
            Self::Rate(rate_per_second) => {
                let earlier = if gate.next_us > note.at.us() { gate.rate_before } else { 0 };
                control.rate_before = gate.rate_per_second.max(earlier);
                control.rate_per_second = rate_per_second.max(1);
                control.rate_note = Some(note.clone());
            }
        }
        update.control = Some(Box::new(control));
        update
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operated {
    /// The gate that was changed.
    pub before: GateState,
    /// The gate now.
    pub after: GateState,
}

impl Operated {
    /// Calls whose slots were handed out before the change and are still to come: until when, and how many at most.
    /// The last of them may have been reserved between our reading and our update, so that it is the gate after the
    /// change that says where they end.
    pub fn reserved_before(&self, now: Timestamp) -> Option<(Timestamp, u64)> {
        let rate_per_second = self.before.rate_per_second.max(self.after.rate_before);
        let pace = GateState { rate_per_second, ..self.before.clone() };
        let ahead_us = self.after.next_us.saturating_sub(now.us());
        let count = ahead_us.div_ceil(pace.span_us(1).max(1));
        (count > 0).then_some((Timestamp::from_us(self.after.next_us), count))
    }
}

//! The one step of every schedule here: a time moves on by what is taken.
//!
//! This is the generic cell rate algorithm (GCRA, virtual scheduling; ITU-T I.371 Annex A): from max(now, the time that stands),
//! on by the span of what is taken, and refused where that would lie further ahead than is allowed. The gate's next slot and
//! a bucket's next fullness are such times. DynamoDB's update expressions have no maximum, so there are two conditional forms
//! of the same step: one for a time that is behind us, one for one that is ahead.

/// Which form of a step is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The time that stands is not after now: it begins now.
    Idle,
    /// It is after now: it goes on from there.
    Busy,
}

/// A step, by the clock of whoever takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Which form.
    pub form: Form,
    /// The earliest that it may begin, in microseconds since the epoch.
    pub now_us: u64,
    /// How far it moves, in microseconds.
    pub span_us: u64,
    /// The latest time that may stand before it (busy form only).
    pub at_most_us: u64,
}

impl Advance {
    /// The form that fits a time that was last seen so.
    pub const fn form_for(seen_us: u64, now_us: u64) -> Form {
        if seen_us > now_us { Form::Busy } else { Form::Idle }
    }

    /// What the step makes of the time that stands, or `None` when its condition fails. The AWS adapter writes the same as an
    /// update expression; the contract suites of the gate and of admission hold the two together.
    pub const fn apply(&self, stands_us: u64) -> Option<u64> {
        let from_us = match self.form {
            Form::Idle if stands_us <= self.now_us => self.now_us,
            Form::Busy if stands_us > self.now_us && stands_us <= self.at_most_us => stands_us,
            Form::Idle | Form::Busy => return None,
        };
        Some(from_us.saturating_add(self.span_us))
    }
}

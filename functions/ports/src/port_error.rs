//! How a port that writes no payment fails.

use std::fmt;

/// What kind of failure it is, which decides whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Too much at once: it passes.
    Throttled,
    /// It will not be done, however often it is asked: a permission, a name or a number is wrong.
    Denied,
    /// No answer, or none that can be read: nobody knows whether it was done.
    Lost,
}

impl Failure {
    /// Its name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Lost => "lost",
        }
    }
}

/// Why a queue, a gate or a bucket gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", .failure.as_str())]
pub struct PortError {
    /// What kind of failure it is.
    pub failure: Failure,
    /// The operation and what came of it, for the log.
    what: String,
}

impl PortError {
    /// A failure, told.
    pub fn new(failure: Failure, what: impl fmt::Display) -> Self {
        Self { failure, what: what.to_string() }
    }

    /// Too much at once.
    pub fn throttled(what: impl fmt::Display) -> Self {
        Self::new(Failure::Throttled, what)
    }

    /// It will not be done.
    pub fn denied(what: impl fmt::Display) -> Self {
        Self::new(Failure::Denied, what)
    }

    /// Nobody knows.
    pub fn lost(what: impl fmt::Display) -> Self {
        Self::new(Failure::Lost, what)
    }
}

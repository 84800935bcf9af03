//! Why a command did not end well, and what its process says of that.

use std::fmt;

/// What a shell makes of a process that ended so: 0 is done, and clap ends with 2 what it does not understand.
const FAILED: u8 = 1;
const FOUND: u8 = 3;

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be done, or nobody knows whether it was.
    Failed(String),
    /// It was looked at, and is not as it was asked for: a payment that is not there or does not stand where this can be done
    /// to it, a history that was changed, a promise that did not hold.
    Found(String),
}

impl Failure {
    /// What the process ends with.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => FAILED,
            Self::Found(_) => FOUND,
        }
    }
}

impl fmt::Display for Failure {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::Found(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

//! Generated mutants that no test has to find, each with the reason. One that is not there any more is an error, so that
//! the list says only what is true.

use std::path::Path;

use crate::switched::{Generated, line_of};

/// A mutant that may survive.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The file, from the repository's root.
    pub file: &'static str,
    /// What is done, as cargo-mutants says it.
    pub what: &'static str,
    /// The line that it is done to, without the space around it: lines move.
    pub line: &'static str,
    /// Why that harms nobody.
    pub reason: &'static str,
}

/// All of them.
pub const ACCEPTED: &[Accepted] = &[];

impl Accepted {
    fn is(&self, root: &Path, mutant: &Generated) -> Result<bool, String> {
        Ok(self.file == mutant.file && self.what == mutant.what() && line_of(root, mutant)? == self.line)
    }
}

/// Why this one may survive, if it may.
pub fn reason(root: &Path, mutant: &Generated) -> Result<Option<&'static str>, String> {
    for accepted in ACCEPTED {
        if accepted.is(root, mutant)? {
            return Ok(Some(accepted.reason));
        }
    }
    Ok(None)
}

/// Those that are none of these mutants.
pub fn stale(root: &Path, mutants: &[Generated]) -> Result<Vec<String>, String> {
    let mut stale = Vec::new();
    for accepted in ACCEPTED {
        let mut is_there = false;
        for mutant in mutants {
            is_there |= accepted.is(root, mutant)?;
        }
        if !is_there {
            stale.push(format!("{}: {}", accepted.file, accepted.what));
        }
    }
    Ok(stale)
}

//! Planted bugs: each is a mistake that a person could make in the deployed code and that would cost somebody money, and
//! each has to be found by the simulator, the model checker or a test.
//!
//! They are planted by hand: what is to be shown is that the checks see a *wrong rule*, as somebody would write it who has
//! not understood it. Such a rule is often several lines, now and then in two places. What cargo-mutants makes, one
//! operator or function at a time, is judged beside it, by the tests.
//!
//! The simulator and the model have ports of their own, in memory. What only `functions/aws` or `functions/providers` could
//! get wrong, such as a condition missing in an expression, is out of their sight and for the tests to find.
//!
//! Nothing of this is deployed, and what is deployed holds no switch: one copy of the tree does (`switched`).

pub mod accepted;
pub mod judge;
mod planted;
pub mod switched;

use std::path::Path;

/// One planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What goes wrong with it.
    pub harm: &'static str,
    /// Where it is planted.
    pub edits: &'static [Edit],
}

/// One place of a mutant.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The file, from the repository's root.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub text: &'static str,
    /// What stands there instead.
    pub instead: &'static str,
}

impl Edit {
    /// The file's text with this edit made. An error says what to do about a text that is not there once.
    pub fn apply(&self, source: &str) -> Result<String, String> {
        match source.matches(self.text).count() {
            1 => Ok(source.replacen(self.text, self.instead, 1)),
            found => Err(format!(
                "{} holds this text {found} times and should hold it once; make the mutant's text fit the code again:\n{}",
                self.file, self.text
            )),
        }
    }
}

impl Mutant {
    /// Whether the model checker can see it: of what is deployed it is built on the core alone.
    pub fn is_in_the_core(&self) -> bool {
        self.edits.iter().any(|edit| edit.file.starts_with("functions/payments/"))
    }

    /// Whether the simulator can see it: it has ports of its own, and no provider over a network.
    pub fn is_simulated(&self) -> bool {
        let is_unseen = |file: &str| {
            file.starts_with("functions/aws/") || file.starts_with("functions/providers/") || file.ends_with("/main.rs")
        };
        self.edits.iter().any(|edit| !is_unseen(edit.file))
    }

    /// The files that this mutant changes below `root`, as they are with it.
    pub fn files(&self, root: &Path) -> Result<Vec<(&'static str, String)>, String> {
        let mut files: Vec<(&'static str, String)> = Vec::new();
        for edit in self.edits {
            let found = files.iter().position(|(file, _)| *file == edit.file);
            let source = match found {
                Some(index) => files.remove(index).1,
                None => std::fs::read_to_string(root.join(edit.file))
                    .map_err(|error| format!("cannot read {}: {error}", edit.file))?,
            };
            files.push((edit.file, edit.apply(&source).map_err(|why| format!("mutant {}: {why}", self.name))?));
        }
        Ok(files)
    }
}

/// Every mutant, in the order of the files, so that one after the other costs little building.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    planted::ALL.into_iter().flatten()
}

//! What is kept between two runs, so that one that was stopped goes on where it was: never longer than it is true.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::bench::Bench;

/// A file that says what it was worked out from.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Written<T> {
    of: u64,
    what: T,
}

impl Kept {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// What was kept, if it was worked out from this.
    pub(super) fn load<T: DeserializeOwned>(&self, of: u64) -> Option<T> {
        self.load_any().filter(|(known, _)| *known == of).map(|(_, what)| what)
    }

    /// What was kept, and what it was worked out from. What cannot be read is as good as absent.
    pub(super) fn load_any<T: DeserializeOwned>(&self) -> Option<(u64, T)> {
        let written: Written<T> = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        Some((written.of, written.what))
    }

    /// Keeps this instead: whole or not at all, because the run may be stopped at any time.
    pub(super) fn save<T: Serialize>(&self, of: u64, what: T) -> Result<(), String> {
        let cannot = |error: &dyn std::fmt::Display| format!("cannot keep {}: {error}", self.path.display());
        let text = serde_json::to_vec(&Written { of, what }).map_err(|error| cannot(&error))?;
        let beside = self.path.with_extension("new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &self.path)).map_err(|error| cannot(&error))
    }
}

/// A figure for what the deployed code is, and which mutants are to stand in it.
pub(super) fn of_deployed(files: &BTreeMap<String, Vec<u8>>, names: &[(String, u32)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (figure(files, |file| file.starts_with("functions/")), names).hash(&mut hasher);
    hasher.finish()
}

/// A figure for all that a test may depend on: neither what is written about it, nor what only judges.
pub(super) fn of_judged(files: &BTreeMap<String, Vec<u8>>) -> u64 {
    figure(files, |file| {
        let is_text = Path::new(file).extension().is_some_and(|extension| extension == "md" || extension == "txt");
        let judges = ["infra/mutants/", "infra/dev/src/mutants", "tests/layout/"];
        !is_text && !judges.iter().any(|folder| file.starts_with(folder))
    })
}

/// A figure for the copy as it stands, mutants and all.
pub(super) fn of_copy(bench: &Bench) -> Result<u64, String> {
    Ok(figure(&bench.laid_out()?, |_| true))
}

fn figure(files: &BTreeMap<String, Vec<u8>>, counts: impl Fn(&str) -> bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (file, text) in files.iter().filter(|(file, _)| counts(file)) {
        (file, text).hash(&mut hasher);
    }
    hasher.finish()
}

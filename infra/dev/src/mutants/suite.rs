//! The tests as judges: which of them reach which mutant, found by running each once with nothing on, and whether one of
//! those fails with the mutant on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mutants::switched::{MUTANT_VARIABLE, REACHED_VARIABLE, UNKNOWN_MUTANT_CODE};
use serde::{Deserialize, Serialize};

use super::bench::Bench;
use super::kept::{self, Kept};
use super::process::{self, Ended};

/// A test may take so long with nothing on.
const TEST_WITHIN: Duration = Duration::from_mins(5);
/// Added to ten times what the tests take with nothing on: who takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(20);
/// What the tests of one start of the binary take together, at most, with nothing on.
const STARTED_TOGETHER_MS: u64 = 2_000;
const STARTED_TOGETHER_MAX: usize = 40;
/// It judges the sources' text, and the copy's is another.
const JUDGES_THE_TEXT: &str = "layout::";

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Test {
    name: String,
    took_ms: u64,
    reached: BTreeSet<u32>,
}

/// All tests that hold with nothing on.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    binary: PathBuf,
    /// What a test needs that builds something itself.
    environment: [(&'static str, PathBuf); 2],
    tests: Vec<Test>,
    /// Tests that do not hold in the copy, so that they can judge nothing.
    pub(super) unusable: Vec<String>,
}

/// What the tests say of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tested {
    /// This one fails.
    Fails(String),
    /// These were at work when it hung.
    Hangs(String),
    /// All that reach it hold: so many.
    Holds(usize),
    /// There was no time for all that reach it: so many held.
    HeldSoFar(usize),
}

impl Tested {
    /// Whether a test noticed it.
    pub(super) fn is_found(&self) -> bool {
        match self {
            Self::Fails(_) | Self::Hangs(_) => true,
            Self::Holds(_) | Self::HeldSoFar(_) => false,
        }
    }
}

impl Suite {
    /// Runs each test once with nothing on, as many at a time as there are `workers`; or knows from an earlier run of the
    /// same tree what that would tell.
    pub(super) fn record(binary: &Path, bench: &Bench, workers: usize) -> Result<Self, String> {
        let (file, of) = (Kept::at(bench.beside("suite.json")), kept::of_copy(bench)?);
        let (binary, environment) = (binary.to_owned(), bench.environment());
        if let Some(tests) = file.load(of) {
            return Ok(Self { binary, environment, tests, unusable: Vec::new() });
        }
        let (tests, unusable) = Self::run_each(&binary, bench, workers)?;
        if unusable.is_empty() {
            file.save(of, &tests)?;
        }
        Ok(Self { binary, environment, tests, unusable })
    }

    /// Those that hold, and the names of the others.
    fn run_each(binary: &Path, bench: &Bench, workers: usize) -> Result<(Vec<Test>, Vec<String>), String> {
        let folder = &bench.beside("reached");
        let within = Duration::from_mins(1);
        let listing = process::run(Command::new(binary).args(["--list", "--format", "terse"]), within, |_| false)?;
        let Ended::ByItself { code: Some(0), output, .. } = listing else {
            return Err("the tests cannot be listed".to_owned());
        };
        let names = output.lines().filter_map(|line| line.strip_suffix(": test"));
        let names: Vec<String> = names.filter(|name| !name.starts_with(JUDGES_THE_TEXT)).map(str::to_owned).collect();
        fs::create_dir_all(folder).map_err(|error| format!("cannot use {}: {error}", folder.display()))?;
        let done = side_by_side(&names, workers, |index, name| {
            let file = folder.join(index.to_string());
            let _ = fs::remove_file(&file);
            let begun = Instant::now();
            let mut command = Command::new(binary);
            command.args(["--exact", name]).envs(bench.environment()).env(REACHED_VARIABLE, &file).current_dir(folder);
            let ended = process::run(&mut command, TEST_WITHIN, |_| false)?;
            let held = matches!(ended, Ended::ByItself { code: Some(0), .. });
            let reached = fs::read_to_string(&file).unwrap_or_default();
            let reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
            let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok((held, Test { name: name.clone(), took_ms, reached }))
        })?;
        let (held, failed): (Vec<_>, Vec<_>) = done.into_iter().partition(|(held, _)| *held);
        let mut tests: Vec<Test> = held.into_iter().map(|(_, test)| test).collect();
        tests.sort_by_key(|test| test.took_ms);
        Ok((tests, failed.into_iter().map(|(_, test)| test.name).collect()))
    }

    /// How many tests there are.
    pub(super) fn len(&self) -> usize {
        self.tests.len()
    }

    /// Runs the tests that reach this mutant, the quickest first, until one fails; no more than what takes so long with
    /// nothing on.
    pub(super) fn judge(&self, name: &str, number: u32, most: Duration) -> Result<Tested, String> {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let reaching: Vec<&Test> = self.tests.iter().filter(|test| test.reached.contains(&number)).collect();
        let (mut held, mut spent_ms, mut rest) = (0, 0, reaching.as_slice());
        while !rest.is_empty() {
            if spent_ms > most_ms {
                return Ok(Tested::HeldSoFar(held));
            }
            let mut together_ms = 0;
            let fits = |test: &&&Test| {
                together_ms += test.took_ms;
                together_ms <= STARTED_TOGETHER_MS
            };
            let count = rest.iter().take(STARTED_TOGETHER_MAX).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            let took_ms: u64 = now.iter().map(|test| test.took_ms).sum();
            let within = Duration::from_millis(10 * took_ms) + HANGS_AFTER;
            let mut command = Command::new(&self.binary);
            command.args(["--exact", "--test-threads", "1"]).args(now.iter().map(|test| &test.name));
            command.envs(self.environment.clone()).env(MUTANT_VARIABLE, name);
            let names = || now.iter().map(|test| test.name.as_str()).collect::<Vec<_>>().join(", ");
            match process::run(&mut command, within, |line| line.ends_with("... FAILED"))? {
                Ended::AtLine(line) => {
                    let failed = line.trim_start_matches("test ").trim_end_matches(" ... FAILED").to_owned();
                    return Ok(Tested::Fails(failed));
                }
                Ended::OutOfTime => return Ok(Tested::Hangs(names())),
                Ended::ByItself { code: Some(0), .. } => {}
                Ended::ByItself { code: Some(UNKNOWN_MUTANT_CODE), .. } => {
                    return Err(format!("the tests that were built do not know the mutant {name}"));
                }
                Ended::ByItself { .. } => return Ok(Tested::Fails(names())),
            }
            held += count;
            spent_ms += took_ms;
            rest = later;
        }
        Ok(Tested::Holds(held))
    }
}

impl Suite {
    /// Whether any test fails of a binary in which the mutant is all there is.
    pub(super) fn fails_whole(binary: &Path, bench: &Bench, within: Duration) -> Result<Tested, String> {
        let mut command = Command::new(binary);
        command.args(["--test-threads", "2", "--skip", JUDGES_THE_TEXT]).envs(bench.environment());
        Ok(match process::run(&mut command, within, |line| line.ends_with("... FAILED"))? {
            Ended::AtLine(line) => {
                Tested::Fails(line.trim_start_matches("test ").trim_end_matches(" ... FAILED").to_owned())
            }
            Ended::ByItself { code: Some(0), .. } => Tested::Holds(0),
            Ended::ByItself { .. } => Tested::Fails("all tests together".to_owned()),
            Ended::OutOfTime => Tested::Hangs("all tests together".to_owned()),
        })
    }
}

/// Does this with each item, so many at a time; the first error ends it.
pub(super) fn side_by_side<I: Sync, O: Send>(
    items: &[I],
    workers: usize,
    work: impl Fn(usize, &I) -> Result<O, String> + Sync,
) -> Result<Vec<O>, String> {
    let (next, done) = (Mutex::new(0..items.len()), Mutex::new(Vec::new()));
    let one = || -> Result<(), String> {
        loop {
            let index = next.lock().map_err(|_| "a worker stopped".to_owned())?.next();
            let Some((index, item)) = index.and_then(|index| Some((index, items.get(index)?))) else {
                return Ok(());
            };
            let result = work(index, item)?;
            done.lock().map_err(|_| "a worker stopped".to_owned())?.push((index, result));
        }
    };
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..workers).map(|_| scope.spawn(one)).collect();
        working.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker stopped".to_owned())))
    })?;
    let mut done = done.into_inner().map_err(|_| "a worker stopped".to_owned())?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

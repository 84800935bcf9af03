//! The tests as judges: which of them reach which mutant, found by running each once with nothing on, and whether one of
//! those fails with the mutant on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mutants::switched::{MUTANT_VARIABLE, REACHED_VARIABLE, UNKNOWN_MUTANT_CODE};
use serde::{Deserialize, Serialize};

use super::bench::{Bench, Environment};
use super::kept::{self, Kept};
use super::process::{self, Ended};

/// A test may take so long with nothing on.
const TEST_WITHIN: Duration = Duration::from_mins(5);
/// Added to ten times what the tests take with nothing on: who takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(20);
/// What the tests of the first start of the binary take together, at most, with nothing on; and of any start. It doubles: who
/// is found at all is mostly found by the first few.
const STARTED_FIRST_MS: u64 = 250;
const STARTED_TOGETHER_MS: u64 = 2_000;
const STARTED_TOGETHER_MAX: usize = 40;
/// How often a test that has failed is run again, to fail once more.
const TRIES_AGAIN: u32 = 3;
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
#[derive(Debug)]
pub(super) struct Suite {
    binary: PathBuf,
    /// Where they run: as many files as they leave behind are no part of the tree.
    folder: PathBuf,
    /// What a test needs that builds something itself.
    environment: Environment,
    tests: Vec<Test>,
    /// How many mutants each has found: what has found one is tried sooner on the next.
    finds: Mutex<BTreeMap<String, u64>>,
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
        let folder = bench.beside("reached");
        fs::create_dir_all(&folder).map_err(|error| format!("cannot use {}: {error}", folder.display()))?;
        let mut suite = Self {
            binary: binary.to_owned(),
            folder,
            environment: bench.environment(),
            tests: Vec::new(),
            finds: Mutex::default(),
            unusable: Vec::new(),
        };
        if let Some(tests) = file.load(of) {
            suite.tests = tests;
            return Ok(suite);
        }
        (suite.tests, suite.unusable) = suite.run_each(workers)?;
        if suite.unusable.is_empty() {
            file.save(of, &suite.tests)?;
        }
        Ok(suite)
    }

    /// The tests' binary, to be run with this mutant or with none.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.envs(self.environment.clone()).current_dir(&self.folder);
        command
    }

    /// Those that hold, and the names of the others. Who fails is run once more: a machine that is busy may fail a test, and
    /// a test that fails now and then is told by its name.
    fn run_each(&self, workers: usize) -> Result<(Vec<Test>, Vec<String>), String> {
        let within = Duration::from_mins(1);
        let listing = process::run(self.command().args(["--list", "--format", "terse"]), within, |_| false)?;
        let Ended::ByItself { code: Some(0), output, .. } = listing else {
            return Err("the tests cannot be listed".to_owned());
        };
        let names = output.lines().filter_map(|line| line.strip_suffix(": test"));
        let names: Vec<String> = names.filter(|name| !name.starts_with(JUDGES_THE_TEXT)).map(str::to_owned).collect();
        let done = side_by_side(&names, workers, |index, name| {
            let (held, test) = self.run_one(index, name)?;
            if held {
                return Ok((held, test));
            }
            eprintln!("with nothing on {name} fails; it is run once more");
            self.run_one(index, name)
        })?;
        let (held, failed): (Vec<_>, Vec<_>) = done.into_iter().partition(|(held, _)| *held);
        let mut tests: Vec<Test> = held.into_iter().map(|(_, test)| test).collect();
        tests.sort_by_key(|test| test.took_ms);
        Ok((tests, failed.into_iter().map(|(_, test)| test.name).collect()))
    }

    /// Whether it holds with nothing on, and what it reached.
    fn run_one(&self, index: usize, name: &str) -> Result<(bool, Test), String> {
        let file = self.folder.join(index.to_string());
        let _ = fs::remove_file(&file);
        let begun = Instant::now();
        let mut command = self.command();
        command.args(["--exact", name]).env(REACHED_VARIABLE, &file);
        let ended = process::run(&mut command, TEST_WITHIN, |_| false)?;
        let held = matches!(ended, Ended::ByItself { code: Some(0), .. });
        let reached = fs::read_to_string(&file).unwrap_or_default();
        let reached = reached.lines().filter_map(|line| line.parse().ok()).collect();
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok((held, Test { name: name.to_owned(), took_ms, reached }))
    }

    /// How many tests there are.
    pub(super) fn len(&self) -> usize {
        self.tests.len()
    }

    /// The tests that reach this mutant, in the order in which they are likely to find it soonest: by what they take, and by
    /// what they have found.
    fn reaching(&self, number: u32) -> Result<Vec<&Test>, String> {
        let finds = self.finds.lock().map_err(|_| "a worker stopped".to_owned())?;
        let mut reaching: Vec<&Test> = self.tests.iter().filter(|test| test.reached.contains(&number)).collect();
        reaching.sort_by_key(|test| {
            let found = finds.get(&test.name).copied().unwrap_or(0);
            (test.took_ms.saturating_mul(1_000) / found.saturating_add(1), &test.name)
        });
        Ok(reaching)
    }

    /// Runs the tests that reach this mutant until one fails; no more than what takes so long with nothing on.
    pub(super) fn judge(&self, name: &str, number: u32, most: Duration) -> Result<Tested, String> {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let reaching = self.reaching(number)?;
        let (mut held, mut spent_ms, mut rest) = (0, 0, reaching.as_slice());
        let mut together_max_ms = STARTED_FIRST_MS;
        while !rest.is_empty() {
            if spent_ms > most_ms {
                return Ok(Tested::HeldSoFar(held));
            }
            let mut together_ms = 0;
            let fits = |test: &&&Test| {
                together_ms += test.took_ms;
                together_ms <= together_max_ms
            };
            let count = rest.iter().take(STARTED_TOGETHER_MAX).take_while(fits).count().max(1);
            let (now, later) = rest.split_at(count);
            match self.started(name, now)? {
                Some(Tested::Fails(failed)) => {
                    let mut finds = self.finds.lock().map_err(|_| "a worker stopped".to_owned())?;
                    *finds.entry(failed.clone()).or_default() += 1;
                    return Ok(Tested::Fails(failed));
                }
                Some(tested) => return Ok(tested),
                None => {}
            }
            held += count;
            spent_ms += now.iter().map(|test| test.took_ms).sum::<u64>();
            together_max_ms = together_max_ms.saturating_mul(2).min(STARTED_TOGETHER_MS);
            rest = later;
        }
        Ok(Tested::Holds(held))
    }

    /// What one start of the binary says of a mutant with these tests; `None` if they hold. A test that fails has to fail
    /// twice: one that a busy machine fails has found nothing. One that draws its cases may need some tries.
    fn started(&self, mutant: &str, tests: &[&Test]) -> Result<Option<Tested>, String> {
        let first = self.run_with(mutant, tests)?;
        let Some(Tested::Fails(failed)) = first else {
            return Ok(first);
        };
        let again: Vec<&Test> = tests.iter().copied().filter(|test| test.name == failed).collect();
        if again.is_empty() {
            // The process ended without naming one.
            return Ok(Some(Tested::Fails(failed)));
        }
        for _ in 0..TRIES_AGAIN {
            if let Some(tested) = self.run_with(mutant, &again)? {
                return Ok(Some(tested));
            }
        }
        eprintln!("{failed} failed once and held {TRIES_AGAIN} times with {mutant}");
        let others: Vec<&Test> = tests.iter().copied().filter(|test| test.name != failed).collect();
        if others.is_empty() { Ok(None) } else { self.started(mutant, &others) }
    }

    fn run_with(&self, mutant: &str, tests: &[&Test]) -> Result<Option<Tested>, String> {
        let took_ms: u64 = tests.iter().map(|test| test.took_ms).sum();
        let within = Duration::from_millis(10 * took_ms) + HANGS_AFTER;
        let mut command = self.command();
        command.args(["--exact", "--test-threads", "1"]).args(tests.iter().map(|test| &test.name));
        command.env(MUTANT_VARIABLE, mutant);
        let names = || tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>().join(", ");
        Ok(match process::run(&mut command, within, |line| line.ends_with("... FAILED"))? {
            Ended::AtLine(line) => Some(Tested::Fails(failed(&line))),
            Ended::OutOfTime => Some(Tested::Hangs(names())),
            Ended::ByItself { code: Some(0), .. } => None,
            Ended::ByItself { code: Some(UNKNOWN_MUTANT_CODE), .. } => {
                return Err(format!("the tests that were built do not know the mutant {mutant}"));
            }
            Ended::ByItself { .. } => Some(Tested::Fails(names())),
        })
    }
}

/// The test that a line of the binary says has failed.
fn failed(line: &str) -> String {
    line.trim_start_matches("test ").trim_end_matches(" ... FAILED").to_owned()
}

impl Suite {
    /// Whether any test fails of a binary in which the mutant is all there is.
    pub(super) fn fails_whole(binary: &Path, bench: &Bench, within: Duration) -> Result<Tested, String> {
        let mut command = Command::new(binary);
        command.args(["--test-threads", "2", "--skip", JUDGES_THE_TEXT]).envs(bench.environment());
        Ok(match process::run(&mut command, within, |line| line.ends_with("... FAILED"))? {
            Ended::AtLine(line) => Tested::Fails(failed(&line)),
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

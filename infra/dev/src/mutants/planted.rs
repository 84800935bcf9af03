//! Judges the planted bugs: by the tests, and by the simulator and the model what those can see.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mutants::Mutant;
use mutants::judge::Judgement;
use mutants::switched::{self, MUTANT_VARIABLE, Planted};
use serde::{Deserialize, Serialize};

use super::bench::{Bench, Built};
use super::kept::{self, Kept};
use super::process::{self, Ended};
use super::suite::{Suite, Tested, side_by_side};
use super::{Arguments, print, root};

/// How long the checks may take; a mutant can make a loop that ends nowhere.
const JUDGED_WITHIN: Duration = Duration::from_mins(20);
/// How long the tests of one mutant may take with nothing on, before the simulator and the model are asked: most are found
/// by the first few.
const TESTED_FIRST: Duration = Duration::from_secs(10);
/// The same for what nothing has found by then.
const TESTED_WITHIN: Duration = Duration::from_mins(30);

/// What became of a mutant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdict {
    /// What the simulator and the model say, if they were asked.
    pub(super) judgement: Option<Judgement>,
    /// What the tests say, if they were asked.
    pub(super) tested: Option<Tested>,
    /// The checks did not build, broke down or did not end, which is no finding.
    pub(super) broke: Option<String>,
}

impl Verdict {
    /// Whether the simulator or the model found it.
    pub(super) fn is_seen_by_checks(&self) -> bool {
        self.judgement.as_ref().is_some_and(|it| it.simulator.is_some() || it.model.is_some())
    }

    /// Whether a test fails with it.
    pub(super) fn is_seen_by_tests(&self) -> bool {
        self.tested.as_ref().is_some_and(Tested::is_found)
    }

    pub(super) fn is_caught(&self) -> bool {
        self.broke.is_none() && (self.is_seen_by_checks() || self.is_seen_by_tests())
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<(), String> {
    let chosen: Vec<&'static Mutant> =
        if arguments.only.is_empty() { mutants::all().collect() } else { arguments.only.clone() };
    if arguments.list {
        chosen.into_iter().for_each(print::one);
        return Ok(());
    }
    let begun = Instant::now();
    let root = root()?;
    // Before anything is built: a text that no longer fits would be found only after minutes.
    for mutant in &chosen {
        mutant.files(&root)?;
    }
    let planted = switched::switch_planted(&root, &chosen)?;
    let bench = Bench::new(root, "planted")?;
    let mut files = bench.files()?;
    for (file, switched) in &planted.files {
        files.insert((*file).to_owned(), switched.text.clone().into_bytes());
    }
    switched::add_switch(&mut files, &planted.names);
    bench.lay_out(&files)?;
    eprintln!("building the checks with {} mutants beside the original, under target/mutants", planted.names.len());
    let built = bench.build(true)?;
    let took = begun.elapsed();
    let control = checked(&built, arguments.runs, None, true);
    match &control {
        Ok(judgement) if judgement.simulator.is_none() && judgement.model.is_none() => {
            print::control(judgement, took, begun.elapsed());
        }
        broken => {
            print::verdict(&verdict_of(broken.clone()));
            return Err("the code as it is does not pass the checks, so nothing can be said of a mutant".to_owned());
        }
    }
    let mut verdicts = judge_switched(&bench, &built, &planted, arguments)?;
    verdicts.extend(judge_apart(&bench, &planted, &files, arguments)?);
    for mutant in &chosen {
        if let Some(verdict) = verdicts.get(mutant.name) {
            print::one(mutant);
            print::verdict(verdict);
        }
    }
    print::sum(&verdicts, &planted, begun.elapsed());
    let not_caught: Vec<&str> =
        verdicts.iter().filter(|(_, verdict)| !verdict.is_caught()).map(|(name, _)| *name).collect();
    if not_caught.is_empty() { Ok(()) } else { Err(format!("not caught: {}", not_caught.join(", "))) }
}

type Verdicts = BTreeMap<&'static str, Verdict>;

/// What is known of those that were judged in a copy, so that a run that was stopped goes on where it was.
struct Judged {
    file: Kept,
    of: u64,
    verdicts: Mutex<BTreeMap<String, Verdict>>,
}

impl Judged {
    fn of(bench: &Bench, runs: u64) -> Result<Self, String> {
        let (file, of) = (Kept::at(bench.beside("verdicts.json")), kept::of_copy(bench)?.wrapping_add(runs));
        let verdicts = Mutex::new(file.load(of).unwrap_or_default());
        Ok(Self { file, of, verdicts })
    }

    fn known(&self, name: &str) -> Result<Verdict, String> {
        let verdicts = self.verdicts.lock().map_err(|_| "a worker stopped".to_owned())?;
        Ok(verdicts.get(name).cloned().unwrap_or_default())
    }

    fn keep(&self, name: &str, verdict: Verdict) -> Result<(), String> {
        let mut verdicts = self.verdicts.lock().map_err(|_| "a worker stopped".to_owned())?;
        verdicts.insert(name.to_owned(), verdict);
        self.file.save(self.of, &*verdicts)
    }
}

/// All that were built at once: by the tests, which take seconds, and then by the simulator and the model, which take a
/// minute where they find nothing.
fn judge_switched(bench: &Bench, built: &Built, planted: &Planted, arguments: &Arguments) -> Result<Verdicts, String> {
    let named = |(name, number): &(String, u32)| {
        mutants::all().find(|mutant| mutant.name == name).map(|mutant| (mutant, *number))
    };
    let switched: Vec<(&'static Mutant, u32)> = planted.names.iter().filter_map(named).collect();
    let workers = usize::from(arguments.workers);
    let judged = Judged::of(bench, arguments.runs)?;
    let binary = built.tests.as_ref().ok_or("the tests were not built")?;
    eprintln!("running each test once, to see which reach what");
    let suite = Suite::record(binary, bench, workers)?;
    print::suite(&suite)?;
    side_by_side(&switched, workers, |_, (mutant, number)| {
        let known = judged.known(mutant.name)?;
        if known.tested.is_some() {
            return Ok(());
        }
        let tested = suite.judge(mutant.name, *number, TESTED_FIRST)?;
        print::progress("tests", mutant, tested.is_found());
        judged.keep(mutant.name, Verdict { tested: Some(tested), ..known })
    })?;
    side_by_side(&switched, workers, |_, (mutant, _)| {
        let known = judged.known(mutant.name)?;
        if known.judgement.is_some() || !mutant.is_simulated() {
            return Ok(());
        }
        let checked = verdict_of(checked(built, arguments.runs, Some(mutant.name), mutant.is_in_the_core()));
        print::progress("checks", mutant, checked.is_caught());
        judged.keep(mutant.name, Verdict { tested: known.tested, ..checked })
    })?;
    side_by_side(&switched, workers, |_, (mutant, number)| {
        let known = judged.known(mutant.name)?;
        if known.is_caught() || !matches!(known.tested, Some(Tested::HeldSoFar(_))) {
            return Ok(());
        }
        let tested = suite.judge(mutant.name, *number, TESTED_WITHIN)?;
        print::progress("tests", mutant, tested.is_found());
        judged.keep(mutant.name, Verdict { tested: Some(tested), ..known })
    })?;
    switched.into_iter().map(|(mutant, _)| Ok((mutant.name, judged.known(mutant.name)?))).collect()
}

/// Those that cannot stand beside the original, one build each.
fn judge_apart(
    bench: &Bench,
    planted: &Planted,
    files: &BTreeMap<String, Vec<u8>>,
    arguments: &Arguments,
) -> Result<Verdicts, String> {
    let mut verdicts = Verdicts::new();
    for (mutant, why) in &planted.apart {
        eprintln!("building {} by itself: {why}", mutant.name);
        let changed = mutant.files(&root()?)?;
        for (file, text) in &changed {
            bench.put(file, text.as_bytes())?;
        }
        let verdict = match bench.build(!mutant.is_simulated()) {
            Err(why) => Verdict { broke: Some(format!("it does not build\n{why}")), ..Verdict::default() },
            Ok(Built { tests: Some(tests), .. }) => {
                Verdict { tested: Some(Suite::fails_whole(&tests, bench, TESTED_WITHIN)?), ..Verdict::default() }
            }
            Ok(built) => verdict_of(checked(&built, arguments.runs, None, mutant.is_in_the_core())),
        };
        for (file, _) in &changed {
            bench.put(file, files.get(*file).map_or(&[][..], Vec::as_slice))?;
        }
        print::progress("alone", mutant, verdict.is_caught());
        verdicts.insert(mutant.name, verdict);
    }
    Ok(verdicts)
}

fn verdict_of(checked: Result<Judgement, String>) -> Verdict {
    match checked {
        Ok(judgement) => Verdict { judgement: Some(judgement), ..Verdict::default() },
        Err(why) => Verdict { broke: Some(why), ..Verdict::default() },
    }
}

/// What the simulator and the model say with this mutant on.
fn checked(built: &Built, runs: u64, mutant: Option<&str>, with_model: bool) -> Result<Judgement, String> {
    let folder = built.judge.parent().unwrap_or(Path::new("."));
    let mut command = Command::new(&built.judge);
    command.arg(runs.to_string()).args(with_model.then_some("with-model")).current_dir(folder);
    command.env(MUTANT_VARIABLE, mutant.unwrap_or_default());
    match process::run(&mut command, JUDGED_WITHIN, |_| false)? {
        Ended::ByItself { code: Some(0), output, .. } => {
            serde_json::from_str(&output).map_err(|error| format!("the checks' answer cannot be read: {error}"))
        }
        Ended::ByItself { errors, .. } => Err(errors.lines().take(12).collect::<Vec<_>>().join("\n")),
        Ended::AtLine(_) | Ended::OutOfTime => {
            Err(format!("the checks did not end within {} s", JUDGED_WITHIN.as_secs()))
        }
    }
}

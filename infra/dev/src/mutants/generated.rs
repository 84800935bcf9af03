//! Judges what cargo-mutants makes by the tests, all of it in one build.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::Args;
use mutants::accepted;
use mutants::switched::{self, Generated, Switched};

use super::bench::Bench;
use super::kept::{self, Kept};
use super::suite::{Suite, Tested, side_by_side};
use super::{Arguments, cargo};

/// The version of cargo-mutants whose list this reads.
const CARGO_MUTANTS_VERSION: &str = "27.1.0";
/// What is deployed.
const PACKAGES: [&str; 10] =
    ["payments", "pacing", "ports", "aws", "batch", "providers", "ingest", "consumer", "dead_letter", "reconcile"];
/// What is judged first: what decides about money, and then what lets messages go. The rest follows in its own order.
const FIRST: [&str; 12] = [
    "functions/payments/src/transition",
    "functions/payments/src/write",
    "functions/ports/src/ledger",
    "functions/ports/src/store",
    "functions/aws/src/store",
    "functions/aws/src/verdict",
    "functions/payments/src/payment",
    "functions/payments/src/answer",
    "functions/dead_letter/",
    "functions/consumer/",
    "functions/payments/src/triage",
    "functions/payments/src/message",
];
/// Each round takes out what does not compile; the compiler tells of more once that is gone.
const ROUNDS_MAX: usize = 30;

/// Which of them.
#[derive(Args, Clone, Debug)]
pub struct Which {
    /// Only those of this file, or of the files below this folder; may be given for several.
    #[arg(long, value_name = "PATH", requires = "generated")]
    file: Vec<String>,
    /// Only every N-th of them, from the K-th on, such as 0/8.
    #[arg(long, value_name = "K/N", value_parser = shard, requires = "generated")]
    shard: Option<(usize, usize)>,
    /// Only those that survived the last run, whatever was written since.
    #[arg(long, requires = "generated")]
    survivors: bool,
    /// Judges none after so many minutes; what was judged is kept, and the next run goes on there.
    #[arg(long, value_name = "M", requires = "generated")]
    minutes: Option<u64>,
    /// How long the tests of one mutant may take, in seconds, as they take with nothing on.
    #[arg(long, value_name = "S", default_value_t = 120, requires = "generated")]
    seconds: u64,
}

impl Which {
    fn holds(&self, mutant: &Generated) -> bool {
        self.file.is_empty() || self.file.iter().any(|file| mutant.file.starts_with(file.as_str()))
    }
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    parsed.filter(|(k, n)| k < n).ok_or_else(|| "a shard is K/N, K from 0 and below N, such as 0/8".to_owned())
}

pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let begun = Instant::now();
    let all = listed(root)?;
    let stale = accepted::stale(root, &all)?;
    if !stale.is_empty() {
        return Err(format!("infra/mutants/src/accepted.rs accepts what there is not: {}", stale.join("; ")));
    }
    let all: Vec<Generated> = all.into_iter().filter(|mutant| arguments.which.holds(mutant)).collect();
    if all.is_empty() {
        return Err("there is no such mutant; --generated --list names them".to_owned());
    }
    let bench = Bench::new(root.to_owned(), "generated")?;
    let mut judged = Judged::of(&bench, arguments.which.survivors)?;
    let chosen = chosen(&all, &judged, &arguments.which);
    if arguments.list {
        for (_, mutant) in &chosen {
            println!("{}", mutant.name);
        }
        return Ok(());
    }
    if chosen.is_empty() {
        return Err("there is no such mutant; --generated --list names them".to_owned());
    }
    eprintln!("switching {} mutants, under target/mutants", all.len());
    let apart = switch(&bench, root, &all)?;
    let binary = bench.build(true)?.tests.ok_or("the tests were not built")?;
    eprintln!("built after {:.0} s; running each test once, to see which reach what", begun.elapsed().as_secs_f64());
    let workers = usize::from(arguments.workers);
    let suite = Suite::record(&binary, &bench, workers)?;
    super::print::suite(&suite)?;
    let is_open = |(number, mutant): &&(u32, &Generated)| {
        !apart.contains_key(number) && (arguments.which.survivors || !judged.verdicts.contains_key(&mutant.name))
    };
    let mut open: Vec<(u32, &Generated)> = chosen.iter().filter(is_open).copied().collect();
    open.sort_by_key(|(number, mutant)| (turn(mutant), *number));
    let until = arguments.which.minutes.map(|minutes| Instant::now() + Duration::from_mins(minutes));
    eprintln!("{} of {} are still to be judged", open.len(), chosen.len());
    let most = Duration::from_secs(arguments.which.seconds);
    let kept = Mutex::new((0_usize, &mut judged));
    side_by_side(&open, workers, |_, (number, mutant)| {
        if until.is_some_and(|until| Instant::now() >= until) {
            return Ok(());
        }
        let tested = suite.judge(&mutant.name, *number, most)?;
        let mut kept = kept.lock().map_err(|_| "a worker stopped".to_owned())?;
        kept.0 += 1;
        eprintln!("{}/{} {tested:?} {}", kept.0, open.len(), mutant.name);
        kept.1.keep(&mutant.name, tested)
    })?;
    conclude(root, &chosen, &judged.verdicts, &apart, begun.elapsed())
}

/// Those that a person asked for, each with its number: its place among all, so that one build is enough for every shard.
fn chosen<'a>(all: &'a [Generated], judged: &Judged, which: &Which) -> Vec<(u32, &'a Generated)> {
    let is_wanted = |mutant: &Generated| {
        !which.survivors || judged.verdicts.get(&mutant.name).is_some_and(|tested| !tested.is_found())
    };
    let (first, step) = which.shard.unwrap_or((0, 1));
    let chosen = (1..).zip(all).filter(|(_, mutant)| is_wanted(mutant));
    chosen.skip(first).step_by(step).collect()
}

/// When a mutant's turn is.
fn turn(mutant: &Generated) -> usize {
    FIRST.iter().position(|first| mutant.file.starts_with(first)).unwrap_or(FIRST.len())
}

/// What is known of mutants by their names.
struct Judged {
    file: Kept,
    of: u64,
    verdicts: BTreeMap<String, Tested>,
}

impl Judged {
    /// What an earlier run found out about this same tree; or about any, if its survivors are asked for.
    fn of(bench: &Bench, is_any: bool) -> Result<Self, String> {
        let file = Kept::at(bench.beside("verdicts.json"));
        let of = kept::of_judged(&bench.files()?);
        let (of, verdicts) = match file.load_any() {
            Some((known, verdicts)) if known == of || is_any => (known, verdicts),
            Some(_) | None => (of, BTreeMap::new()),
        };
        Ok(Self { file, of, verdicts })
    }

    fn keep(&mut self, name: &str, tested: Tested) -> Result<(), String> {
        self.verdicts.insert(name.to_owned(), tested);
        self.file.save(self.of, &self.verdicts)
    }
}

/// What cargo-mutants would do to what is deployed.
fn listed(root: &Path) -> Result<Vec<Generated>, String> {
    let path = std::env::join_paths(
        std::iter::once(root.join("target/tools/bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )
    .map_err(|error| error.to_string())?;
    let output = Command::new(cargo())
        .args(["mutants", "--workspace", "--list", "--json", "--file", "functions/**/*.rs"])
        .current_dir(root)
        .env("PATH", path)
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo-mutants does not list its mutants; cargo install --locked cargo-mutants --version \
             {CARGO_MUTANTS_VERSION} --root target/tools: {}",
            String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default()
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("the list cannot be read: {error}"))
}

/// Lays out the copy with all that compiles; says why the rest is not in it.
fn switch(bench: &Bench, root: &Path, mutants: &[Generated]) -> Result<BTreeMap<u32, String>, String> {
    let names: Vec<(String, u32)> = mutants.iter().map(|mutant| mutant.name.clone()).zip(1..).collect();
    let mut files = bench.files()?;
    let (known, of) = (Kept::at(bench.beside("apart.json")), kept::of_deployed(&files, &names));
    let mut apart: BTreeMap<u32, String> = known.load(of).unwrap_or_default();
    switched::add_switch(&mut files, &names);
    for _ in 0..ROUNDS_MAX {
        let without: BTreeSet<u32> = apart.keys().copied().collect();
        let (switched, not_switched) = switched::switch_generated(root, mutants, &without)?;
        apart.extend(not_switched);
        for (file, switched) in &switched {
            files.insert(file.clone(), switched.text.clone().into_bytes());
        }
        bench.lay_out(&files)?;
        let errors = bench.errors(&PACKAGES)?;
        if errors.is_empty() {
            known.save(of, &apart)?;
            return Ok(apart);
        }
        eprintln!("{} places do not compile, and are left to cargo-mutants", errors.len());
        let mut found = false;
        for (file, line, why) in &errors {
            for number in whose(switched.get(file), *line) {
                found |= apart.insert(number, why.clone()).is_none();
            }
        }
        if !found {
            let first = errors.first().map(|(file, line, why)| format!("{file}:{line}: {why}")).unwrap_or_default();
            return Err(format!("the switched tree does not compile, and no mutant is to blame: {first}"));
        }
    }
    Err(format!("the switched tree does not compile after {ROUNDS_MAX} rounds"))
}

/// The mutants that a line's error is due to: the one whose text it is, or else those of its place.
fn whose(file: Option<&Switched>, line: usize) -> Vec<u32> {
    let Some(line) = file.and_then(|file| file.lines.get(line.checked_sub(1)?)) else {
        return Vec::new();
    };
    line.mutant.map_or_else(|| line.place.clone(), |number| vec![number])
}

fn conclude(
    root: &Path,
    chosen: &[(u32, &Generated)],
    verdicts: &BTreeMap<String, Tested>,
    apart: &BTreeMap<u32, String>,
    took: Duration,
) -> Result<(), String> {
    let (mut failed, mut hung, mut accepted_count, mut open, mut left, mut unjudged) = (0, 0, 0, 0, 0, 0);
    for (number, mutant) in chosen {
        if let Some(why) = apart.get(number) {
            left += 1;
            println!("apart    {}: {}", mutant.name, why.lines().next().unwrap_or_default());
            continue;
        }
        let by = match verdicts.get(&mutant.name) {
            Some(Tested::Fails(_)) => {
                failed += 1;
                continue;
            }
            Some(Tested::Hangs(_)) => {
                hung += 1;
                continue;
            }
            Some(Tested::Holds(0)) => "no test reaches it".to_owned(),
            Some(Tested::Holds(count)) => format!("{count} tests reach it and hold"),
            Some(Tested::HeldSoFar(count)) => format!("{count} tests hold, and no time for the others"),
            None => {
                unjudged += 1;
                continue;
            }
        };
        if let Some(reason) = accepted::reason(root, mutant)? {
            accepted_count += 1;
            println!("accepted {}: {reason}", mutant.name);
        } else {
            open += 1;
            println!("survived {}: {by}", mutant.name);
        }
    }
    println!("\nmutants    {} in {:.0} s", chosen.len(), took.as_secs_f64());
    println!("found      {failed} by a test, {hung} more by hanging");
    println!("accepted   {accepted_count}, each with its reason");
    println!("apart      {left}, which cargo-mutants has to build by itself");
    println!("survived   {open}");
    println!("not judged {unjudged}, for want of time");
    if open == 0 { Ok(()) } else { Err(format!("{open} mutants survived and have no reason to")) }
}

//! `cargo dev mutants`: plants each bug of `infra/mutants` into a copy of this tree, builds the checks with it, and says
//! which of them found it. A mutant that nothing finds is a hole in the checks, so it ends the command with an error; so
//! does one that does not build, because it shows nothing, and so does a finding in the code as it is.

mod bench;
mod print;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use clap::Args;
use mutants::Mutant;
use mutants::judge::Judgement;

use bench::Bench;

/// What a person may choose.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Only this mutant; may be given for several.
    #[arg(long, value_name = "NAME", value_parser = named)]
    only: Vec<&'static Mutant>,
    /// Says what there is and plants nothing.
    #[arg(long)]
    list: bool,
    /// Runs of the simulator for each set of faults, from seed 1 on.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    runs: u64,
}

fn named(name: &str) -> Result<&'static Mutant, String> {
    mutants::all()
        .find(|mutant| mutant.name == name)
        .ok_or_else(|| "there is no such mutant; --list names them".to_owned())
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The checks ran to their end, or to what they found.
    Judged(Judgement),
    /// It is no program.
    DoesNotBuild(String),
    /// The checks themselves broke down or did not end, which is no finding.
    Broke(String),
}

impl Verdict {
    /// Whether a check found it.
    pub fn is_caught(&self) -> bool {
        match self {
            Self::Judged(Judgement { simulator, model, .. }) => simulator.is_some() || model.is_some(),
            Self::DoesNotBuild(_) | Self::Broke(_) => false,
        }
    }
}

/// Plants and judges. An error is one line; what it sums up has been printed by then.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let chosen: Vec<&Mutant> =
        if arguments.only.is_empty() { mutants::all().collect() } else { arguments.only.clone() };
    if arguments.list {
        for mutant in chosen {
            print::one(mutant);
        }
        return Ok(());
    }
    let begun = Instant::now();
    let root = root()?;
    // Before anything is built: a text that no longer fits would be found only after minutes.
    for mutant in &chosen {
        mutant.files(&root)?;
    }
    let bench = Bench::new(root, arguments.runs)?;
    eprintln!("building the checks of the code as it is, under target/mutants; at first this takes minutes");
    let control = bench.judge(true).await;
    match &control {
        Verdict::Judged(judgement) if !control.is_caught() => print::control(judgement, begun.elapsed()),
        _ => {
            print::verdict(&control);
            return Err("the code as it is does not pass the checks, so nothing can be said of a mutant".to_owned());
        }
    }
    let mut verdicts = Vec::new();
    for mutant in chosen {
        let planted = Instant::now();
        let verdict = bench.judge_with(mutant).await?;
        print::one(mutant);
        print::verdict(&verdict);
        println!("  took       {:.0} s", planted.elapsed().as_secs_f64());
        verdicts.push((mutant.name, verdict));
    }
    print::sum(&verdicts, begun.elapsed());
    let not_caught: Vec<&str> =
        verdicts.iter().filter(|(_, verdict)| !verdict.is_caught()).map(|(name, _)| *name).collect();
    if not_caught.is_empty() { Ok(()) } else { Err(format!("not caught: {}", not_caught.join(", "))) }
}

/// The repository's root.
fn root() -> Result<PathBuf, String> {
    let output = Command::new(cargo())
        .args(["locate-project", "--workspace", "--message-format", "plain"])
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    let manifest = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    match manifest.parent() {
        Some(root) if output.status.success() => Ok(root.to_owned()),
        _ => Err("this is no folder of the repository, whose code the mutants are planted in".to_owned()),
    }
}

/// The cargo that runs this, or any.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

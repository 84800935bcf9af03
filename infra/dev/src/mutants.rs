//! `cargo dev mutants`: puts each bug of `infra/mutants` beside the original in a copy of this tree, builds the checks once,
//! and says which of them finds which. A mutant that nothing finds is a hole in the checks, so it ends the command with an
//! error; so does one that does not build, because it shows nothing, and so does a finding in the code as it is.
//!
//! With `--generated` the mutants are those that cargo-mutants lists, and the tests are what has to find them.

mod bench;
mod generated;
mod kept;
mod planted;
mod print;
mod process;
mod suite;

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use mutants::Mutant;

/// What a person may choose.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Only this mutant; may be given for several.
    #[arg(long, value_name = "NAME", value_parser = named, conflicts_with = "generated")]
    only: Vec<&'static Mutant>,
    /// Says what there is and plants nothing.
    #[arg(long)]
    list: bool,
    /// Runs of the simulator for each set of faults, from seed 1 on.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    runs: u64,
    /// How many are judged at a time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    /// Instead of the planted ones those that cargo-mutants makes, judged by the tests.
    #[arg(long)]
    generated: bool,
    #[command(flatten)]
    which: generated::Which,
}

fn named(name: &str) -> Result<&'static Mutant, String> {
    mutants::all()
        .find(|mutant| mutant.name == name)
        .ok_or_else(|| "there is no such mutant; --list names them".to_owned())
}

/// Judges. An error is one line; what it sums up has been printed by then.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let arguments = arguments.clone();
    // Programs are waited for, by threads.
    let judging = tokio::task::spawn_blocking(move || {
        if arguments.generated { generated::run(&root()?, &arguments) } else { planted::run(&arguments) }
    });
    judging.await.unwrap_or_else(|_| Err("the judging stopped by itself".to_owned()))
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

//! The command line of `sluice`: what there is, and what can be done to it. This file reads it and nothing else.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::account::{Account, AccountArguments};
use crate::failure::Failure;
use crate::{cases, gate, load, merchants, payments, restore};

/// What every command's help ends with.
const ENDS: &str = "\
Exit codes: 0 done; 1 it failed, or nobody knows; 2 the command line is not understood; 3 it was looked at and is not as asked \
for, such as a payment that is not there.";

/// Looks after a running Sluice: its payments, cases, merchants and the provider's gate
///
/// Without --stack it speaks to what `cargo dev up` keeps on this machine; with it to a deployed stack, with the credentials and
/// the Region of the environment. Names and numbers are taken from the stack itself. What a person decides is written by the
/// stack's own function, under the name that AWS knows the caller by.
#[derive(Parser)]
#[command(name = "sluice", version, after_help = ENDS)]
pub struct CommandLine {
    #[command(subcommand)]
    noun: Noun,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(Subcommand)]
enum Noun {
    /// Payments: look at them, put back what is parked, end one by evidence
    #[command(subcommand)]
    Payments(payments::Command),
    /// Late successes: payments that the provider did although they had ended otherwise
    #[command(subcommand)]
    Cases(cases::Command),
    /// Merchants: their API keys and how fast they may bring payments
    #[command(subcommand)]
    Merchants(merchants::Command),
    /// The provider's gate: how many calls it is sent, its breaker, a pause
    #[command(subcommand)]
    Gate(gate::Command),
    /// After a point-in-time recovery: makes unknown what was open, so that the provider is asked first
    Restore(restore::Arguments),
    /// Sends a file of payments to a running system and says what became of them
    Load(load::Arguments),
}

/// The command line as it is understood, for whoever holds documents to it.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Runs what this process's command line asks for.
pub fn main() -> ExitCode {
    end_with_the_reader();
    end(run(CommandLine::parse()))
}

/// Runs a command to the end of its process, and says why if it did not end well.
pub fn end(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("cannot start: {error}").into()),
    };
    let done = runtime.block_on(command);
    // A read of standard input that is still waited for must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

/// Does what a command line asks for.
pub async fn run(CommandLine { noun, account }: CommandLine) -> Result<(), Failure> {
    let account = Account::open(&account).await?;
    match noun {
        Noun::Payments(command) => payments::run(&account, &command).await,
        Noun::Cases(command) => cases::run(&account, &command).await,
        Noun::Merchants(command) => merchants::run(&account, &command).await,
        Noun::Gate(command) => gate::run(&account, &command).await,
        Noun::Restore(arguments) => restore::run(&account, &arguments).await,
        Noun::Load(arguments) => load::run(&account, arguments).await,
    }
}

/// Whoever reads the output, such as `head`, has read enough: the rest is not worth a panic's lines.
pub fn end_with_the_reader() {
    /// What a shell makes of a process that SIGPIPE has ended.
    const ENDED_BY_SIGPIPE: i32 = 128 + 13;
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // print! and println! have no other way to say it.
        if panic.payload_as_str().is_some_and(|text| text.starts_with("failed printing to stdout")) {
            std::process::exit(ENDED_BY_SIGPIPE);
        }
        report(panic);
    }));
}

fn failed(failure: &Failure) -> ExitCode {
    eprintln!("error: {failure}");
    ExitCode::from(failure.exit_code())
}

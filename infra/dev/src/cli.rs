//! What a person runs by hand. This file reads the command line and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use cloud::local::provider::{CALLBACK_KEY_VARIABLE, KEY_VARIABLE, LISTENING};
use cloud::sandbox::{CallbackTarget, Fault, Faults, KEY_WINDOW_MS, Sandbox, SandboxSettings, parse_fault};
use operator::failure::Failure;
use payments::provider::ProviderKind;

use crate::{demo, model_check, mutants, plan, sale, simulate, up};

/// Sluice on this machine, without an AWS account.
#[derive(Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends a file of payments through the whole system to a provider that misbehaves, and checks the books.
    Demo(DemoArguments),
    /// Keeps the whole system running until it is interrupted, for requests by hand.
    Up(up::Arguments),
    /// The operator's command, of this build: `cargo sluice` is short for it.
    Sluice(operator::cli::CommandLine),
    /// Plays the real handlers in virtual time over ports that misbehave, and checks the invariants after each step.
    Simulate(Box<SimulateArguments>),
    /// Explores every order of one payment's steps under the deployed rules, and judges the invariants in every state.
    Model(ModelArguments),
    /// Plants bugs into a copy of the code, one at a time, and says whether the simulator or the model finds each.
    Mutants(mutants::Arguments),
    /// Says what to deploy for a provider and a sale, or checks a template's numbers against one another.
    Plan(plan::Arguments),
    /// Runs the sandbox provider until it is interrupted. Its key is taken from SANDBOX_KEY.
    Sandbox(SandboxArguments),
}

#[derive(Args)]
struct DemoArguments {
    /// Calls a second that the provider allows.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    rate: u32,
    /// Decides which calls fail and which messages come twice.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A CSV file with the columns order_id, kind, merchant, amount and currency.
    #[arg(long, value_name = "F", default_value = demo::SHIPPED_FILE)]
    file: PathBuf,
    /// Which provider's protocol is spoken: open or alipay.
    #[arg(long, value_name = "KIND", default_value = "open", value_parser = provider_kind)]
    provider: ProviderKind,
    /// Nothing goes wrong: what an ordinary payment costs.
    #[arg(long)]
    calm: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
struct SimulateArguments {
    #[command(subcommand)]
    what: Option<Simulated>,
    /// The first run's seed; the others follow it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many runs.
    #[arg(long, value_name = "N", default_value_t = 100)]
    runs: u64,
    /// Plays for so long instead, as many runs as there is time for.
    #[arg(long, value_name = "N", conflicts_with = "runs", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: Option<u64>,
    /// What goes wrong: none, lost-answers, freezes, stray-429, bad-provider, stubborn-provider, forgetting-provider, fickle-provider,
    /// slow-connections, dead-letters (messages are received too often), bad-table, stalls (pauses, and environments that freeze), brownout
    /// (the provider is down for ten minutes), operator (rates, pauses), outage (a pause of six hours), outage-24h, outage-72h, dead-provider-24h, dead-provider-72h, restore (the table is restored), poison (messages that are not ours),
    /// ageing (everything, and what
    /// comes once more when the details are forgotten), everything, or skewed-clocks (everything, and
    /// clocks up to five minutes off).
    #[arg(long, value_name = "NAME", default_value = "everything", value_parser = simulate::parse_faults)]
    faults: simulate::Named,
    /// Payments in a run: 12, or 60 where they come over a longer time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    payments: Option<u64>,
    /// Plays each run once more for each of its I/Os and each side of it, with a crash there.
    #[arg(long)]
    sweep: bool,
    /// One crash, such as before:17 or after:17: before or after the run's 17th I/O.
    #[arg(long, value_name = "SIDE:IO", value_parser = simulate::parse_crash)]
    crash: Option<simulator::CrashPoint>,
}

/// What else can be simulated.
#[derive(Subcommand)]
enum Simulated {
    /// A flash sale and its drain, beside the same sale called directly and through a queue as it is usually set up
    Sale(sale::Arguments),
}

#[derive(Args)]
struct ModelArguments {
    /// What to explore: small, large, or one set of bounds: race, queues, clocks or heals, with changes such as
    /// queues,cancels=1,skew=1.
    #[arg(long, value_name = "BOUNDS", default_value = "small", value_parser = model_check::parse)]
    bounds: model_check::Explored,
}

#[derive(Args)]
struct SandboxArguments {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Calls taken in any second; 0 is no limit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    rate: u32,
    /// Shortest time that an answer takes.
    #[arg(long, value_name = "MS", default_value_t = 50)]
    latency_min_ms: u64,
    /// Longest time that an answer takes.
    #[arg(long, value_name = "MS", default_value_t = 400)]
    latency_max_ms: u64,
    /// Which protocol it speaks: open, or alipay, whose SANDBOX_KEY is a JSON object of keys.
    #[arg(long, value_name = "KIND", default_value = "open", value_parser = provider_kind)]
    speaks: ProviderKind,
    /// How often it misbehaves in one way, such as drop_after=0.02; may be given for each way.
    #[arg(long = "fault", value_name = "NAME=SHARE", value_parser = parse_fault)]
    faults: Vec<(Fault, f64)>,
    /// What a slow answer takes longer.
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    slow_ms: u64,
    /// From accepted to approved.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pending_ms: u64,
    /// From a late payment's request to its effect.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    late_ms: u64,
    /// How long a key is known, from the first request that carried it; then the same request is a new payment.
    #[arg(long, value_name = "MS", default_value_t = KEY_WINDOW_MS)]
    key_window_ms: u64,
    /// The same payments with the same seed meet the same faults.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where it calls back, such as http://127.0.0.1:8080/v1/providers/sandbox/events; what it signs with is taken from
    /// SANDBOX_CALLBACK_KEY.
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Ends with its standard input: whoever started it has ended.
    #[arg(long, hide = true)]
    until_input_ends: bool,
}

/// The command line as it is understood, for whoever holds documents to it.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Runs what this process's command line asks for.
pub fn main() -> ExitCode {
    operator::cli::end_with_the_reader();
    operator::cli::end(run(CommandLine::parse().command))
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(DemoArguments { rate, seed, file, provider, calm }) => {
            demo::run(demo::Options { rate_per_second: rate, seed, file, provider, calm }).await?;
        }
        Command::Up(arguments) => up::run(arguments).await?,
        Command::Sluice(command_line) => operator::cli::run(command_line).await?,
        Command::Model(ModelArguments { bounds }) => model_check::run(&bounds)?,
        Command::Mutants(arguments) => mutants::run(&arguments).await?,
        Command::Plan(arguments) => plan::run(&arguments)?,
        Command::Sandbox(arguments) => sandbox(arguments).await?,
        // Virtual time has a runtime of its own, and none may be under way around it.
        Command::Simulate(arguments) => {
            let SimulateArguments { what, seed, runs, minutes, faults, payments, sweep, crash } = *arguments;
            let options = simulate::Options { seed, runs, minutes, faults, payments, sweep, crash };
            let playing = tokio::task::spawn_blocking(move || match what {
                Some(Simulated::Sale(arguments)) => sale::run(&arguments),
                None => simulate::run(&options),
            });
            playing.await.map_err(|_| "the simulation stopped by itself")??;
        }
    }
    Ok(())
}

async fn sandbox(arguments: SandboxArguments) -> Result<(), String> {
    let mut faults = Faults::default();
    for (fault, share) in arguments.faults {
        faults.set(fault, share);
    }
    let settings = SandboxSettings {
        listen: arguments.listen,
        speaks: arguments.speaks,
        key: std::env::var(KEY_VARIABLE).unwrap_or_else(|_| "sandbox-key".to_owned()),
        rate_per_second: arguments.rate,
        latency_ms: (arguments.latency_min_ms, arguments.latency_max_ms),
        faults,
        slow_ms: arguments.slow_ms,
        pending_ms: arguments.pending_ms,
        late_ms: arguments.late_ms,
        key_window_ms: arguments.key_window_ms,
        seed: arguments.seed,
        callback: arguments.callback_url.as_deref().map(callback_target).transpose()?,
    };
    settings.check()?;
    let cannot = |error: std::io::Error| format!("the sandbox provider cannot listen on {}: {error}", arguments.listen);
    let sandbox = Sandbox::bind(settings).await.map_err(cannot)?;
    println!("{}http://{}", LISTENING, sandbox.address().map_err(cannot)?);
    tokio::select! {
        never = sandbox.run() => match never {},
        () = input_ended(arguments.until_input_ends) => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Reads the name of a kind of provider. An error is one line.
pub(crate) fn provider_kind(text: &str) -> Result<ProviderKind, String> {
    let known = || ProviderKind::ALL.map(ProviderKind::as_str).join(", ");
    ProviderKind::parse(text).ok_or_else(|| format!("`{text}` is not a kind of provider; the kinds are {}", known()))
}

fn callback_target(url: &str) -> Result<CallbackTarget, String> {
    let key = std::env::var(CALLBACK_KEY_VARIABLE)
        .map_err(|_| format!("{CALLBACK_KEY_VARIABLE} is missing: callbacks have to be signed"))?;
    CallbackTarget::new(url, key).map_err(|error| error.to_string())
}

async fn input_ended(matters: bool) {
    if !matters {
        std::future::pending::<()>().await;
    }
    let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
}

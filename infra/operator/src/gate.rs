//! `sluice gate`: a provider's gate as it stands, and what an operator does to it.
//!
//! A change reaches every consumer with its next reservation, which requires the version that it assumed. Slots that
//! were handed out before go on at the old rate; a pause is not waited for by those who have not heard of it.

use std::fmt::{self, Write};

use aws::system::SystemClock;
use clap::{Args, Subcommand};
use pacing::breaker::{Mode, WHOLE_PERMILLE};
use pacing::gate::{GateState, Note, Operated, Operation};
use payments::time::Timestamp;
use ports::operate;
use ports::{Clock, GateStore};

use crate::account::Account;
use crate::failure::Failure;

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// The gate as it stands: its rate, whether it is paused, its breaker, since when and why
    Get {
        /// One JSON document instead of text: the gate's item
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        provider: Provider,
    },
    /// Sends nothing to the provider from now on, as an open breaker does, until it is resumed
    Pause(Change),
    /// Ends a pause; a breaker that is open makes a probe at once
    Resume(Change),
    /// Sets how many calls a second the provider is sent
    Rate {
        /// Calls a second
        #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        rate_per_second: u32,
        #[command(flatten)]
        change: Change,
    },
}

/// Whose gate.
#[derive(Args, Clone, Debug)]
pub struct Provider {
    /// The provider, if it is not the stack's own
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
}

/// Whose gate, and why it is changed. Who does it is who calls.
#[derive(Args, Clone, Debug)]
pub struct Change {
    /// Why; it is kept with the gate for the next person
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    provider: Provider,
}

impl Provider {
    fn name(&self, account: &Account) -> Result<String, String> {
        self.provider.clone().map_or_else(|| account.stack.output("ProviderName"), Ok)
    }
}

/// Does it.
pub(crate) async fn run(account: &Account, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Get { json, provider } => show(account, &provider.name(account)?, *json).await,
        Command::Pause(change) => done(account, change, Operation::Pause).await,
        Command::Resume(change) => done(account, change, Operation::Resume).await,
        Command::Rate { rate_per_second, change } => done(account, change, Operation::Rate(*rate_per_second)).await,
    }
}

async fn show(account: &Account, provider: &str, json: bool) -> Result<(), Failure> {
    let gate = account.gates().read(provider).await.map_err(|error| error.to_string())?;
    let gate = gate.ok_or_else(|| {
        Failure::Found(format!(
            "there is no gate for the provider {provider}: a consumer writes it with its first batch"
        ))
    })?;
    if json {
        let item = serde_json::to_value(&gate).map_err(|error| format!("the gate cannot be written: {error}"))?;
        println!("{item:#}");
    } else {
        print!("{}", describe(&gate, SystemClock.now(), &account.option()));
    }
    Ok(())
}

async fn done(account: &Account, change: &Change, operation: Operation) -> Result<(), Failure> {
    let (provider, caller) = (change.provider.name(account)?, account.caller().await?);
    let note = Note::new(SystemClock.now(), caller.operator().as_str(), &change.why);
    let note = note.map_err(|error| error.to_string())?;
    let done = operate(&account.gates(), &provider, operation, &note).await.map_err(|error| error.to_string())?;
    print!("{}", told(operation, &done, note.at));
    Ok(())
}

/// What was done, and what it does not reach any more.
pub fn told(operation: Operation, done: &Operated, now: Timestamp) -> String {
    let Operated { before, after } = done;
    let provider = &after.provider;
    let mut text = match operation {
        Operation::Pause if before.paused => format!("{provider} was paused already\n"),
        Operation::Pause => format!("{provider} is paused: nothing is reserved from now on\n"),
        Operation::Resume => match after.breaker.mode {
            Mode::Closed => format!("{provider} goes on at {} calls a second\n", after.rate_per_second),
            Mode::Ramp => format!("{provider} goes on with its ramp\n"),
            Mode::Open { .. } | Mode::Probing { .. } => {
                format!("{provider} is tried with one call; when that is answered, sending begins again\n")
            }
        },
        Operation::Rate(_) => {
            format!("{provider}: {} calls a second, before {}\n", after.rate_per_second, before.rate_per_second)
        }
    };
    let ahead = done.reserved_before(now).filter(|_| operation != Operation::Resume);
    if let Some((until, count)) = ahead {
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "reserved before at the old rate: at most {count} calls, the last at {until}; they are made unless their \
             consumer hears of this first",
        );
    }
    text
}

/// Everything that a person asks, a line each; `at` is what a command needs to speak to the same stack.
pub fn describe(gate: &GateState, now: Timestamp, at: &str) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn fmt::Display| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<16} {value}");
    };
    line("gate", &format_args!("{}, version {}", gate.provider, gate.rate_version));
    line("rate", &format_args!("{} calls a second, {} ms of each kept free", gate.rate_per_second, gate.margin_ms));
    if let Some(note) = &gate.rate_note {
        line("rate set", &by(note));
    }
    let until_resumed = format!("until `sluice gate resume{at} --why TEXT`");
    line("paused", &if gate.paused { format!("yes: nothing is sent {until_resumed}") } else { "no".to_owned() });
    if let Some(note) = &gate.pause_note {
        line(if gate.paused { "paused since" } else { "resumed" }, &by(note));
    }
    let breaker = &gate.breaker;
    let since = Timestamp::from_us(breaker.since_us);
    if breaker.since_us == 0 {
        line("breaker", &"closed, never opened");
    } else {
        line("breaker", &format_args!("{} since {since}, {}", breaker.mode.as_str(), breaker.cause.as_str()));
    }
    match breaker.mode {
        Mode::Open { probe_at_us: None } => line("next probe", &format_args!("none {until_resumed}")),
        Mode::Open { probe_at_us: Some(at_us) } => line("next probe", &Timestamp::from_us(at_us)),
        Mode::Probing { lease_until_us } => {
            line("probe", &format_args!("under way, until {} at most", Timestamp::from_us(lease_until_us)));
        }
        Mode::Closed | Mode::Ramp => {}
    }
    if gate.brake.permille < WHOLE_PERMILLE {
        let held_until = Timestamp::from_us(gate.brake.hold_until_us);
        let how = if held_until > now { "nothing is sent until" } else { "growing back since" };
        line("after 429s", &format_args!("{} % of the rate, {how} {held_until}", gate.brake.permille / 10));
    }
    if gate.brake.stray_permille > 0 {
        line("stray 429s", &format_args!("{} in 1,000 calls, at any pace", gate.brake.stray_permille));
    }
    let next = Timestamp::from_us(gate.next_us);
    if next > now {
        line("reserved", &format_args!("up to {next}"));
    }
    line("reported", &format_args!("{} calls, {} failed, {} in a row now", gate.calls, gate.failures, gate.in_a_row));
    text
}

fn by(note: &Note) -> String {
    format!("{} by {}: {}", note.at, note.who, note.why)
}

#[cfg(test)]
mod tests {
    use pacing::breaker::{Breaker, Cause};

    use super::*;

    fn gate() -> GateState {
        GateState::new("acme", 100, 0)
    }

    #[test]
    fn who_paused_it_since_when_and_why_is_told() {
        let now = Timestamp::from_ms(1_000);
        let note = Note::new(now, "ann", "their maintenance").unwrap();
        let after = Operation::Pause.update(&gate(), &note).apply(&gate()).unwrap();
        let text = describe(&after, now, "");
        assert!(text.contains("paused           yes"), "{text}");
        assert!(text.contains("1970-01-01T00:00:01.000Z by ann: their maintenance"), "{text}");
        assert!(!describe(&gate(), now, "").contains("yes"));
    }

    #[test]
    fn slots_that_are_handed_out_already_are_stated() {
        let now = Timestamp::from_ms(1_000);
        let before = GateState { next_us: 3_000_000, ..gate() };
        let note = Note::new(now, "ann", "slower").unwrap();
        let after = Operation::Rate(10).update(&before, &note).apply(&before).unwrap();
        let text = told(Operation::Rate(10), &Operated { before, after: after.clone() }, now);
        assert!(text.contains("acme: 10 calls a second, before 100"), "{text}");
        assert!(text.contains("at most 200 calls, the last at 1970-01-01T00:00:03.000Z"), "{text}");
        // A second change while they are still to come: they were handed out at the first rate, not at the second.
        let second = Operation::Rate(5).update(&after, &note).apply(&after).unwrap();
        let text = told(Operation::Rate(5), &Operated { before: after, after: second }, now);
        assert!(text.contains("at most 200 calls"), "{text}");
    }

    #[test]
    fn a_breaker_that_waits_for_a_person_says_so() {
        let breaker = Breaker {
            mode: Mode::Open { probe_at_us: None },
            cause: Cause::CredentialsRefused,
            since_us: 2_000_000,
            version: 2,
            reopened: 0,
        };
        let text = describe(&GateState { breaker, ..gate() }, Timestamp::from_ms(3_000), " --stack shop");
        assert!(text.contains("open since 1970-01-01T00:00:02.000Z, credentials_refused"), "{text}");
        assert!(text.contains("none until `sluice gate resume --stack shop --why TEXT`"), "{text}");
    }
}

//! `cargo dev gate`, `pause`, `resume` and `rate`: a provider's gate as it stands, and what an operator does to it.
//!
//! A change reaches every consumer with its next reservation, which requires the version that it assumed. Slots that
//! were handed out before go on at the old rate; a pause is not waited for by those who have not heard of it.

use std::fmt::{self, Write};

use clap::Args;
use pacing::breaker::{Mode, WHOLE_PERMILLE};
use pacing::gate::Operated;
use pacing::gate::{GateState, Note, Operation};
use payments::time::Timestamp;
use ports::operate;
use ports::{Clock, GateStore};

use crate::account::{Account, AccountArguments};

/// Which gate.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The provider's name, such as sandbox.
    #[arg(value_name = "PROVIDER")]
    pub provider: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub account: AccountArguments,
}

/// Which gate, who changes it and why.
#[derive(Args, Clone, Debug)]
pub struct Change {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub gate: Arguments,
    /// Why; it is kept with the gate for the next person.
    #[arg(long, value_name = "TEXT", default_value = "no reason given")]
    pub why: String,
    /// Who; by default the user's name.
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
}

/// A new rate.
#[derive(Args, Clone, Debug)]
pub struct Rate {
    /// The provider's name, such as sandbox.
    #[arg(value_name = "PROVIDER")]
    pub provider: String,
    /// Calls a second.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate_per_second: u32,
    /// Why; it is kept with the gate for the next person.
    #[arg(long, value_name = "TEXT", default_value = "no reason given")]
    pub why: String,
    /// Who; by default the user's name.
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub account: AccountArguments,
}

/// Prints the gate.
pub async fn show(arguments: &Arguments) -> Result<(), String> {
    let account = Account::open(&arguments.account).await?;
    let provider = &arguments.provider;
    let gate = account.gates().read(provider).await.map_err(|error| error.to_string())?;
    let gate = gate.ok_or_else(|| {
        format!("there is no gate for the provider {provider}: a consumer writes it with its first batch")
    })?;
    print!("{}", describe(&gate, aws::system::SystemClock.now()));
    Ok(())
}

/// Pauses it.
pub async fn pause(change: &Change) -> Result<(), String> {
    let note = note(change.who.as_deref(), &change.why)?;
    done(&change.gate.account, &change.gate.provider, Operation::Pause, &note).await
}

/// Lets it go on.
pub async fn resume(change: &Change) -> Result<(), String> {
    let note = note(change.who.as_deref(), &change.why)?;
    done(&change.gate.account, &change.gate.provider, Operation::Resume, &note).await
}

/// Sets its rate.
pub async fn rate(rate: &Rate) -> Result<(), String> {
    let note = note(rate.who.as_deref(), &rate.why)?;
    done(&rate.account, &rate.provider, Operation::Rate(rate.rate_per_second), &note).await
}

fn note(who: Option<&str>, why: &str) -> Result<Note, String> {
    let user =
        ["USER", "LOGNAME"].iter().find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()));
    let who = who.map(str::to_owned).or(user).ok_or("the environment has no USER: say with --who who does it")?;
    Note::new(aws::system::SystemClock.now(), &who, why).map_err(|error| error.to_string())
}

async fn done(account: &AccountArguments, provider: &str, operation: Operation, note: &Note) -> Result<(), String> {
    let account = Account::open(account).await?;
    let done = operate(&account.gates(), provider, operation, note).await.map_err(|error| error.to_string())?;
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

/// Everything that a person asks, a line each.
pub fn describe(gate: &GateState, now: Timestamp) -> String {
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
    line("paused", if gate.paused { &"yes: nothing is sent until `cargo dev resume`" } else { &"no" });
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
        Mode::Open { probe_at_us: None } => line("next probe", &"none until `cargo dev resume`"),
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
        let text = describe(&after, now);
        assert!(text.contains("paused           yes"), "{text}");
        assert!(text.contains("1970-01-01T00:00:01.000Z by ann: their maintenance"), "{text}");
        assert!(!describe(&gate(), now).contains("yes"));
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
        let text = describe(&GateState { breaker, ..gate() }, Timestamp::from_ms(3_000));
        assert!(text.contains("open since 1970-01-01T00:00:02.000Z, credentials_refused"), "{text}");
        assert!(text.contains("none until `cargo dev resume`"), "{text}");
    }
}

//! `cargo dev plan`: what to deploy for a provider and a sale, and whether a template's numbers agree with one another.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use plan::print::sheet;
use plan::template::check;
use plan::{Demand, Plan, parse};

/// The slowest ordinary answer where nobody says it: ten times the ordinary one, as a provider that answers in 0.2–2 s
/// has it, and no more than a call's shortest time-out.
const TAIL_IN_LATENCIES: u64 = 10;
const TAIL_MS_MAX: u64 = 10_000;

/// What a person says on the command line.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Calls a second that the provider takes, such as 5000.
    #[arg(long, value_name = "N", value_parser = parse::rate, required_unless_present = "check")]
    rate: Option<NonZeroU32>,
    /// The provider's ordinary answer, such as 200ms.
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration_ms, required_unless_present = "check", conflicts_with = "check")]
    latency: Option<u64>,
    /// Its slowest ordinary answer; ten times the ordinary one, and 10 s at most, if nobody says it.
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration_ms, conflicts_with = "check")]
    tail: Option<u64>,
    /// Payments a second during a sale, such as 100000/s; the provider's rate if nobody says it.
    #[arg(long, value_name = "N/s", value_parser = parse::rate, conflicts_with = "check")]
    peak: Option<NonZeroU32>,
    /// How long a sale lasts.
    #[arg(long = "for", value_name = "TIME", value_parser = parse::some_duration_ms, default_value = "60s", conflicts_with = "check")]
    lasting: u64,
    /// Payments in a month, for the bill; one sale's if nobody says it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "check")]
    payments_per_month: Option<u64>,
    /// The provider's stated bound: a charge that is not found this long after its request does not exist.
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration_ms, conflicts_with = "check")]
    absence_bound: Option<u64>,
    /// How long the provider remembers an idempotency key.
    #[arg(long, value_name = "TIME", value_parser = parse::some_duration_ms, conflicts_with = "check")]
    key_window: Option<u64>,
    /// Calls that the provider takes side by side, if it states such a limit.
    #[arg(long, value_name = "N", conflicts_with = "check")]
    max_in_flight: Option<NonZeroU32>,
    /// Checks this template instead: one line for each number that contradicts another.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// A parameter of the template to check, where it is not the default; may be given for each.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parse::parameter, requires = "check")]
    parameters: Vec<(String, String)>,
}

impl Arguments {
    fn demand(&self) -> Option<Demand> {
        let (rate_per_second, latency_ms) = (self.rate?, self.latency?);
        let tail_ms = self.tail.unwrap_or_else(|| latency_ms.saturating_mul(TAIL_IN_LATENCIES).min(TAIL_MS_MAX));
        let peak_per_second = self.peak.unwrap_or(rate_per_second);
        let one_sale = u64::from(peak_per_second.get()).saturating_mul(self.lasting).div_ceil(1_000);
        Some(Demand {
            rate_per_second,
            latency_ms,
            tail_ms: tail_ms.max(latency_ms),
            peak_per_second,
            sale_ms: self.lasting,
            payments_per_month: self.payments_per_month.unwrap_or(one_sale),
            absence_bound_ms: self.absence_bound,
            calls_max: self.max_in_flight,
        })
    }
}

/// Prints a plan, or a template's contradictions.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    if let Some(path) = &arguments.check {
        return run_check(path, arguments);
    }
    // The command line's own rules see to it that both are there.
    let demand = arguments.demand().ok_or("a plan needs --rate and --latency")?;
    let plan = Plan::of(&demand).map_err(|error| format!("there is no plan for that: {error}"))?;
    print!("{}", sheet(&plan, arguments.key_window));
    Ok(())
}

fn run_check(path: &PathBuf, arguments: &Arguments) -> Result<(), String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let check::Report { findings, notes, not_given } = check::check(&text, &arguments.parameters, arguments.rate);
    for finding in &findings {
        println!("{name}:{}: {}", finding.line, finding.text);
    }
    for note in &notes {
        println!("{name}:{}: note: {}", note.line, note.text);
    }
    if !not_given.is_empty() {
        println!(
            "Without a default and not given, so that what depends on them was not checked: {} (--parameter NAME=VALUE).",
            not_given.join(", ")
        );
    }
    if findings.is_empty() {
        println!("{name}: its numbers agree.");
        return Ok(());
    }
    Err(format!("{} of the numbers in {name} contradict others", findings.len()))
}

//! The one summary that a person reads at the end of a run.

use std::collections::BTreeMap;
use std::fmt;

use payments::payment::State;

use super::{Evidence, Sums, doubles, faults, made_while_queued, most_in_a_second, percentile, sums};
use crate::load::sender::Problem;
use plan::print::grouped;

/// All that is printed.
#[derive(Debug)]
pub struct Report<'a> {
    /// What the verdict goes by.
    pub evidence: Evidence<'a>,
    /// Lines of the file that could be asked for.
    pub transactions: usize,
    /// Lines of the file that could not.
    pub bad_rows: usize,
    /// How long each HTTP request took to be answered, repeats included.
    pub answer_ms: &'a [u64],
    /// Answers marked as replays.
    pub replayed: usize,
    /// Answers that told a merchant to come later, because it sends faster than it may.
    pub rate_limited: u32,
    /// Refusals of transactions, counted by status and problem.
    pub refused: &'a BTreeMap<(u16, Problem), usize>,
    /// What only the process that runs the system knows.
    pub inside: Option<Inside<'a>>,
    /// From the first request to the last end, in ms.
    pub took_ms: u64,
}

/// What the system's own process has counted.
#[derive(Clone, Copy, Debug)]
pub struct Inside<'a> {
    /// AWS calls by who made them and operation, and of how many payments.
    pub aws_calls: &'a [AwsCalls],
    /// What the rate and the margin leave to be used, in calls in 1,000 s.
    pub calls_per_1000_s: u64,
    /// Messages that were delivered twice on purpose.
    pub duplicated: u64,
    /// Batches that failed as a whole.
    pub failed_batches: u64,
}

/// AWS calls of one function.
#[derive(Clone, Debug)]
pub struct AwsCalls {
    /// Which function.
    pub name: &'static str,
    /// Over how many payments they spread.
    pub payments: usize,
    /// Calls to the provider that it made; payments that met a fault need more than one.
    pub provider_calls: Option<usize>,
    /// By operation.
    pub by_operation: BTreeMap<String, u64>,
}

impl Report<'_> {
    /// What is wrong, one line each; empty when nothing is.
    pub fn faults(&self) -> Vec<String> {
        faults(&self.evidence)
    }

    fn states(&self) -> BTreeMap<&'static str, usize> {
        count(self.evidence.accepted.iter().map(|payment| match &payment.stands {
            Some(stands) => stands.state.as_str(),
            None => "missing",
        }))
    }

    fn write_requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: usize = self.refused.values().sum();
        line(f, "transactions", format_args!("{} in the file, {} lines refused", self.transactions, self.bad_rows))?;
        let answered = half_and_most(self.answer_ms.iter().copied());
        let requests = self.answer_ms.len();
        line(f, "requests", format_args!("{requests}, repeats included; answered in {answered}"))?;
        line(f, "accepted", format_args!("{}", self.evidence.accepted.len()))?;
        line(f, "replayed", format_args!("{} answered with what was there already", self.replayed))?;
        if self.rate_limited > 0 {
            let times = self.rate_limited;
            line(f, "rate limited", format_args!("{times} answers of 429, each asked again after its Retry-After"))?;
        }
        line(f, "refused", format_args!("{refused}"))?;
        for ((status, Problem { title, field, reason }), times) in self.refused {
            let field = if field.is_empty() { String::new() } else { format!("{field} ") };
            line(f, "", format_args!("{times} × {status} {title}: {field}{reason}"))?;
        }
        Ok(())
    }

    fn write_outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accepted = self.evidence.accepted;
        line(f, "final states", format_args!("{}", join(&self.states())))?;
        let seen = accepted.iter().filter_map(|payment| payment.stands.as_ref());
        let reasons = count(seen.flat_map(|stands| stands.reasons.iter().copied()));
        let detours = ["timed_out", "connection_lost", "provider_error", "pending_at_provider", "lease_ended"];
        let detours: BTreeMap<_, _> =
            reasons.iter().filter(|(reason, _)| detours.contains(reason)).map(|(r, n)| (*r, *n)).collect();
        line(f, "on the way", format_args!("{} (payments that met it)", join(&detours)))?;
        let settled = accepted.iter().filter_map(|payment| payment.stands.as_ref()?.settled_after_ms);
        let settled = half_and_most(settled);
        line(f, "settled after", format_args!("{settled}; the whole run took {} ms", grouped(self.took_ms)))
    }

    fn write_provider(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Evidence { ledger, calls, limit, .. } = self.evidence;
        let most = most_in_a_second(calls.iter().map(|call| call.at_ms));
        let operations = join(&count(calls.iter().map(|call| call.operation.as_str())));
        line(f, "provider calls", format_args!("{}: {operations}", calls.len()))?;
        line(f, "", format_args!("{}", join(&count(calls.iter().map(|call| call.answer.as_str())))))?;
        line(f, "busiest second", format_args!("{most} calls against a limit of {limit}"))?;
        self.write_rate_used(f)?;
        line(f, "ledger", format_args!("{} effects, {} double charges", ledger.len(), doubles(ledger).len()))?;
        let accepted = self.evidence.accepted;
        let sent = sums(accepted.iter().map(|payment| (&*payment.kind, &*payment.currency, payment.amount)));
        let by_ledger = sums(ledger.iter().map(|effect| (&*effect.kind, &*effect.currency, effect.amount)));
        let by_state = |wanted: fn(State) -> bool| -> Sums {
            sums(accepted.iter().filter_map(|payment| {
                let stands = payment.stands.as_ref()?;
                wanted(stands.state).then_some((&*payment.kind, &*payment.currency, stands.amount))
            }))
        };
        let succeeded = by_state(|state| state == State::Succeeded);
        let others = by_state(|state| state != State::Succeeded);
        for (key, amount) in &sent {
            let of = |sums: &Sums| grouped(sums.get(key).copied().unwrap_or(0));
            line(
                f,
                &format!("{} {}", key.0, key.1),
                format_args!(
                    "accepted {} = succeeded {} + other states {}; ledger {}",
                    grouped(*amount),
                    of(&succeeded),
                    of(&others),
                    of(&by_ledger),
                ),
            )?;
        }
        Ok(())
    }

    fn write_rate_used(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Inside { calls_per_1000_s, .. }) = self.inside else { return Ok(()) };
        let Some((made, within_ms)) = made_while_queued(self.evidence.calls) else { return Ok(()) };
        let most = calls_per_1000_s.saturating_mul(within_ms) / 1_000_000;
        let percent = made.saturating_mul(100) / most.max(1);
        let seconds = within_ms / 1_000;
        let how = format_args!(
            "{percent} %: {made} calls of {most} in the {seconds} s in which a payment waited for its first"
        );
        line(f, "rate used", how)
    }

    fn write_aws(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Inside { aws_calls, duplicated, failed_batches, .. }) = self.inside else { return Ok(()) };
        for calls in aws_calls.iter().filter(|calls| !calls.by_operation.is_empty()) {
            let total: u64 = calls.by_operation.values().sum();
            let by_operation: Vec<_> = calls
                .by_operation
                .iter()
                .map(|(operation, times)| format!("{operation} {}", per(*times, calls.payments)))
                .collect();
            line(
                f,
                &format!("AWS, {}", calls.name),
                format_args!("{} calls a payment: {}", per(total, calls.payments), by_operation.join(", ")),
            )?;
            if let Some(provider_calls) = calls.provider_calls {
                line(f, "", format_args!("{} calls for each call to the provider", per(total, provider_calls)))?;
            }
        }
        line(
            f,
            "delivered twice",
            format_args!("{duplicated} messages, on purpose; {failed_batches} batches failed as a whole"),
        )
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_requests(f)?;
        self.write_outcome(f)?;
        self.write_provider(f)?;
        self.write_aws(f)?;
        let faults = self.faults();
        if faults.is_empty() {
            let good = "nothing lost, nothing charged twice, the rate held";
            return match self.bad_rows {
                0 => line(f, "VERDICT", format_args!("good: {good}")),
                1 => line(f, "VERDICT", format_args!("good for what was sent: {good}; 1 line of the file was refused")),
                more => line(
                    f,
                    "VERDICT",
                    format_args!("good for what was sent: {good}; {more} lines of the file were refused"),
                ),
            };
        }
        line(f, "VERDICT", format_args!("BAD: {}", faults.join("; ")))
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "{name:<16} {text}")
}

fn half_and_most(values_ms: impl IntoIterator<Item = u64>) -> String {
    let values_ms: Vec<u64> = values_ms.into_iter().collect();
    let of = |percent| percentile(values_ms.iter().copied(), percent).map_or("none".to_owned(), grouped);
    format!("p50 {} ms, p99 {} ms", of(50), of(99))
}

fn count<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn join(counts: &BTreeMap<&str, usize>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<_> = counts.iter().map(|(name, times)| format!("{name} {times}")).collect();
    parts.join(", ")
}

/// A share with two digits, by whole numbers.
fn per(times: u64, payments: usize) -> String {
    let payments = u64::try_from(payments).unwrap_or(1).max(1);
    let hundredths = (times * 100 + payments / 2) / payments;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(per(1_000, 467), "2.14");
        assert_eq!(per(5, 0), "5.00");
    }

    #[test]
    fn a_report_says_everything_and_ends_with_the_verdict() {
        let problem = Problem {
            title: "The request has faults".to_owned(),
            field: "amount".to_owned(),
            reason: "must be at least 1".to_owned(),
        };
        let refused = BTreeMap::from([((400, problem), 45)]);
        let report = Report {
            evidence: Evidence {
                accepted: &[],
                unanswered: 0,
                ledger: &[],
                calls: &[],
                limit: 50,
                books_are_torn: false,
            },
            transactions: 45,
            bad_rows: 0,
            answer_ms: &[1; 45],
            replayed: 0,
            rate_limited: 3,
            refused: &refused,
            inside: None,
            took_ms: 1_000,
        };
        let text = report.to_string();
        assert!(text.contains("rate limited     3 answers of 429"), "{text}");
        assert!(text.contains("45 × 400 The request has faults: amount must be at least 1"), "{text}");
        assert!(text.lines().last().unwrap().contains("good"), "{text}");
    }
}

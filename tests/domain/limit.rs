//! A merchant's rate: right to within 5 % over a hundred environments, never in the way of a merchant that keeps to it,
//! and next to no call for a payment.

use std::collections::BinaryHeap;
use std::cmp::Reverse;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use payments::admission::Backlog;
use payments::gate::{Form, GateState};
use payments::id::MerchantId;
use payments::limit::{Bucket, LEASE_US, Limit, Limiter, RATE_MAX, Take, Taken, Verdict, admit};
use payments::ports::{Admission, AdmissionError};
use payments::time::Timestamp;
use proptest::prelude::*;

use super::cases;
use crate::contract::samples::NOW;

const SECOND_US: u64 = 1_000_000;
/// How far clocks may be apart, either way (I1 to I11 hold with ±1 s).
const SKEW_US: u64 = SECOND_US;

/// One merchant's bucket, which answers at once, and counts its calls.
#[derive(Default)]
struct Table {
    bucket: Mutex<Option<Bucket>>,
    calls: AtomicU64,
    is_down: AtomicBool,
}

impl Admission for Table {
    async fn take(&self, take: &Take) -> Result<Taken, AdmissionError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) {
            return Err(AdmissionError("down".to_owned()));
        }
        let mut bucket = self.bucket.lock().unwrap();
        Ok(match take.apply(*bucket) {
            Some(after) => {
                *bucket = Some(after);
                Taken::Done(after)
            }
            None => Taken::Refused(bucket.unwrap_or_default()),
        })
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), AdmissionError> {
        Ok((None, None))
    }

    async fn measure(&self, _: Timestamp) -> Result<Option<Backlog>, AdmissionError> {
        Ok(None)
    }
}

fn merchant() -> MerchantId {
    MerchantId::new("shop").unwrap()
}

/// A merchant's payments, which come to environments by chance.
struct Load {
    limit: Limit,
    /// What it sends, in payments a second.
    per_second: f64,
    /// How much of it goes to which environment.
    weights: Vec<f64>,
    seconds: u64,
    seed: u64,
}

/// What became of them.
#[derive(Debug, Default)]
struct Came {
    sent: u64,
    admitted_at_us: Vec<u64>,
    refused: u64,
    calls: u64,
}

impl Load {
    /// The environments' shares fall by Zipf's law, so that the first has the most by far.
    fn uneven(limit: Limit, per_second: f64, environments: u32, seed: u64) -> Self {
        let weights = (1..=environments).map(|rank| 1.0 / f64::from(rank)).collect();
        Self { limit, per_second, weights, seconds: 60, seed }
    }

    async fn run(&self, table: &Table) -> Came {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let all: f64 = self.weights.iter().sum();
        let mean_us: Vec<f64> = self.weights.iter().map(|weight| all / weight / self.per_second * 1e6).collect();
        let limiters: Vec<Mutex<Limiter>> = self.weights.iter().map(|_| Mutex::default()).collect();
        let skews_us: Vec<u64> = self.weights.iter().map(|_| random.u64(0..=2 * SKEW_US)).collect();
        // Poisson arrivals at each environment.
        let gap_us = |random: &mut fastrand::Rng, mean_us: f64| {
            let share: f64 = 1.0 - random.f64();
            (-mean_us * share.ln()) as u64
        };
        let end_us = self.seconds * SECOND_US;
        let mut next: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        for (environment, mean_us) in mean_us.iter().enumerate() {
            next.push(Reverse((gap_us(&mut random, *mean_us), environment)));
        }
        let mut came = Came::default();
        while let Some(Reverse((at_us, environment))) = next.pop() {
            if at_us >= end_us {
                continue;
            }
            next.push(Reverse((at_us + gap_us(&mut random, mean_us[environment]), environment)));
            let its_clock_us = NOW.us() + at_us + skews_us[environment];
            came.sent += 1;
            let verdict = admit(table, &limiters[environment], &merchant(), self.limit, its_clock_us).await;
            if verdict.is_admitted {
                came.admitted_at_us.push(at_us);
            } else {
                assert!((1..=10).contains(&verdict.seconds), "{verdict:?}");
                came.refused += 1;
            }
        }
        came.calls = table.calls.load(Ordering::Relaxed);
        came
    }
}

impl Came {
    /// Admitted a second from here on.
    fn per_second_from(&self, from_us: u64, until_us: u64) -> f64 {
        let count = self.admitted_at_us.iter().filter(|at_us| (from_us..until_us).contains(at_us)).count();
        count as f64 * 1e6 / (until_us - from_us) as f64
    }

    fn calls_per_payment(&self) -> f64 {
        self.calls as f64 / self.sent as f64
    }
}

/// The issue's own figure: 100 environments, whatever the overload.
#[tokio::test]
async fn a_hundred_environments_keep_a_merchants_rate_to_within_five_percent() {
    for (rate, overload) in [(50, 1.5), (50, 10.0), (1_000, 1.05), (1_000, 1.5), (1_000, 10.0), (20_000, 3.0)] {
        let limit = Limit::new(rate, rate * 2);
        let load = Load::uneven(limit, f64::from(rate) * overload, 100, u64::from(rate));
        let came = load.run(&Table::default()).await;
        // The burst is over after ten seconds; what follows is steady.
        let steady = came.per_second_from(10 * SECOND_US, 60 * SECOND_US);
        let share = steady / f64::from(rate);
        println!(
            "rate {rate:>6}/s, {overload:>5} times as much sent, 100 environments: {:.2} % of the rate admitted, {:.4} \
             calls a payment sent, {:.0} calls a second",
            100.0 * share,
            came.calls_per_payment(),
            came.calls as f64 / 60.0,
        );
        assert!((0.95..=1.05).contains(&share), "{rate} × {overload}: {steady} a second");
        // One partition writes 1,000 a second; an overload must not come near it.
        assert!(came.calls < 60 * 500, "{} calls a second", came.calls / 60);
    }
}

#[tokio::test]
async fn a_merchant_below_its_rate_is_never_refused_and_pays_next_to_no_calls() {
    for (rate, share, calls_max) in [(50, 0.8, 1.0), (1_000, 0.5, 0.35), (1_000, 0.9, 0.35), (20_000, 0.9, 0.02)] {
        let load = Load::uneven(Limit::new(rate, rate * 2), f64::from(rate) * share, 100, u64::from(rate));
        let came = load.run(&Table::default()).await;
        println!(
            "rate {rate:>6}/s, {:.0} % of it sent, 100 environments: {} of {} refused, {:.4} calls a payment",
            share * 100.0,
            came.refused,
            came.sent,
            came.calls_per_payment(),
        );
        assert_eq!(came.refused, 0, "{rate} × {share}");
        assert!(came.calls_per_payment() <= calls_max, "{rate} × {share}: {}", came.calls_per_payment());
    }
}

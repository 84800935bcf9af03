//! A merchant's rate: right to within 5 % over a hundred environments, never in the way of a merchant that keeps to it,
//! and next to no call for a payment.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pacing::admission::{Backlog, Gathered};
use pacing::bucket::{Bucket, LEASE_US, Limiter, Take, Taken, free_us, room, span_us};
use pacing::gate::GateState;
use payments::id::MerchantId;
use payments::limit::{Limit, RATE_MAX};
use payments::time::Timestamp;
use ports::admission::admit;
use ports::{Admission, PortError};
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
    async fn take(&self, take: &Take) -> Result<Taken, PortError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) {
            return Err(PortError::throttled("down"));
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

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), PortError> {
        Ok((None, None))
    }

    async fn measure(&self, _: Timestamp, _: &Gathered) -> Result<Option<Backlog>, PortError> {
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
    skew_us: u64,
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
        Self { limit, per_second, weights, seconds: 60, skew_us: SKEW_US, seed }
    }

    async fn run(&self, table: &Table) -> Came {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let all: f64 = self.weights.iter().sum();
        let mean_us: Vec<f64> = self.weights.iter().map(|weight| all / weight / self.per_second * 1e6).collect();
        let limiters: Vec<Mutex<Limiter>> = self.weights.iter().map(|_| Mutex::default()).collect();
        let skews_us: Vec<u64> = self.weights.iter().map(|_| random.u64(0..=2 * self.skew_us)).collect();
        // Poisson arrivals at each environment.
        let gap_us = |random: &mut fastrand::Rng, mean_us: f64| {
            let share: f64 = 1.0 - random.f64();
            let gap = Duration::from_secs_f64(-mean_us * share.ln() / 1e6);
            u64::try_from(gap.as_micros()).unwrap()
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
            let (verdict, _) = admit(table, &limiters[environment], &merchant(), self.limit, its_clock_us).await;
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
        f64::from(u32::try_from(count).unwrap()) / Duration::from_micros(until_us - from_us).as_secs_f64()
    }

    fn calls_per_payment(&self) -> f64 {
        f64::from(u32::try_from(self.calls).unwrap()) / f64::from(u32::try_from(self.sent).unwrap())
    }
}

/// A hundred environments, whatever the overload.
#[tokio::test]
async fn a_hundred_environments_keep_a_merchants_rate_to_within_five_percent() {
    for (rate, overload) in [(50, 1.5), (50, 10.0), (1_000, 1.05), (1_000, 1.5), (1_000, 10.0), (20_000, 2.0)] {
        let load = Load::uneven(Limit::usual(rate), f64::from(rate) * overload, 100, u64::from(rate));
        let came = load.run(&Table::default()).await;
        // The burst is over by then; what follows is steady. At a twentieth too much it takes a minute.
        let begins_us = if overload < 1.2 { 0 } else { 10 * SECOND_US };
        let burst = if begins_us == 0 { f64::from(Limit::usual(rate).burst()) / 60.0 } else { 0.0 };
        let steady = came.per_second_from(begins_us, 60 * SECOND_US);
        let share = steady / f64::from(rate);
        println!(
            "rate {rate}/s, {overload} times as much sent: {:.2} % of the rate admitted, {:.4} calls a payment sent, {} \
             calls a second",
            100.0 * share,
            came.calls_per_payment(),
            came.calls / 60,
        );
        assert!(steady >= 0.95 * f64::from(rate), "{rate} × {overload}: {steady} a second");
        assert!(steady <= 1.05 * f64::from(rate) + burst, "{rate} × {overload}: {steady} a second");
        // One partition writes 1,000 a second; an overload must not come near it. Without pauses it is 417 here.
        assert!(came.calls < 60 * 200, "{} calls a second", came.calls / 60);
    }
}

#[tokio::test]
async fn a_merchant_below_its_rate_is_never_refused_and_adds_next_to_no_calls() {
    let usual = Limit::usual;
    for (limit, share, skew_us, calls_max) in [
        // Fifty a second over a hundred environments: hardly two payments come to one environment in a second.
        (usual(50), 0.8, SKEW_US, 1.0),
        (usual(1_000), 0.5, SKEW_US, 0.2),
        (usual(1_000), 0.9, SKEW_US, 0.2),
        (usual(20_000), 0.9, SKEW_US, 0.01),
        // Half of the usual burst, with clocks that are in step.
        (Limit::new(1_000, 2_000), 0.9, 50_000, 0.25),
    ] {
        let rate = limit.rate_per_second();
        let load = Load { skew_us, ..Load::uneven(limit, f64::from(rate) * share, 100, u64::from(rate)) };
        let came = load.run(&Table::default()).await;
        println!(
            "rate {rate}/s, {:.0} % of it sent: {} of {} refused, {:.4} calls a payment",
            share * 100.0,
            came.refused,
            came.sent,
            came.calls_per_payment(),
        );
        assert_eq!(came.refused, 0, "{limit:?} × {share}");
        assert!(came.calls_per_payment() <= calls_max, "{limit:?} × {share}: {}", came.calls_per_payment());
    }
}

/// A sale as one environment has it: what a hundred of them bring of a whale's payments.
#[tokio::test]
async fn in_a_sale_a_hundred_payments_share_a_call() {
    let limit = Limit::usual(100_000);
    let load = Load { seconds: 5, weights: vec![1.0; 100], ..Load::uneven(limit, 10_000.0, 100, 7) };
    let came = load.run(&Table::default()).await;
    assert_eq!(came.refused, 0);
    assert!(came.calls_per_payment() <= 0.01, "{}", came.calls_per_payment());
}

#[tokio::test]
async fn a_bucket_that_does_not_answer_refuses_nobody_who_keeps_the_pace_that_was() {
    let (limit, table, limiter) = (Limit::usual(100), Table::default(), Mutex::default());
    let mut now_us = NOW.us();
    let mut second = async |table: &Table, sent: u64| {
        let mut admitted = 0;
        for _ in 0..sent {
            let (verdict, _) = admit(table, &limiter, &merchant(), limit, now_us).await;
            assert!(verdict.is_admitted || verdict.seconds >= 1);
            admitted += u64::from(verdict.is_admitted);
            now_us += SECOND_US / sent;
        }
        admitted
    };
    for _ in 0..5 {
        assert_eq!(second(&table, 40).await, 40);
    }
    table.is_down.store(true, Ordering::Relaxed);
    table.calls.store(0, Ordering::Relaxed);
    for _ in 0..10 {
        let admitted = second(&table, 40).await;
        assert!(admitted >= 39, "{admitted}");
    }
    assert!(table.calls.load(Ordering::Relaxed) <= 11, "one call a second while it is down");
    // A flood does not come in because of it: what was leased before is leased again, each second.
    for _ in 0..10 {
        let admitted = second(&table, 4_000).await;
        assert!(admitted <= 160, "{admitted}");
    }
}

/// What this environment leased in a second may be more than the burst: as much as the bucket held and what came meanwhile.
#[tokio::test]
async fn a_bucket_that_does_not_answer_lets_no_more_in_at_once_than_the_burst() {
    let (limit, table, limiter) = (Limit::new(10, 10), Table::default(), Mutex::default());
    let admitted = async |at_us: u64, sent: u32| {
        let mut admitted = 0;
        for _ in 0..sent {
            let (verdict, _) = admit(&table, &limiter, &merchant(), limit, NOW.us() + at_us).await;
            admitted += u32::from(verdict.is_admitted);
        }
        admitted
    };
    assert_eq!(admitted(0, 10).await, 10, "the whole burst");
    assert_eq!(admitted(900_000, 9).await, 9, "and what has come since");
    table.is_down.store(true, Ordering::Relaxed);
    assert_eq!(admitted(900_000, 40).await, 10, "of the 19 that were leased within a second");
    assert_eq!(admitted(900_000 + SECOND_US, 40).await, 10, "and in each second after");
}

/// What was leased and not used is nobody's stock: a merchant comes back to its bucket.
#[tokio::test]
async fn a_lease_is_good_for_ten_seconds() {
    let (limit, table, limiter) = (Limit::usual(1_000), Table::default(), Mutex::default());
    let asked_at = async |us: u64| {
        let before = table.calls.load(Ordering::Relaxed);
        assert!(admit(&table, &limiter, &merchant(), limit, NOW.us() + us).await.0.is_admitted);
        table.calls.load(Ordering::Relaxed) > before
    };
    assert!(asked_at(0).await);
    assert!(!asked_at(LEASE_US - 1).await, "a two-hundredth of the burst is leased at least");
    assert!(asked_at(LEASE_US).await);
}

/// What an environment remembers is bounded. A lease that holds is not forgotten for those that are over.
#[tokio::test]
async fn some_thousand_merchants_are_remembered_and_no_more() {
    let (limit, table, limiter) = (Limit::new(RATE_MAX, 10 * RATE_MAX), Table::default(), Mutex::default());
    let asked = async |name: String, us: u64| {
        let before = table.calls.load(Ordering::Relaxed);
        let merchant = MerchantId::new(name).unwrap();
        assert!(admit(&table, &limiter, &merchant, limit, NOW.us() + us).await.0.is_admitted);
        table.calls.load(Ordering::Relaxed) > before
    };
    let known = || format!("{:?}", limiter.lock().unwrap()).matches("tokens: ").count();
    for number in 0..4_096 {
        assert!(asked(format!("m{number}"), 0).await);
    }
    assert_eq!(known(), 4_096);
    assert!(asked("m7".to_owned(), LEASE_US + 1).await, "its first lease is over");
    assert_eq!(known(), 4_096, "nobody is forgotten for one who is known");
    assert!(asked("another".to_owned(), LEASE_US + 2).await);
    assert_eq!(known(), 2, "what is over makes room");
    assert!(!asked("m7".to_owned(), LEASE_US + 2).await, "its second lease holds");
    for number in 0..5_000 {
        asked(format!("n{number}"), LEASE_US + 2).await;
    }
    assert!((1..=4_096).contains(&known()), "{}", known());
}

/// I11: the limiter of one merchant knows nothing of another's.
#[tokio::test]
async fn one_merchants_flood_refuses_nobody_elses_payment() {
    let (limit, limiter) = (Limit::usual(10), Mutex::default());
    let (whale, other) = (MerchantId::new("whale").unwrap(), merchant());
    let (whales, others) = (Table::default(), Table::default());
    for tenth in 0..300 {
        let now_us = NOW.us() + tenth * SECOND_US / 10;
        for _ in 0..50 {
            admit(&whales, &limiter, &whale, limit, now_us).await;
        }
        if tenth % 2 == 0 {
            assert!(admit(&others, &limiter, &other, limit, now_us).await.0.is_admitted, "at {tenth}");
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    /// Whatever the load and however it falls, no span of time holds more than the bucket gives: its burst, the rate
    /// over the span and over a lease's life, and what clocks apart make of it.
    #[test]
    fn no_span_of_time_holds_more_than_the_bucket_gives(
        rate in 1_u32..2_000,
        burst in 1_u32..10,
        overload in 0.1_f64..20.0,
        environments in 1_u32..30,
        seed in any::<u64>(),
    ) {
        let limit = Limit::new(rate, rate * burst);
        let per_second = (f64::from(rate) * overload).min(3_000.0);
        let load = Load { seconds: 12, ..Load::uneven(limit, per_second, environments, seed) };
        let came = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(load.run(&Table::default()));
        let lease_seconds = LEASE_US / SECOND_US + 2 * SKEW_US / SECOND_US;
        for seconds in [1, 5, 12] {
            let most = u64::from(limit.burst()) + u64::from(rate) * (seconds + lease_seconds);
            for from in 0..=12 - seconds {
                let begun_us = from * SECOND_US;
                let span = begun_us..begun_us + seconds * SECOND_US;
                let count = came.admitted_at_us.iter().filter(|at_us| span.contains(at_us)).count() as u64;
                prop_assert!(count <= most, "{count} in {seconds} s, {limit:?}");
            }
        }
        // Over the whole time what is out is what was taken.
        let most = u64::from(limit.burst()) + u64::from(rate) * (12 + 2 * SKEW_US / SECOND_US) + 1;
        prop_assert!(came.admitted_at_us.len() as u64 <= most, "{} of {most}, {limit:?}", came.admitted_at_us.len());
    }

    /// A bucket never holds more than its burst, and a take is refused exactly where it would be overdrawn.
    #[test]
    fn a_take_is_what_the_room_says(
        rate in 1_u32..=RATE_MAX,
        seconds in 1_u32..10,
        full_in_us in 0_u64..20_000_000,
        tokens in 1_u32..100_000,
    ) {
        let limit = Limit::new(rate, rate.saturating_mul(seconds));
        let bucket = Bucket { full_us: NOW.us() + full_in_us };
        let before = room(limit, bucket.full_us, NOW.us());
        let take = Take::new(&merchant(), limit, tokens.min(limit.burst()), bucket, NOW.us());
        match take.apply(Some(bucket)) {
            Some(after) => {
                prop_assert!(tokens.min(limit.burst()) <= before + 1);
                prop_assert!(after.full_us <= NOW.us() + span_us(limit, limit.burst()));
                prop_assert!(room(limit, after.full_us, NOW.us()) <= before);
            }
            None => prop_assert!(tokens.min(limit.burst()) > before.saturating_sub(1), "{tokens} of {before}"),
        }
        prop_assert!(room(limit, free_us(limit, bucket.full_us).max(NOW.us()) + 1, 0) <= limit.burst());
    }
}

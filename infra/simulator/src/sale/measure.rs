//! What is measured of a sale.

use std::collections::VecDeque;

use hdrhistogram::Histogram;
use payments::payment::Lane;

/// How long payments waited, by merchant and lane, in ms from accepted to ended.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    by_merchant: Vec<[Histogram<u64>; 2]>,
}

impl Waits {
    pub(super) fn new(merchants: usize) -> Self {
        let empty = || Histogram::new(3).expect("three digits are within a histogram's bounds");
        Self { by_merchant: (0..merchants).map(|_| [empty(), empty()]).collect() }
    }

    pub(super) fn add(&mut self, merchant: usize, lane: Lane, waited_ms: u64) {
        let index = usize::from(lane == Lane::Standard);
        self.by_merchant[merchant][index].record(waited_ms).expect("a histogram that grows takes any number");
    }

    /// The waits of some merchants in some lane or in both.
    pub(super) fn of(&self, merchants: impl Fn(usize) -> bool, lane: Option<Lane>) -> Wait {
        let mut sum = Histogram::<u64>::new(3).expect("three digits are within a histogram's bounds");
        for (_, lanes) in self.by_merchant.iter().enumerate().filter(|(index, _)| merchants(*index)) {
            let [high, standard] = lanes;
            let wanted = match lane {
                Some(Lane::High) => vec![high],
                Some(Lane::Standard) => vec![standard],
                None => vec![high, standard],
            };
            for waits in wanted {
                sum.add(waits).expect("histograms of the same digits add up");
            }
        }
        Wait {
            payments: sum.len(),
            p50_ms: sum.value_at_quantile(0.5),
            p99_ms: sum.value_at_quantile(0.99),
            percentiles_ms: (0..=100).map(|percent| sum.value_at_quantile(ratio(percent, 100))).collect(),
        }
    }
}

/// What a told wait may be off, as a share of it or, where it is short, in ms: it is told in whole seconds, from a figure
/// that is up to ten seconds old.
const TOLD_WITHIN: f64 = 0.2;
const TOLD_WITHIN_MS: u64 = 10_000;

/// How many of the waits that merchants were told came true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Payments whose merchant was told a wait, and that have ended.
    pub payments: u64,
    /// Those that waited as long as told, within 20 % or 10 s.
    pub right: u64,
    /// Those that waited less than told by more than that.
    pub sooner: u64,
}

/// The waits that merchants were told, and what came of them.
#[derive(Clone, Debug)]
pub(super) struct ToldWaits {
    /// By payment, in seconds; the largest number for none.
    seconds: Vec<u16>,
    by_merchant: Vec<[Told; 2]>,
}

impl ToldWaits {
    pub(super) fn new(payments: usize, merchants: usize) -> Self {
        Self { seconds: vec![u16::MAX; payments], by_merchant: vec![[Told::default(); 2]; merchants] }
    }

    pub(super) fn tell(&mut self, payment: usize, seconds: Option<u32>) {
        self.seconds[payment] = seconds.and_then(|seconds| u16::try_from(seconds).ok()).unwrap_or(u16::MAX);
    }

    pub(super) fn ended(&mut self, payment: usize, merchant: usize, lane: Lane, waited_ms: u64) {
        if self.seconds[payment] == u16::MAX {
            return;
        }
        let told_ms = u64::from(self.seconds[payment]) * 1_000;
        let off_ms = told_ms.abs_diff(waited_ms);
        let told = &mut self.by_merchant[merchant][usize::from(lane == Lane::Standard)];
        told.payments += 1;
        if off_ms <= TOLD_WITHIN_MS || ratio(off_ms, waited_ms.max(1)) <= TOLD_WITHIN {
            told.right += 1;
        } else if waited_ms < told_ms {
            told.sooner += 1;
        }
    }

    /// Those of some merchants in a lane.
    pub(super) fn of(&self, merchants: impl Fn(usize) -> bool, lane: Lane) -> Told {
        let of = self.by_merchant.iter().enumerate().filter(|(index, _)| merchants(*index));
        of.fold(Told::default(), |sum, (_, lanes)| {
            let Told { payments, right, sooner } = lanes[usize::from(lane == Lane::Standard)];
            Told { payments: sum.payments + payments, right: sum.right + right, sooner: sum.sooner + sooner }
        })
    }
}

/// How long payments waited, from accepted to ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// How many.
    pub payments: u64,
    /// Half of them at most so long.
    pub p50_ms: u64,
    /// 99 of 100 at most so long.
    pub p99_ms: u64,
    /// From the shortest to the longest.
    pub percentiles_ms: Vec<u64>,
}

/// The most calls in any second, however it is laid: a second that begins with a call holds as many as any.
pub(super) fn most_in_a_second(calls_us: &[u64]) -> usize {
    let mut window = VecDeque::new();
    let mut most = 0;
    for &at_us in calls_us {
        while window.front().is_some_and(|&first_us| first_us + 1_000_000 <= at_us) {
            window.pop_front();
        }
        window.push_back(at_us);
        most = most.max(window.len());
    }
    most
}

/// The most calls in any second of a while.
pub(super) fn most_between(calls_us: &[u64], from_us: u64, until_us: u64) -> usize {
    let within: Vec<u64> = calls_us.iter().copied().filter(|at_us| (from_us..until_us).contains(at_us)).collect();
    most_in_a_second(&within)
}

/// Calls in each window of this length, from the sale's begin on.
pub(super) fn counts(calls_us: &[u64], window_ms: u64) -> Vec<u64> {
    let window = |at_us: u64| usize::try_from(at_us / (window_ms * 1_000)).expect("a sale ends");
    let mut counts = vec![0; calls_us.iter().copied().max().map_or(0, |last_us| window(last_us) + 1)];
    for &at_us in calls_us {
        counts[window(at_us)] += 1;
    }
    counts
}

/// The standard deviation over the mean.
pub(super) fn variation(counts: &[u64]) -> f64 {
    let (count, sum) = (as_f64(counts.len()), counts.iter().sum::<u64>());
    let mean = ratio(sum, 1) / count;
    let square = |&it: &u64| (ratio(it, 1) - mean).powi(2);
    (counts.iter().map(square).sum::<f64>() / count).sqrt() / mean
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds are far below 2^52")]
pub(super) fn ratio(number: u64, of: u64) -> f64 {
    number as f64 / of as f64
}

fn as_f64(count: usize) -> f64 {
    ratio(u64::try_from(count).unwrap_or(u64::MAX), 1)
}

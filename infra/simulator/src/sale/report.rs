//! What came of a sale.

use payments::payment::Lane;

use crate::sale::mapping;
use crate::sale::measure::{Told, Wait, Waits, counts, most_between, most_in_a_second, ratio, variation};
use crate::sale::provider::{Provider, Trouble};
use crate::sale::settings::Settings;
use crate::sale::shop::{Shop, Size};

/// A way to get payments to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through this repository.
    Ours,
    /// Each payment calls the provider at once.
    Direct,
    /// A queue and a function with this reserved concurrency at the whole scale, and nothing else.
    Recipe {
        /// How many environments.
        reserved: u64,
    },
}

impl Way {
    /// In words.
    pub fn name(self) -> String {
        match self {
            Self::Ours => "Sluice".to_owned(),
            Self::Direct => "called directly".to_owned(),
            Self::Recipe { reserved } => format!("SQS, {reserved} × 10"),
        }
    }
}

/// What was seen each second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Payments that came in the second before.
    pub arrivals: Vec<u64>,
    /// Messages in the queues, visible and in flight.
    pub depth: Vec<u64>,
    /// The visible ones among them.
    pub visible: Vec<u64>,
    came: u64,
}

impl Samples {
    pub(super) fn add(&mut self, came: u64, depth: usize, visible: usize) {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        self.arrivals.push(came - self.came);
        self.came = came;
        self.depth.push(count(depth));
        self.visible.push(count(visible));
    }

    /// The last second at which something was waiting to be received.
    fn backlog_until_ms(&self) -> u64 {
        let last = self.visible.iter().rposition(|&visible| visible > 0).unwrap_or(0);
        u64::try_from(last).unwrap_or(0) * 1_000
    }
}

/// The waits of one kind of merchants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantWaits {
    /// Which kind.
    pub size: Size,
    /// All of them together.
    pub all: Wait,
    /// The longest p99 of any of them.
    pub worst_p99_ms: u64,
    /// The waits that they were told in the standard lane.
    pub told_standard: Told,
}

/// What a merchant made of a quota of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuotaUse {
    /// Calls a second that it may make.
    pub per_second: u64,
    /// Its calls.
    pub calls: u64,
    /// The most of them in any second.
    pub most_in_a_second: u64,
    /// From its first to its last, in ms.
    pub lasted_ms: u64,
}

impl QuotaUse {
    pub(super) fn of(per_second: u32, calls_us: &[u64]) -> Self {
        let mut calls_us = calls_us.to_vec();
        calls_us.sort_unstable();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let lasted_us = calls_us.last().zip(calls_us.first()).map_or(0, |(last, first)| last - first);
        Self {
            per_second: per_second.into(),
            calls: count(calls_us.len()),
            most_in_a_second: count(most_in_a_second(&calls_us)),
            lasted_ms: lasted_us / 1_000,
        }
    }

    /// The share of the quota that was used from the first call to the last.
    pub fn share_used(&self) -> f64 {
        ratio(self.calls * 1_000, (self.per_second * self.lasted_ms).max(1))
    }
}

/// What became of the payments in one way.
#[derive(Debug, Default)]
pub(super) struct CameOfIt {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) parked: u64,
    pub(super) attempts: u64,
    /// The payments whose messages were dead-lettered.
    pub(super) dead: Vec<u32>,
}

/// How long it may take until a provider that takes less is sent less, in ms.
const LESS_IS_KNOWN_MS: u64 = 2_000;

/// What came of a sale in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Which way.
    pub way: Way,
    /// Payments.
    pub payments: u64,
    /// Those whose customer was told that they succeeded.
    pub succeeded: u64,
    /// Those whose customer was told that they did not.
    pub failed: u64,
    /// Those in front of a person.
    pub parked: u64,
    /// Messages that were dead-lettered. Nothing is wrong with any payment of a sale, so each of them is a false one.
    pub dead_letters: u64,
    /// Those whose payment was never charged.
    pub dead_uncharged: u64,
    /// Payments that were charged more than once.
    pub double_charged: u64,
    /// Payments that were charged and are not known to have succeeded.
    pub charged_unknown: u64,
    /// Attempts of the payments that ended.
    pub attempts: u64,
    /// Calls that the provider got.
    pub calls: u64,
    /// The most calls under way at once, as far as our consumers make them.
    pub most_at_once: u64,
    /// Calls that it refused as over its rate.
    pub refused: u64,
    /// The provider's rate, in calls a second.
    pub rate: u64,
    /// The most calls in any second.
    pub most_in_a_second: u64,
    /// The most calls in any second while the provider took less, from two seconds after that began.
    pub most_while_less: u64,
    /// From the sale's end to the last call, in ms.
    pub drain_ms: u64,
    /// The same at the whole rate, in ms.
    pub ideal_drain_ms: u64,
    /// From when the mappings have grown to their concurrency until nothing waits to be received, in ms: the time in
    /// which the rate can be used up.
    pub steady_ms: (u64, u64),
    /// The share of the rate that was used in that time.
    pub share_used: f64,
    /// The same from the sale's first payment until nothing waits to be received.
    pub share_used_in_all: f64,
    /// The coefficient of variation of calls a window in that time.
    pub variation: f64,
    /// How long such a window is, in ms.
    pub window_ms: u64,
    /// Calls in each window.
    pub calls_a_window: Vec<u64>,
    /// What was seen each second.
    pub samples: Samples,
    /// Waits in the high lane.
    pub high: Wait,
    /// Waits in the standard lane.
    pub standard: Wait,
    /// Waits by kind of merchant.
    pub merchants: Vec<MerchantWaits>,
    /// The waits that merchants were told in the high lane.
    pub told_high: Told,
    /// What the whale made of its quota, where it has one.
    pub quota: Option<QuotaUse>,
    /// Updates of the gate, or of both.
    pub gate_updates: u64,
    /// Reads of it.
    pub gate_reads: u64,
    /// The most messages of one queue in flight.
    pub most_in_flight: usize,
}

impl Course {
    pub(super) fn new(
        way: Way,
        settings: &Settings,
        shop: &Shop,
        provider: &Provider,
        waits: &Waits,
        samples: Samples,
        came_of_it: &CameOfIt,
    ) -> Self {
        let Provider { calls_us, refused, charges, .. } = provider;
        let CameOfIt { succeeded, failed, parked, attempts, dead } = came_of_it;
        let charged = |number: u32| charges.get(usize::try_from(number).unwrap_or(usize::MAX)).copied().unwrap_or(0);
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let window_ms = settings.window_ms();
        let rate = u64::from(settings.rate());
        let begun_ms = mapping::begins_us(settings.high.max(settings.standard) - 1) / 1_000;
        // The mappings' last batches have made their first calls within the time of one batch.
        let from_ms = (begun_ms + 5_000).next_multiple_of(window_ms);
        let until_ms = samples.backlog_until_ms() / window_ms * window_ms;
        let calls_a_window = counts(calls_us, window_ms);
        let window = |ms: u64| usize::try_from(ms / window_ms).unwrap_or(usize::MAX);
        let steady = calls_a_window.get(window(from_ms)..window(until_ms)).unwrap_or(&[]);
        let all = calls_a_window.get(..window(until_ms)).unwrap_or(&[]);
        let used = |windows: &[u64]| {
            ratio(windows.iter().sum::<u64>() * 1_000, rate * window_ms * count(windows.len()).max(1))
        };
        let merchants = [Size::Whale, Size::Large, Size::Small].map(|size| {
            let of = |merchant: usize| shop.sellers[merchant].size == size;
            let each = (0..shop.sellers.len()).filter(|merchant| of(*merchant));
            let worst_p99_ms = each.map(|one| waits.of(|merchant| merchant == one, None).p99_ms).max().unwrap_or(0);
            MerchantWaits { size, all: waits.of(of, None), worst_p99_ms, told_standard: Told::default() }
        });
        let Trouble { from_ms: begins_ms, until_ms: ends_ms, limit, .. } = settings.trouble;
        let known_us = begins_ms.saturating_add(LESS_IS_KNOWN_MS) * 1_000;
        let over_us = if limit < 1.0 { ends_ms * 1_000 } else { 0 };
        let last_ms = calls_us.iter().max().copied().unwrap_or(0) / 1_000;
        Self {
            way,
            payments: settings.payments(),
            succeeded: *succeeded,
            failed: *failed,
            parked: *parked,
            dead_letters: count(dead.len()),
            dead_uncharged: count(dead.iter().filter(|&&number| charged(number) == 0).count()),
            double_charged: count(charges.iter().filter(|&&charged| charged > 1).count()),
            // Nobody is told of a success that was none.
            charged_unknown: count(charges.iter().filter(|&&charged| charged > 0).count()) - succeeded,
            attempts: *attempts,
            calls: count(calls_us.len()),
            most_at_once: 0,
            refused: *refused,
            rate,
            most_in_a_second: count(most_in_a_second(calls_us)),
            most_while_less: count(most_between(calls_us, known_us, over_us)),
            drain_ms: last_ms.saturating_sub(settings.sale_ms),
            ideal_drain_ms: settings.ideal_drain_ms(),
            steady_ms: (from_ms, until_ms.max(from_ms)),
            share_used: used(steady),
            share_used_in_all: used(all),
            variation: variation(steady),
            window_ms,
            calls_a_window,
            samples,
            high: waits.of(|_| true, Some(Lane::High)),
            standard: waits.of(|_| true, Some(Lane::Standard)),
            merchants: merchants.into(),
            told_high: Told::default(),
            quota: None,
            gate_updates: 0,
            gate_reads: 0,
            most_in_flight: 0,
        }
    }

    /// How much longer than the ideal the drain took.
    pub fn drain_over_ideal(&self) -> f64 {
        ratio(self.drain_ms, self.ideal_drain_ms)
    }

    /// The share of payments whose customer was told that they succeeded.
    pub fn success(&self) -> f64 {
        ratio(self.succeeded, self.payments)
    }

    /// The waits of one kind of merchants.
    pub fn waits_of(&self, size: Size) -> &MerchantWaits {
        let of_it = self.merchants.iter().find(|waits| waits.size == size);
        of_it.expect("each kind of merchant is there")
    }
}

//! The provider of a sale: how fast it answers, how much it takes, and when it fails. The same model stands behind all
//! the ways to call it.
//!
//! It takes its rate in any second and answers 429 beyond it. Being asked for more than that costs it: whatever it
//! answers takes longer by a quarter for each time that its rate is offered once more, up to eight times as long. That
//! is an assumption, and a mild one: a queue in front of a full server grows without a bound.

use std::collections::VecDeque;

/// How long an answer takes, as shares of answers and their time in ms; drawn linearly between two of them. Most answers
/// are quick and a few are ten times as slow, as of any service that asks a bank.
const LATENCY: [(f64, f64); 6] =
    [(0.0, 200.0), (0.5, 450.0), (0.75, 700.0), (0.9, 1_100.0), (0.99, 1_800.0), (1.0, 2_000.0)];
/// How long it takes to say 429 or 503, in ms: nothing is asked for that.
const REFUSAL_MS: (u64, u64) = (15, 30);
/// The longest that overload makes an answer, in times.
const SLOWED_AT_MOST: f64 = 8.0;

/// A time in which the provider fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trouble {
    /// From when on, in ms after the sale's begin.
    pub from_ms: u64,
    /// Until when.
    pub until_ms: u64,
    /// The share of calls that fail: half of them with a 503 before any effect, a quarter with a 503 after it, a
    /// quarter by an answer that never comes, though half of those were charged.
    pub share: f64,
    /// What it takes of its rate in that time; it says so to nobody.
    pub limit: f64,
    /// The share of calls that it answers 429 at any time, for reasons of one payment.
    pub stray: f64,
}

impl Trouble {
    /// None.
    pub const NONE: Self = Self { from_ms: 0, until_ms: 0, share: 0.0, limit: 1.0, stray: 0.0 };
    /// Fails half of the burst.
    pub const HALF: Self = Self { until_ms: 60_000, share: 0.5, ..Self::NONE };
    /// Fails everything for ten minutes in the middle of the drain.
    pub const BROWNOUT: Self = Self { from_ms: 120_000, until_ms: 720_000, share: 1.0, ..Self::NONE };
    /// Answers 429 to one call in two hundred, whatever it is sent.
    pub const STRAY: Self = Self::stray(0.005);
    /// Takes half of its rate for five minutes in the middle of the drain.
    pub const HALVED: Self = Self { from_ms: 120_000, until_ms: 420_000, limit: 0.5, ..Self::NONE };

    /// Answers 429 to this share of the calls, whatever it is sent.
    pub const fn stray(stray: f64) -> Self {
        Self { stray, ..Self::NONE }
    }

    /// Whether it takes all of its rate at all times.
    pub const fn takes_its_rate(&self) -> bool {
        self.share <= 0.0 && self.limit >= 1.0
    }
}

/// What the provider says to a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Done.
    Approved,
    /// 429.
    TooMany,
    /// 503.
    Error,
    /// Nothing, ever.
    Nothing,
}

/// An answer and when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) said: Said,
    pub(super) after_ms: u64,
    /// Whether the money moves.
    pub(super) charges: bool,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    dice: fastrand::Rng,
    rate: usize,
    trouble: Trouble,
    /// When calls came in the last second, taken or not, and which were taken.
    came_us: VecDeque<u64>,
    taken_us: VecDeque<u64>,
    /// When any call came, in microseconds after the sale's begin.
    pub(super) calls_us: Vec<u64>,
    pub(super) refused: u64,
    /// How often each payment was charged.
    pub(super) charges: Vec<u8>,
}

impl Provider {
    pub(super) fn new(seed: u64, rate: u32, trouble: Trouble, payments: u32) -> Self {
        let length = usize::try_from(payments).expect("as many as fit in memory");
        Self {
            dice: fastrand::Rng::with_seed(seed),
            rate: usize::try_from(rate).expect("as many as fit in memory"),
            trouble,
            came_us: VecDeque::new(),
            taken_us: VecDeque::new(),
            calls_us: Vec::with_capacity(length),
            refused: 0,
            charges: vec![0; length],
        }
    }

    /// A payment is sent.
    pub(super) fn send(&mut self, number: u32, now_us: u64) -> Answer {
        let Some(slowed) = self.admit(now_us) else {
            return Answer { said: Said::TooMany, after_ms: self.refusal_ms(now_us), charges: false };
        };
        if self.is_stray() {
            self.refused += 1;
            return Answer { said: Said::TooMany, after_ms: self.refusal_ms(now_us), charges: false };
        }
        let answer_ms = self.latency_ms(slowed);
        let answer = match self.failure(now_us) {
            None => Answer { said: Said::Approved, after_ms: answer_ms, charges: true },
            Some(how) if how < 0.5 => Answer { said: Said::Error, after_ms: self.refusal_ms(now_us), charges: false },
            Some(how) if how < 0.75 => Answer { said: Said::Error, after_ms: answer_ms, charges: true },
            Some(how) => Answer { said: Said::Nothing, after_ms: answer_ms, charges: how < 0.875 },
        };
        if answer.charges {
            let charged = &mut self.charges[usize::try_from(number).expect("as many as fit in memory")];
            *charged = charged.saturating_add(1);
        }
        answer
    }

    /// Somebody asks for a payment. Approved where it was charged, an error where it is not found.
    pub(super) fn query(&mut self, number: u32, now_us: u64) -> (u64, Result<bool, Said>) {
        let Some(slowed) = self.admit(now_us) else { return (self.refusal_ms(now_us), Err(Said::TooMany)) };
        if self.failure(now_us).is_some() {
            return (self.refusal_ms(now_us), Err(Said::Error));
        }
        let found = self.charges[usize::try_from(number).expect("as many as fit in memory")] > 0;
        (self.latency_ms(slowed), Ok(found))
    }

    /// Counts a call. How much slower it is answered, or `None` if it is over the rate.
    fn admit(&mut self, now_us: u64) -> Option<f64> {
        self.calls_us.push(now_us);
        let second_ago = |at_us: u64| at_us + 1_000_000 <= now_us;
        while self.came_us.front().is_some_and(|&at_us| second_ago(at_us)) {
            self.came_us.pop_front();
        }
        while self.taken_us.front().is_some_and(|&at_us| second_ago(at_us)) {
            self.taken_us.pop_front();
        }
        self.came_us.push_back(now_us);
        if self.taken_us.len() >= self.limit(now_us) {
            self.refused += 1;
            return None;
        }
        self.taken_us.push_back(now_us);
        Some(self.slowed())
    }

    fn slowed(&self) -> f64 {
        let load = ratio(self.came_us.len(), self.rate);
        (1.0 + (load - 1.0).max(0.0) / 4.0).min(SLOWED_AT_MOST)
    }

    /// Calls that it takes in a second now.
    fn limit(&self, now_us: u64) -> usize {
        let Trouble { from_ms, until_ms, limit, .. } = self.trouble;
        let is_less = limit < 1.0 && (from_ms..until_ms).contains(&(now_us / 1_000));
        let taken = rounded(limit * as_f64(self.rate.try_into().unwrap_or(u64::MAX)));
        if is_less { usize::try_from(taken).unwrap_or(usize::MAX) } else { self.rate }
    }

    fn is_stray(&mut self) -> bool {
        self.trouble.stray > 0.0 && self.dice.f64() < self.trouble.stray
    }

    /// How a call fails now, from 0 to 1, if it does.
    fn failure(&mut self, now_us: u64) -> Option<f64> {
        let Trouble { from_ms, until_ms, share, .. } = self.trouble;
        let fails = (from_ms..until_ms).contains(&(now_us / 1_000)) && self.dice.f64() < share;
        fails.then(|| self.dice.f64())
    }

    fn refusal_ms(&mut self, _now_us: u64) -> u64 {
        let slowed = self.slowed();
        rounded(slowed * as_f64(self.dice.u64(REFUSAL_MS.0..=REFUSAL_MS.1)))
    }

    fn latency_ms(&mut self, slowed: f64) -> u64 {
        let drawn = self.dice.f64();
        let above = LATENCY.iter().position(|&(share, _)| drawn < share).unwrap_or(LATENCY.len() - 1).max(1);
        let ((low, low_ms), (high, high_ms)) = (LATENCY[above - 1], LATENCY[above]);
        rounded(slowed * (low_ms + (high_ms - low_ms) * (drawn - low) / (high - low)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls and milliseconds are far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn ratio(count: usize, of: usize) -> f64 {
    as_f64(count.try_into().unwrap_or(u64::MAX)) / as_f64(of.try_into().unwrap_or(u64::MAX).max(1))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds in ms")]
fn rounded(ms: f64) -> u64 {
    ms.round() as u64
}

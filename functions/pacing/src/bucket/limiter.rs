//! What one environment knows of the merchants' buckets, and how it decides about a payment.

use std::collections::BTreeMap;

use payments::id::MerchantId;
use payments::limit::Limit;

use super::{Allowance, Bucket, Take, Taken, free_us, room, span_us};

/// How long leased tokens are good for, in microseconds. Longer, and a merchant whose payments come by seldom could
/// gather a burst beyond its own; shorter, and they would lapse between one payment and the next.
pub const LEASE_US: u64 = 10_000_000;
/// Over how long an environment's own use is counted: a lease is for so long.
const USE_US: u64 = 1_000_000;
/// The share of a burst that is leased at least while half of the bucket is full: 1 in so many. A hundred environments
/// that a merchant comes to now and then hold half a burst in this way, which is what their half is for.
const LEAST_LEASE: u32 = 200;
/// First pause of an environment that found the bucket empty, in microseconds; doubled each time that it is empty still.
const PAUSE_US: u64 = 250_000;
/// Longest such pause, in microseconds, and never more than half of what a bucket takes to fill: what overflows is lost.
const PAUSE_MAX_US: u64 = 2_000_000;
/// While the bucket does not answer: the least that an environment lets through in a second, as a share of the rate.
const BLIND_SHARE: u32 = 100;
/// Most merchants that are remembered.
const MERCHANTS_MAX: usize = 4_096;

/// One merchant's bucket as this environment knows it.
#[derive(Clone, Copy, Debug, Default)]
struct Remembered {
    /// Tokens that are leased and not handed out, and until when they are good.
    tokens: u32,
    lapse_us: u64,
    /// The bucket as last seen.
    bucket: Bucket,
    /// The bucket was empty, or did not answer: not asked before this, and the pause that led there.
    ask_from_us: u64,
    pause_us: u64,
    /// Since when payments and tokens are counted, and how many there were in this time and in the one before.
    counted_from_us: u64,
    came: u32,
    came_before: u32,
    leased: u32,
    leased_before: u32,
}

/// Looks that each environment lets a merchant make in a second without a token, so that one who looks now and then costs no
/// call. An environment answers some tens of requests a second: this is a small share of what it can do.
const FREE_LOOKS: u32 = 2;

/// What one environment knows of the merchants' buckets.
#[derive(Debug, Default)]
pub struct Limiter {
    kind: Kind,
    known: BTreeMap<MerchantId, Remembered>,
}

/// What a limiter's tokens are for, and how many need none.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    allowance: Allowance,
    free_per_second: u32,
}

/// What is said about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Whether it may come in.
    pub is_admitted: bool,
    /// Payments that may follow at once, as far as this environment knows.
    pub remaining: u32,
    /// Seconds until the bucket is full again; for a refused payment, until it is worth trying again.
    pub seconds: u32,
}

/// What to do about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing more: this is said.
    Decided(Admitted),
    /// Ask the bucket.
    Ask(Asked),
}

/// A question to a merchant's bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The update that asks.
    pub take: Take,
    tokens: u32,
}

impl Remembered {
    fn count(&mut self, now_us: u64) {
        let since_us = now_us.saturating_sub(self.counted_from_us);
        if since_us >= USE_US {
            let is_next = since_us < USE_US.saturating_mul(2);
            (self.came_before, self.leased_before) = if is_next { (self.came, self.leased) } else { (0, 0) };
            (self.came, self.leased, self.counted_from_us) = (0, 0, now_us);
        }
        self.came = self.came.saturating_add(1);
    }

    fn verdict(&self, limit: Limit, is_admitted: bool, now_us: u64) -> Admitted {
        let until_us = if is_admitted { self.bucket.full_us } else { self.ask_from_us };
        let whole = until_us.saturating_sub(now_us).div_ceil(1_000_000);
        let seconds = u32::try_from(whole).unwrap_or(u32::MAX);
        let remaining =
            if is_admitted { self.tokens.saturating_add(room(limit, self.bucket.full_us, now_us)) } else { 0 };
        Admitted { is_admitted, remaining: remaining.min(limit.burst()), seconds: seconds.max(1) }
    }

    /// Tokens to ask for: a second's worth of this environment's own use, as far as they are there.
    fn wanted(&self, limit: Limit, now_us: u64) -> u32 {
        let room = room(limit, self.bucket.full_us, now_us);
        let is_half_full = room > limit.burst() / 2;
        let least = if is_half_full { limit.burst() / LEAST_LEASE } else { 1 };
        self.came.max(self.came_before).max(least).min(room)
    }

    fn begin(&mut self, merchant: &MerchantId, limit: Limit, now_us: u64, of: Kind) -> Decision {
        self.count(now_us);
        if self.came <= of.free_per_second {
            return Decision::Decided(self.verdict(limit, true, now_us));
        }
        if self.lapse_us <= now_us {
            self.tokens = 0;
        }
        if self.tokens > 0 {
            self.tokens = self.tokens.saturating_sub(1);
            return Decision::Decided(self.verdict(limit, true, now_us));
        }
        if now_us < self.ask_from_us {
            return Decision::Decided(self.verdict(limit, false, now_us));
        }
        // What is remembered may be old by now: one token is asked for in any case.
        self.ask(merchant, limit, now_us, of)
    }

    fn ask(&self, merchant: &MerchantId, limit: Limit, now_us: u64, of: Kind) -> Decision {
        let tokens = self.wanted(limit, now_us).max(1);
        let take = Take { allowance: of.allowance, ..Take::new(merchant, limit, tokens, self.bucket, now_us) };
        Decision::Ask(Asked { take, tokens })
    }

    fn leased(&mut self, tokens: u32, now_us: u64) {
        self.tokens = self.tokens.saturating_add(tokens).saturating_sub(1);
        self.lapse_us = now_us.saturating_add(LEASE_US);
        self.leased = self.leased.saturating_add(tokens);
        self.pause_us = 0;
    }

    fn found_empty(&mut self, limit: Limit, now_us: u64) {
        let longest_us = PAUSE_MAX_US.min(span_us(limit, limit.burst()) / 2);
        let doubled_us = self.pause_us.saturating_mul(2).max(PAUSE_US);
        self.pause_us = doubled_us.min(longest_us);
        self.ask_from_us = free_us(limit, self.bucket.full_us).max(now_us.saturating_add(self.pause_us));
    }

    /// The bucket did not answer. The limiter keeps merchants from one another's way and holds nobody's money: it goes
    /// on at the pace that this environment had, rather than refusing everybody because a side table is down.
    fn go_on_blind(&mut self, limit: Limit, now_us: u64) {
        let least = limit.rate_per_second() / BLIND_SHARE;
        let tokens = self.leased.max(self.leased_before).max(least).max(1).min(limit.burst());
        self.leased(tokens, now_us);
        self.lapse_us = now_us.saturating_add(USE_US);
        self.ask_from_us = self.lapse_us;
    }
}

impl Limiter {
    /// A limiter of looks, the first of which in each second are free.
    pub fn of_looks() -> Self {
        let kind = Kind { allowance: Allowance::Looks, free_per_second: FREE_LOOKS };
        Self { kind, known: BTreeMap::new() }
    }

    /// Whether a payment of this merchant's may come in now. In the ordinary case nothing is asked.
    pub fn begin(&mut self, merchant: &MerchantId, limit: Limit, now_us: u64) -> Decision {
        let kind = self.kind;
        self.of(merchant, now_us).begin(merchant, limit, now_us, kind)
    }

    /// Goes on from what the bucket answered.
    pub fn answered(&mut self, asked: &Asked, taken: Taken, limit: Limit, now_us: u64) -> Decision {
        let (kind, merchant) = (self.kind, &asked.take.merchant);
        let known = self.of(merchant, now_us);
        match taken {
            Taken::Done(bucket) => {
                known.bucket = bucket;
                known.leased(asked.tokens, now_us);
                Decision::Decided(known.verdict(limit, true, now_us))
            }
            Taken::Refused(bucket) => {
                known.bucket = bucket;
                if room(limit, bucket.full_us, now_us) == 0 {
                    known.found_empty(limit, now_us);
                    Decision::Decided(known.verdict(limit, false, now_us))
                } else {
                    known.ask(merchant, limit, now_us, kind)
                }
            }
        }
    }

    /// The bucket did not answer: the payment comes in.
    pub fn unanswered(&mut self, asked: &Asked, limit: Limit, now_us: u64) -> Admitted {
        let known = self.of(&asked.take.merchant, now_us);
        known.go_on_blind(limit, now_us);
        known.verdict(limit, true, now_us)
    }

    /// Others were quicker each time: the bucket is all but empty.
    pub fn overtaken(&mut self, asked: &Asked, limit: Limit, now_us: u64) -> Admitted {
        let known = self.of(&asked.take.merchant, now_us);
        known.found_empty(limit, now_us);
        known.verdict(limit, false, now_us)
    }

    fn of(&mut self, merchant: &MerchantId, now_us: u64) -> &mut Remembered {
        if self.known.len() >= MERCHANTS_MAX && !self.known.contains_key(merchant) {
            self.known.retain(|_, known| known.lapse_us > now_us || known.ask_from_us > now_us);
        }
        if self.known.len() >= MERCHANTS_MAX && !self.known.contains_key(merchant) {
            self.known.clear();
        }
        self.known.entry(merchant.clone()).or_default()
    }
}

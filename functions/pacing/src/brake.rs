//! The brake: a provider that answers 429 to a share of the calls is sent less, and as much again as its rate allows once
//! it takes it. Never is more sent than the rate that was set.
//!
//! The share decides, as in Data Center TCP (RFC 8257, section 3.3), not each single 429: some providers answer 429 for
//! reasons of one payment, and slowing everybody down for those costs the rate and helps nobody. Growing back is a function
//! of the time, so that it costs no write. It is slow at first and then faster, as CUBIC's is away from the last loss (RFC
//! 9438, section 4.1): a limit that still holds is touched seldom and lightly. infra/decisions/0025 has the figures.

use serde::{Deserialize, Serialize};

use crate::breaker::WHOLE_PERMILLE;

/// The least that is sent, in thousandths of the rate: enough to notice that the provider takes calls again.
pub const LEAST_PERMILLE: u32 = 10;

/// A share of 429s up to this costs nothing but those payments' own waits, in thousandths.
pub const NOISE_PERMILLE: u32 = 30;

/// A share above this is never taken for stray, in thousandths.
pub const STRAY_MAX_PERMILLE: u32 = 150;

/// Calls that a window must have before its share counts: fifteen 429s, if their share is that of noise.
pub const WINDOW_CALLS_MIN: u64 = 500;

/// The shortest window, in microseconds. Providers count by the second.
pub const WINDOW_US: u64 = 1_000_000;

/// After a change of the pace nothing is counted for so long, in microseconds: until nearly everybody has heard.
pub const SETTLING_US: u64 = 300_000;

/// 429s that make a storm, if they are also a third of what one environment has sent since it last said so: that does not
/// wait for a window's end.
pub const STORM_LIMITED: u64 = 5;

/// What a storm cuts of the pace at most, in thousandths. It is one environment's moment, in which a provider whose second is
/// full takes nothing at all, by however little its limit was passed. Where it takes half, three storms find it in a second.
const STORM_CUT_PERMILLE: u32 = 200;

/// The same where it asks for silence: storms are then as far apart as that, and two have to come to half.
const SILENCED_CUT_PERMILLE: u32 = 350;

/// What is cut beside the share itself, in thousandths, so that the pace comes below the limit that was found and not
/// upon it.
const BELOW_PERMILLE: u32 = 50;

/// What a pace may have grown between two cuts, in thousandths of the rate.
const GROWN_MEANWHILE_PERMILLE: u32 = 20;

/// The numbers that the brake goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrakeSettings {
    /// `GATE_HOLD_MAX_MS`: the longest that one Retry-After holds all sending. How long it may hold its own payment is
    /// `PAYMENT_RETRY_AFTER_MAX_MS`.
    pub hold_max_ms: u64,
    /// `RATE_RECOVERY_MS`: how long it takes from nothing back to the whole rate.
    pub recovery_ms: u64,
}

/// Calls that were sent at one pace, and how many of them were answered 429.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paced {
    /// Sent, answered or not: a refusal comes long before an approval.
    pub calls: u64,
    /// Answered 429.
    pub limited: u64,
}

impl Paced {
    /// These and those.
    #[must_use]
    pub const fn plus(&self, other: &Self) -> Self {
        Self { calls: self.calls.saturating_add(other.calls), limited: self.limited.saturating_add(other.limited) }
    }

    /// What came since these.
    const fn since(&self, earlier: &Self) -> Self {
        Self { calls: self.calls.saturating_sub(earlier.calls), limited: self.limited.saturating_sub(earlier.limited) }
    }

    /// The share that was answered 429, in thousandths.
    pub fn permille(&self) -> u32 {
        let whole = u64::from(WHOLE_PERMILLE);
        let share = self.limited.saturating_mul(whole).checked_div(self.calls).unwrap_or(0);
        u32::try_from(share.min(whole)).unwrap_or(WHOLE_PERMILLE)
    }

    /// Whether it is a storm, which nobody needs a window to see.
    const fn is_storm(&self) -> bool {
        self.limited >= STORM_LIMITED && self.limited.saturating_mul(3) >= self.calls
    }
}

/// What a brake is judged by, all of it of the present pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    /// A window of everybody's calls, once there is one.
    pub window: Option<Paced>,
    /// All of everybody's calls since the pace last changed, as far as known.
    pub since_change: Paced,
    /// What this environment has yet to report.
    pub own: Paced,
    /// The longest that one of its 429s asked for.
    pub retry_after_ms: Option<u64>,
}

/// The brake as the gate's item has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Share of the rate that the last change left, in thousandths.
    pub permille: u32,
    /// When the share begins to grow again, in microseconds since the epoch. Nothing is sent before.
    pub hold_until_us: u64,
    /// The version of the gate with which it came here: a call that was sent before says nothing about this pace.
    pub version: u64,
    /// The share of 429s that it was changed for, in thousandths: where slowing down does not lower it, it is stray.
    #[serde(default, rename = "seen")]
    pub seen_permille: u32,
    /// The share of 429s that comes at any pace, in thousandths.
    #[serde(default, rename = "stray")]
    pub stray_permille: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self { permille: WHOLE_PERMILLE, hold_until_us: 0, version: 0, seen_permille: 0, stray_permille: 0 }
    }
}

impl Brake {
    /// What share of the rate it lets through, in thousandths.
    pub fn permille(&self, settings: &BrakeSettings, now_us: u64) -> u32 {
        let recovery_ms = settings.recovery_ms.max(1);
        let grown_ms = (now_us.saturating_sub(self.hold_until_us) / 1_000).min(recovery_ms);
        let whole = u128::from(WHOLE_PERMILLE);
        let square = u128::from(grown_ms).saturating_pow(2).saturating_mul(whole);
        let grown = square.checked_div(u128::from(recovery_ms).saturating_pow(2)).unwrap_or(whole);
        let grown = u32::try_from(grown).unwrap_or(WHOLE_PERMILLE);
        self.permille.saturating_add(grown).clamp(LEAST_PERMILLE, WHOLE_PERMILLE)
    }

    /// From when on what is sent counts, in microseconds since the epoch.
    pub const fn counts_from_us(&self) -> u64 {
        if self.version == 0 { 0 } else { self.hold_until_us.saturating_add(SETTLING_US) }
    }

    /// Whether slowing down twice has not changed the share, so that the pace is not why. Where it has, and the pace came back
    /// to the limit, most calls since then were taken.
    fn is_stray(&self, since_change: &Paced, share: u32) -> bool {
        let cut = self.seen_permille.saturating_sub(self.stray_permille).saturating_add(BELOW_PERMILLE);
        let cut_twice = less(less(WHOLE_PERMILLE, cut), cut).saturating_add(GROWN_MEANWHILE_PERMILLE);
        let (four_then, four_since) = (self.seen_permille.saturating_mul(4), since_change.permille().saturating_mul(4));
        let is_the_same = four_since.abs_diff(four_then) <= self.seen_permille;
        share <= STRAY_MAX_PERMILLE && self.permille <= cut_twice && is_the_same
    }

    /// The brake after what was counted; `None` when it stays. `version` is the one that the change will have.
    pub fn judged(&self, counted: &Limited, settings: &BrakeSettings, now_us: u64, version: u64) -> Option<Self> {
        let Limited { own, retry_after_ms, .. } = counted;
        let pace = self.permille(settings, now_us);
        let to = |share: u32, permille: u32, stray_permille: u32, hold_ms: u64| {
            let hold_us = hold_ms.min(settings.hold_max_ms).saturating_mul(1_000);
            let hold_until_us = now_us.saturating_add(hold_us).max(self.hold_until_us);
            let permille = permille.clamp(LEAST_PERMILLE, WHOLE_PERMILLE);
            Some(Self { permille, hold_until_us, version, seen_permille: share, stray_permille })
        };
        if own.is_storm() {
            let (share, stray, hold_ms) = (own.permille(), self.stray_permille, retry_after_ms.unwrap_or(0));
            let cut = if hold_ms > 0 { SILENCED_CUT_PERMILLE } else { STORM_CUT_PERMILLE };
            return to(share, less(pace, share.min(cut)), stray, hold_ms);
        }
        let window = counted.window?;
        let share = window.permille();
        if share > self.stray_permille.saturating_add(NOISE_PERMILLE) {
            if self.is_stray(&counted.since_change, share) {
                return to(share, WHOLE_PERMILLE, share, 0);
            }
            let above = share.saturating_sub(self.stray_permille);
            let hold_ms = if window.is_storm() { retry_after_ms.unwrap_or(0) } else { 0 };
            let permille = less(pace, above.saturating_add(BELOW_PERMILLE));
            return to(share, permille, self.stray_permille, hold_ms);
        }
        // What was stray is so no longer.
        let has_gone = self.stray_permille > 0 && share.saturating_mul(2) < self.stray_permille;
        if has_gone { to(0, pace, share, 0) } else { None }
    }
}

/// A pace less this share of it, both in thousandths.
fn less(pace: u32, share: u32) -> u32 {
    pace.saturating_mul(WHOLE_PERMILLE.saturating_sub(share)) / WHOLE_PERMILLE
}

/// Whether a slot that was reserved at an earlier pace is used at the one that is known: of a batch's slots as large a
/// share, evenly, as the pace has left. `phase` is any number that the batch has to itself.
pub fn is_used(index: u32, phase: u64, reserved_permille: u32, known_permille: u32) -> bool {
    let whole = u64::from(reserved_permille.max(1));
    let left = u64::from(known_permille).min(whole);
    u64::from(index).saturating_mul(left).saturating_add(phase).checked_rem(whole).is_some_and(|at| at < left)
}

/// Everybody's sums as one environment saw them, so that it can take the difference over a while. The sums only grow from
/// one change of the pace to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PaceWindow {
    older: Option<Mark>,
    newer: Option<Mark>,
}

/// Sums, and when they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at_us: u64,
    sums: Paced,
}

impl PaceWindow {
    /// Begins anew with a change of the pace.
    pub const fn clear(&mut self) {
        (self.older, self.newer) = (None, None);
    }

    /// Remembers the sums, if enough has come since it last did.
    pub fn mark(&mut self, sums: Paced, now_us: u64) {
        let is_over = |mark: Mark| is_window(&mark, &sums, now_us);
        if self.newer.is_none_or(is_over) {
            self.older = self.newer;
            self.newer = Some(Mark { at_us: now_us, sums });
        }
    }

    /// The last window that is long enough; `None` while there is none.
    pub fn until(&self, sums: Paced, now_us: u64) -> Option<Paced> {
        let long_enough = |mark: &Mark| is_window(mark, &sums, now_us);
        let mark = self.newer.filter(long_enough).or_else(|| self.older.filter(long_enough))?;
        Some(sums.since(&mark.sums))
    }
}

/// Whether a window from this mark up to these sums can be judged.
fn is_window(mark: &Mark, sums: &Paced, now_us: u64) -> bool {
    mark.at_us.saturating_add(WINDOW_US) <= now_us && sums.since(&mark.sums).calls >= WINDOW_CALLS_MIN
}

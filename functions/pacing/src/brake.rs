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

/// Calls that a window must have before its share counts, so that a cut by the share is off by a few per cent at most.
pub const WINDOW_CALLS_MIN: u64 = 100;

/// What the share may be above the one of the calls before, in thousandths, while a limit that was found is being felt for.
pub const TOUCH_PERMILLE: u32 = 1;

/// How many standard deviations of what chance alone brings a count has to be above what is expected, and how many 429s
/// more. It is asked at each 429, so that chance has many tries.
const DEVIATIONS: u64 = 5;
const LIMITED_MORE: u64 = 2;

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
const BELOW_PERMILLE: u32 = 60;

/// How far below what was let through the pace grows back to at first, in thousandths.
const FOUND_BELOW_PERMILLE: u32 = 35;

/// 429s since a change of the pace from which on their share can be compared with the one before.
const UNMOVED_LIMITED: u64 = 20;

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

impl BrakeSettings {
    /// How long it takes from a cut back to what was let through.
    const fn back_ms(&self) -> u64 {
        self.recovery_ms / 4
    }
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

    /// Whether more were answered 429 than this share of them in thousandths, chance allowed for: so many deviations, and so
    /// many 429s. It is a Poisson count's deviation, the root of what is expected; the more calls, the less it takes.
    fn is_above(&self, permille: u32, deviations: u64, more: u64) -> bool {
        let expected_milli = self.calls.saturating_mul(u64::from(permille));
        let deviation_milli = expected_milli.saturating_mul(1_000).isqrt();
        let chance_milli = deviation_milli.saturating_mul(deviations).saturating_add(more.saturating_mul(1_000));
        self.limited.saturating_mul(1_000) > expected_milli.saturating_add(chance_milli)
    }

    /// Whether more were answered 429 than this share of them, in thousandths, and than chance brings.
    pub fn is_surely_above(&self, permille: u32) -> bool {
        self.is_above(permille, DEVIATIONS, LIMITED_MORE)
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
    /// Those of them that were sent before the pace grew back to where it was: their share says what is usual.
    pub early: Paced,
    /// What this environment has yet to report.
    pub own: Paced,
    /// The pace that its last call was sent at, in thousandths of the rate: a slot has the pace of when it was reserved.
    pub sent_permille: Option<u32>,
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
    /// What was let through when it was last changed, in thousandths of the rate; 0 when that is not known.
    #[serde(default, rename = "found")]
    pub found_permille: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            permille: WHOLE_PERMILLE,
            hold_until_us: 0,
            version: 0,
            seen_permille: 0,
            stray_permille: 0,
            found_permille: 0,
        }
    }
}

impl Brake {
    /// What share of the rate it lets through, in thousandths.
    pub fn permille(&self, settings: &BrakeSettings, now_us: u64) -> u32 {
        let recovery_ms = settings.recovery_ms.max(1);
        let grown_ms = (now_us.saturating_sub(self.hold_until_us) / 1_000).min(recovery_ms);
        let (found, back_ms) = (self.found_permille.min(WHOLE_PERMILLE), settings.back_ms());
        let grown = if found <= self.permille {
            power_of(WHOLE_PERMILLE, grown_ms, recovery_ms, 2)
        } else if grown_ms < back_ms {
            let to_found = found.saturating_sub(self.permille);
            to_found.saturating_sub(power_of(to_found, back_ms.saturating_sub(grown_ms), back_ms, 3))
        } else {
            let (beyond_ms, of_ms) = (grown_ms.saturating_sub(back_ms), recovery_ms.saturating_sub(back_ms));
            let beyond = power_of(WHOLE_PERMILLE.saturating_sub(found), beyond_ms, of_ms, 3);
            found.saturating_sub(self.permille).saturating_add(beyond)
        };
        self.permille.saturating_add(grown).clamp(LEAST_PERMILLE, WHOLE_PERMILLE)
    }

    /// From when on what is sent counts, in microseconds since the epoch.
    pub const fn counts_from_us(&self) -> u64 {
        if self.version == 0 { 0 } else { self.hold_until_us.saturating_add(SETTLING_US) }
    }

    /// Whether the pace is below what was let through when it last changed, so that what is 429 is so for other reasons.
    pub const fn is_below_what_was_found(&self, settings: &BrakeSettings, now_us: u64) -> bool {
        now_us < self.hold_until_us.saturating_add(settings.back_ms().saturating_mul(1_000))
    }

    /// All calls since the last change as a window, once they are enough: whoever has heard of it and has seen no sums since
    /// need not wait until it has seen two.
    pub fn young(&self, since_change: Paced, now_us: u64) -> Option<Paced> {
        let begun = Mark { at_us: self.counts_from_us(), sums: Paced::default() };
        (self.version > 0 && is_window(&begun, &since_change, now_us)).then_some(since_change)
    }

    /// Whether slowing down has not changed the share that it was changed for, before the pace came back to the limit: then
    /// the pace is not why, or was cut by far too little.
    fn is_unmoved(&self, since_change: &Paced, pace: u32) -> bool {
        let (four_then, four_since) = (self.seen_permille.saturating_mul(4), since_change.permille().saturating_mul(4));
        let is_the_same = four_since.abs_diff(four_then) <= self.seen_permille;
        let is_young = pace <= self.permille.saturating_add(GROWN_MEANWHILE_PERMILLE);
        let was_above = self.seen_permille >= self.noise_permille();
        let is_judged = was_above && since_change.limited >= UNMOVED_LIMITED;
        is_judged && since_change.permille() <= STRAY_MAX_PERMILLE && is_the_same && is_young
    }

    /// Whether it has been cut twice from all of the rate: what that has not moved is stray.
    fn is_cut_twice(&self) -> bool {
        let cut = self.seen_permille.saturating_sub(self.stray_permille).saturating_add(BELOW_PERMILLE);
        self.permille <= less(less(WHOLE_PERMILLE, cut), cut).saturating_add(GROWN_MEANWHILE_PERMILLE)
    }

    /// What share is answered 429 at a lower pace, in thousandths: known while a limit that was found is felt for. More than
    /// noise would be a cut that was too small.
    fn below_permille(&self, early: &Paced, known: u32) -> Option<u32> {
        let is_known = known < WHOLE_PERMILLE && early.calls >= WINDOW_CALLS_MIN;
        is_known.then(|| early.permille().min(self.noise_permille()))
    }

    /// The share of 429s above which the pace is why, in thousandths.
    fn usual_permille(&self, early: &Paced, known: u32) -> u32 {
        let noise = self.noise_permille();
        self.below_permille(early, known).map_or(noise, |below| below.saturating_add(TOUCH_PERMILLE).min(noise))
    }

    /// What may be noise beside what is stray, in thousandths.
    const fn noise_permille(&self) -> u32 {
        self.stray_permille.saturating_add(NOISE_PERMILLE)
    }

    /// Whether everybody should know of this environment's 429s at once: by two standard deviations, while a limit that was
    /// found is felt for. Else a batch's last answer would be waited for, and the limit passed by the more.
    pub fn is_worth_telling(&self, counted: &Limited, settings: &BrakeSettings, now_us: u64) -> bool {
        let known = self.permille(settings, now_us);
        let has_met = counted.own.limited > 1 && counted.own.limited.saturating_mul(3) >= counted.own.calls;
        let is_unusual = || counted.own.is_above(self.usual_permille(&counted.early, known), 2, 0);
        has_met || known < WHOLE_PERMILLE && is_unusual()
    }

    /// The brake after what was counted; `None` when it stays. `version` is the one that the change will have.
    pub fn judged(&self, counted: &Limited, settings: &BrakeSettings, now_us: u64, version: u64) -> Option<Self> {
        let Limited { own, retry_after_ms, .. } = counted;
        let (known, stray) = (self.permille(settings, now_us), self.stray_permille);
        let pace = counted.sent_permille.map_or(known, |sent| sent.min(known));
        let to = |share: u32, permille: u32, stray_permille: u32, hold_ms: u64, found_permille: u32| {
            let hold_us = hold_ms.min(settings.hold_max_ms).saturating_mul(1_000);
            let hold_until_us = now_us.saturating_add(hold_us).max(self.hold_until_us);
            let permille = permille.clamp(LEAST_PERMILLE, WHOLE_PERMILLE);
            Some(Self { permille, hold_until_us, version, seen_permille: share, stray_permille, found_permille })
        };
        let usual = self.usual_permille(&counted.early, known);
        let is_clear = |these: &Paced| these.calls >= WINDOW_CALLS_MIN && these.is_surely_above(usual);
        let window = counted.window.filter(is_clear);
        // Everybody's is judged by whoever has met it, and knows what the provider asks for.
        let has_met = own.limited > 0 || retry_after_ms.is_some();
        let everybodys = Some(counted.since_change).filter(|_| has_met);
        let storm = [Some(*own), everybodys, window].into_iter().flatten().find(Paced::is_storm);
        if let Some(storm) = storm {
            let (share, hold_ms) = (storm.permille(), retry_after_ms.unwrap_or(0));
            let cut = if hold_ms > 0 { SILENCED_CUT_PERMILLE } else { STORM_CUT_PERMILLE };
            return to(share, less(pace, share.min(cut)), stray, hold_ms, 0);
        }
        let unmoved = Some(counted.since_change).filter(|since| self.is_unmoved(since, known));
        if let Some(share) = unmoved.filter(|_| self.is_cut_twice()).map(|since| since.permille()) {
            return to(share, WHOLE_PERMILLE, share, 0, 0);
        }
        let Some(these) = unmoved.or(window) else {
            let share = counted.window?.permille();
            // What was stray is so no longer.
            let has_gone = stray > 0 && share.saturating_mul(2) < stray;
            return if has_gone { to(0, known, share, 0, self.found_permille) } else { None };
        };
        let share = these.permille();
        let below = self.below_permille(&counted.early, known).filter(|_| unmoved.is_none());
        let expected = below.unwrap_or(stray).max(stray);
        let through = less(pace, share.saturating_sub(expected));
        to(share, less(through, BELOW_PERMILLE), stray, 0, less(through, FOUND_BELOW_PERMILLE))
    }
}

/// Of `whole` the share that is the power of a share of a time.
fn power_of(whole: u32, passed_ms: u64, of_ms: u64, power: u32) -> u32 {
    let share = u128::from(passed_ms).saturating_pow(power).saturating_mul(u128::from(whole));
    let share = share.checked_div(u128::from(of_ms).saturating_pow(power)).unwrap_or(u128::from(whole));
    u32::try_from(share).unwrap_or(whole)
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
    early: Paced,
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
        (self.older, self.newer, self.early) = (None, None, Paced { calls: 0, limited: 0 });
    }

    /// Remembers the sums, if enough has come since it last did. `is_early` while the pace is below what was found.
    pub fn mark(&mut self, sums: Paced, now_us: u64, is_early: bool) {
        if is_early {
            self.early = sums;
        }
        let is_over = |mark: Mark| is_window(&mark, &sums, now_us);
        if self.newer.is_none_or(is_over) {
            self.older = self.newer;
            self.newer = Some(Mark { at_us: now_us, sums });
        }
    }

    /// The sums of before the pace grew back to what was found, as far as they were seen.
    pub const fn early(&self) -> Paced {
        self.early
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

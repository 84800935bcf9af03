//! Counts over a window of time, from sums that only grow.

use std::collections::VecDeque;

/// The item's running sums as they were at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    at_us: u64,
    calls: u64,
    failures: u64,
}

/// A window over the item's running sums. The sums only ever grow, so that adding to them needs no condition and no
/// two consumers are in each other's way; each remembers what they were a window ago and takes the difference. The
/// counts are everybody's, the memory is one's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window(VecDeque<Mark>);

/// How many marks a window keeps.
const MARKS: u64 = 16;

impl Window {
    /// Remembers what the sums are now, and forgets what they were before the window.
    pub fn mark(&mut self, calls: u64, failures: u64, window_ms: u64, now_us: u64) {
        let length_us = window_ms.saturating_mul(1_000);
        while self.0.front().is_some_and(|mark| mark.at_us.saturating_add(length_us) < now_us) {
            self.0.pop_front();
        }
        let apart_us = length_us / MARKS;
        if self.0.back().is_none_or(|mark| mark.at_us.saturating_add(apart_us) <= now_us) {
            self.0.push_back(Mark { at_us: now_us, calls, failures });
        }
    }

    /// Calls and failures since the window's beginning.
    pub fn since(&self, calls: u64, failures: u64) -> (u64, u64) {
        let (from_calls, from_failures) = self.0.front().map_or((calls, failures), |mark| (mark.calls, mark.failures));
        (calls.saturating_sub(from_calls), failures.saturating_sub(from_failures))
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

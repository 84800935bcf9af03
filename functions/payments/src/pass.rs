//! How the whole table is gone through, slowly: a part of it in each sweep, so that all of it was looked at within a stated
//! time, and nobody has to remember where the last sweep stopped.

use crate::backoff::Dice;
use crate::time::Timestamp;

/// A minute, in ms: how often there is a sweep.
const SWEEP_MS: u64 = 60_000;

/// A part of the table, as a parallel scan cuts it by the hash of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 0.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

/// The plan of going through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Sweeps, a minute apart, in which all of the table is looked at once.
    pub sweeps: u32,
    /// Parts that each of them looks at, from any of them on: what one that is cut short leaves out is left to chance, and not
    /// the same each time.
    pub parts_a_sweep: u32,
}

impl Pass {
    /// What is deployed: four weeks, and 322,560 parts, of which DynamoDB takes 1,000,000 at most ("Scan").
    pub const DEPLOYED: Self = Self { sweeps: 28 * 24 * 60, parts_a_sweep: 8 };

    /// The parts of this minute's sweep.
    pub fn parts(self, now: Timestamp, dice: Dice) -> impl Iterator<Item = Part> {
        let Self { sweeps, parts_a_sweep } = self;
        let minute = now.ms().checked_div(SWEEP_MS).unwrap_or(0);
        let sweep = minute.checked_rem(u64::from(sweeps)).and_then(|sweep| u32::try_from(sweep).ok()).unwrap_or(0);
        let first =
            dice.0.checked_rem(u64::from(parts_a_sweep)).and_then(|first| u32::try_from(first).ok()).unwrap_or(0);
        (0..parts_a_sweep).map(move |offset| {
            let within = first.saturating_add(offset).checked_rem(parts_a_sweep).unwrap_or(0);
            let number = sweep.saturating_mul(parts_a_sweep).saturating_add(within);
            Part { number, of: sweeps.saturating_mul(parts_a_sweep) }
        })
    }
}

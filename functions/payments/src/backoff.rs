//! How long to wait before looking again: exponential backoff with full jitter.
//!
//! Source: "Exponential Backoff And Jitter", AWS Architecture Blog. Full jitter draws evenly from 0 to the bound,
//! which spreads a crowd of retries better than adding a little noise to the bound.

/// A throw of dice: 64 evenly distributed bits, thrown by whoever calls.
#[derive(Clone, Copy, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number from 0 to `bound`, both included.
    pub fn up_to(self, bound: u64) -> u64 {
        match bound.checked_add(1) {
            Some(sides) => self.0.checked_rem(sides).unwrap_or(0),
            None => self.0,
        }
    }
}

/// Milliseconds to wait after `waits` waits in a row: even between 0 and `base_ms` × 2^`waits`, at most `cap_ms`.
pub fn full_jitter_ms(base_ms: u64, cap_ms: u64, waits: u32, dice: Dice) -> u64 {
    let bound = base_ms.saturating_mul(1_u64.checked_shl(waits).unwrap_or(u64::MAX)).min(cap_ms);
    dice.up_to(bound)
}

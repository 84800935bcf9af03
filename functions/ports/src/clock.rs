//! Time and dice.

use payments::time::Timestamp;

/// The clock.
pub trait Clock: Sync {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> u64;

    /// The same in milliseconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_us(self.now_us())
    }
}

/// Dice: evenly distributed bits, unique rather than secret.
pub trait Entropy: Sync {
    /// 128 of them.
    fn bits(&self) -> u128;
}

//! The clock and the dice of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use ports::{Clock, Entropy};

/// The machine's clock, which AWS keeps in step with UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        // A clock before 1970 reads as 1970: every lease is then over and nothing is sent on its account.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }
}

/// The operating system's dice.
///
/// Two environments that draw the same nonces would take each other's writes for their own. Environments are started from
/// the same image, so that generators which seed themselves from the time since boot are no choice here.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        // 256 bytes at most are always given whole once the system has its seed (getrandom(2), Linux manual pages). Without
        // dice nothing may be written: trying until the invocation is out of time lets its messages come again.
        while getrandom::fill(&mut bytes).is_err() {
            std::thread::yield_now();
        }
        u128::from_le_bytes(bytes)
    }
}

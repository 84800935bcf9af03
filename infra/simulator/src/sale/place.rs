//! Where a sale takes place: its virtual time, and the environments in it. Nothing fails here; what fails is the
//! provider's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ports::{Clock, Entropy};
use tokio::time::Instant;

use crate::sale::shop::mixed;
use crate::world::lock;

/// When every sale begins, in microseconds since the epoch: 2026-11-27T00:00:00Z.
const BEGIN_US: u64 = 1_795_737_600_000_000;
/// How long a call of DynamoDB or SQS takes, there and back, in microseconds.
const CALL_US: (u64, u64) = (2_000, 6_000);
/// One call in so many takes longer.
const STALL_ONE_IN: u64 = 1_000;
/// By this much, in microseconds.
const STALL_US: (u64, u64) = (20_000, 150_000);
/// What all environments share.
#[derive(Debug)]
pub(super) struct Place {
    seed: u64,
    clock_skew_us: u64,
    begin: Instant,
    dice: Mutex<fastrand::Rng>,
}

impl Place {
    /// Call it inside a runtime whose time is paused.
    pub(super) fn new(seed: u64, clock_skew_us: u64) -> Arc<Self> {
        let dice = Mutex::new(fastrand::Rng::with_seed(mixed(seed, 1 << 40)));
        Arc::new(Self { seed, clock_skew_us, begin: Instant::now(), dice })
    }

    /// Microseconds since the sale's begin.
    pub(super) fn elapsed_us(&self) -> u64 {
        let elapsed = Instant::now().duration_since(self.begin).as_micros();
        u64::try_from(elapsed).expect("a sale ends")
    }

    /// The true time, in microseconds since the epoch.
    pub(super) fn now_us(&self) -> u64 {
        BEGIN_US + self.elapsed_us()
    }

    pub(super) fn between(&self, low: u64, high: u64) -> u64 {
        lock(&self.dice).u64(low..=high)
    }

    /// Waits until so long after the sale's begin.
    pub(super) async fn until_us(&self, elapsed_us: u64) {
        tokio::time::sleep_until(self.begin + Duration::from_micros(elapsed_us)).await;
    }

    /// Calls DynamoDB or SQS: on the way, the effect, and back.
    pub(super) async fn call<T>(&self, effect: impl FnOnce() -> T) -> T {
        let (there_us, back_us) = {
            let mut dice = lock(&self.dice);
            let mut all_us = dice.u64(CALL_US.0..=CALL_US.1);
            if dice.u64(0..STALL_ONE_IN) == 0 {
                all_us += dice.u64(STALL_US.0..=STALL_US.1);
            }
            let there_us = dice.u64(0..=all_us);
            (there_us, all_us - there_us)
        };
        tokio::time::sleep(Duration::from_micros(there_us)).await;
        let value = effect();
        tokio::time::sleep(Duration::from_micros(back_us)).await;
        value
    }
}

/// An execution environment: a clock and dice of its own.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    pub(super) place: Arc<Place>,
    dice: Arc<Mutex<fastrand::Rng>>,
    late_us: u64,
}

impl Environment {
    pub(super) fn new(place: &Arc<Place>, number: u64) -> Self {
        let dice = fastrand::Rng::with_seed(mixed(place.seed, (1 << 41) + number));
        let late_us = place.between(0, 2 * place.clock_skew_us);
        Self { place: Arc::clone(place), dice: Arc::new(Mutex::new(dice)), late_us }
    }

    /// From here on it draws what follows from this payment's number: whoever draws the same knows the same.
    pub(super) fn draws_for(&self, number: u32) {
        *lock(&self.dice) = Draws::dice(self.place.seed, number);
    }
}

impl Clock for Environment {
    fn now_us(&self) -> u64 {
        self.place.now_us() + self.place.clock_skew_us - self.late_us
    }
}

impl Entropy for Environment {
    fn bits(&self) -> u128 {
        lock(&self.dice).u128(..)
    }
}

/// The moment at which a payment was accepted, once more.
#[derive(Debug)]
pub(super) struct Draws {
    dice: Mutex<fastrand::Rng>,
    at_us: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, number: u32, at_ms: u64) -> Self {
        Self { dice: Mutex::new(Self::dice(seed, number)), at_us: at_ms * 1_000 }
    }

    fn dice(seed: u64, number: u32) -> fastrand::Rng {
        fastrand::Rng::with_seed(mixed(seed, (1 << 42) + u64::from(number)))
    }
}

impl Clock for Draws {
    fn now_us(&self) -> u64 {
        self.at_us
    }
}

impl Entropy for Draws {
    fn bits(&self) -> u128 {
        lock(&self.dice).u128(..)
    }
}

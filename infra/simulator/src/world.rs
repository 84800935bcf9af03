//! The world of one run: its virtual time, its dice, its trace, and the one way in which anything is done in it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use payments::time::Timestamp;
use ports::{Clock, Entropy};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::faults::{Faults, Phase};

/// When every run begins: 2026-01-01T00:00:00Z, in microseconds since the epoch.
const BEGIN_US: u64 = 1_767_225_600_000_000;
/// Lines of trace kept for a failure.
const TRACE_LINES: usize = 200;
/// Longest time that an I/O takes on each of its two ways, in microseconds.
const WAY_US: u64 = 4_000;

/// What all environments of a run share.
#[derive(Debug)]
pub struct World {
    /// What goes wrong.
    pub faults: Faults,
    begin: Instant,
    /// Time in which nothing happened, in microseconds.
    skipped_us: AtomicU64,
    dice: Mutex<fastrand::Rng>,
    ios: AtomicU64,
    crashes: AtomicU64,
    injected: AtomicU64,
    calm: AtomicBool,
    lose_next_answer: AtomicBool,
    trace: Mutex<VecDeque<String>>,
    violations: Mutex<Vec<String>>,
    after_each_step: OnceLock<Step>,
}

/// What is done after each effect.
struct Step(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Step")
    }
}

impl World {
    /// A world from a seed. Call it inside a runtime whose time is paused.
    pub fn new(seed: u64, faults: Faults) -> Arc<Self> {
        Arc::new(Self {
            faults,
            begin: Instant::now(),
            skipped_us: AtomicU64::new(0),
            dice: Mutex::new(fastrand::Rng::with_seed(seed)),
            ios: AtomicU64::new(0),
            crashes: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            calm: AtomicBool::new(false),
            lose_next_answer: AtomicBool::new(false),
            trace: Mutex::default(),
            violations: Mutex::default(),
            after_each_step: OnceLock::new(),
        })
    }

    /// Has this done after the effect of each I/O, once for all.
    pub fn after_each_step(&self, check: impl Fn() + Send + Sync + 'static) {
        let first = self.after_each_step.set(Step(Box::new(check))).is_ok();
        assert!(first, "a world is checked by one check");
    }

    /// The true time, in microseconds since the epoch.
    pub fn now_us(&self) -> u64 {
        BEGIN_US + self.elapsed_us() + self.skipped_us.load(Ordering::Relaxed)
    }

    /// Lets so much time go by in which nothing happens: playing a year's sweeps would take hours.
    pub(crate) fn skip_ms(&self, ms: u64) {
        self.skipped_us.fetch_add(ms * 1_000, Ordering::Relaxed);
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(Instant::now().duration_since(self.begin).as_micros()).unwrap_or(u64::MAX)
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_us(self.now_us())
    }

    /// The true time after so many ms of virtual time.
    pub fn at_ms(&self, elapsed_ms: u64) -> Timestamp {
        Timestamp::from_us(BEGIN_US).plus_ms(elapsed_ms)
    }

    /// Milliseconds of virtual time so far, without what was skipped.
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed_us() / 1_000
    }

    /// Throws dice with a share's chance of true; counted as an injected fault when it is. In calm, nothing fails.
    pub fn fails(&self, share: f64) -> bool {
        if share <= 0.0 || self.calm.load(Ordering::Relaxed) {
            return false;
        }
        let fails = self.dice().f64() < share;
        if fails {
            self.injected.fetch_add(1, Ordering::Relaxed);
        }
        fails
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&self, low: u64, high: u64) -> u64 {
        self.dice().u64(low..=high)
    }

    /// 128 bits.
    pub fn bits(&self) -> u128 {
        self.dice().u128(..)
    }

    /// From now on nothing fails any more: what is left has to come to an end.
    pub fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.note("calm: no fault is injected from here on");
    }

    /// The answer of the table's next write is lost once.
    pub fn lose_next_answer(&self) {
        self.lose_next_answer.store(true, Ordering::Relaxed);
    }

    /// Whether a write's answer is lost now.
    pub(crate) fn answer_is_lost(&self) -> bool {
        self.lose_next_answer.swap(false, Ordering::Relaxed) || self.fails(self.faults.lost_answer)
    }

    /// Writes a line of trace.
    pub fn note(&self, line: &str) {
        let mut trace = lock(&self.trace);
        if trace.len() >= TRACE_LINES {
            trace.pop_front();
        }
        let at_ms = self.elapsed_ms();
        trace.push_back(format!("{:>8}.{:03} s  {line}", at_ms / 1_000, at_ms % 1_000));
    }

    /// Reports a broken invariant.
    pub fn violated(&self, invariant: &str, how: &str) {
        let line = format!("{invariant} violated: {how}");
        self.note(&line);
        let mut violations = lock(&self.violations);
        if violations.len() < 10 {
            violations.push(line);
        }
    }

    /// The broken invariants so far.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    /// The last lines of the trace.
    pub fn trace(&self) -> Vec<String> {
        lock(&self.trace).iter().cloned().collect()
    }

    /// I/Os so far.
    pub fn ios(&self) -> u64 {
        self.ios.load(Ordering::Relaxed)
    }

    /// Environments that crashed so far.
    pub fn crashes(&self) -> u64 {
        self.crashes.load(Ordering::Relaxed)
    }

    /// Faults injected so far, crashes included.
    pub fn injected(&self) -> u64 {
        self.injected.load(Ordering::Relaxed) + self.crashes()
    }

    fn dice(&self) -> MutexGuard<'_, fastrand::Rng> {
        lock(&self.dice)
    }
}

/// Locks; a poisoned lock is as good as any here, where a panic ends the run anyway.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One execution environment of a function: a process with its own clock, which may die.
#[derive(Clone, Debug)]
pub struct Environment {
    world: Arc<World>,
    name: Arc<str>,
    skew_us: i64,
    dead: Arc<AtomicBool>,
    died: Arc<Notify>,
    frozen_until_us: Arc<AtomicU64>,
}

impl Environment {
    /// A new environment with a clock of its own.
    pub fn new(world: &Arc<World>, name: &str) -> Self {
        let spread_us = world.faults.clock_skew_ms * 1_000;
        let offset = i64::try_from(world.between(0, 2 * spread_us)).unwrap_or(0);
        Self {
            world: Arc::clone(world),
            name: name.into(),
            skew_us: offset - i64::try_from(spread_us).unwrap_or(0),
            dead: Arc::default(),
            died: Arc::default(),
            frozen_until_us: Arc::default(),
        }
    }

    /// The run's world.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Whether it has crashed.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Resolves when it crashes.
    pub async fn death(&self) {
        while !self.is_dead() {
            self.died.notified().await;
        }
    }

    /// Runs what this environment does; while it is frozen nothing of it moves, and when it thaws everything that was
    /// due meanwhile is due at once.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut thaw = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|context| {
            loop {
                let now_us = self.world.now_us();
                let until_us = self.frozen_until_us.load(Ordering::Relaxed);
                if now_us >= until_us {
                    return work.as_mut().poll(context);
                }
                thaw.as_mut().reset(Instant::now() + Duration::from_micros(until_us - now_us));
                if thaw.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Does one I/O: there, the effect, and back. The environment may die on either way; then this never returns.
    pub async fn io<T>(&self, what: &str, effect: impl FnOnce() -> T) -> T {
        let number = self.world.ios.fetch_add(1, Ordering::Relaxed) + 1;
        self.maybe_crash(number, Phase::Before, what).await;
        self.way().await;
        let value = effect();
        if let Some(Step(check)) = self.world.after_each_step.get() {
            check();
        }
        self.way().await;
        self.maybe_crash(number, Phase::After, what).await;
        if self.world.fails(self.world.faults.freeze) {
            let frozen_ms = self.world.between(20, 10_000);
            self.note(&format!("freezes for {frozen_ms} ms after {what}"));
            let until_us = self.world.now_us() + frozen_ms * 1_000;
            self.frozen_until_us.store(until_us, Ordering::Relaxed);
        }
        value
    }

    /// Writes a line of trace in this environment's name.
    pub fn note(&self, line: &str) {
        self.world.note(&format!("{:<12} {line}", self.name));
    }

    async fn way(&self) {
        let way_us = self.world.between(500, WAY_US);
        tokio::time::sleep(Duration::from_micros(way_us)).await;
    }

    async fn maybe_crash(&self, number: u64, phase: Phase, what: &str) {
        let chosen = self.world.faults.crash.is_some_and(|at| at.io == number && at.phase == phase);
        // A share is drawn for each side of each I/O, so half of it on either.
        if chosen || self.world.fails(self.world.faults.crash_share / 2.0) {
            self.note(&format!("CRASH {phase:?} I/O {number}, {what}"));
            self.world.crashes.fetch_add(1, Ordering::Relaxed);
            self.dead.store(true, Ordering::Relaxed);
            self.died.notify_waiters();
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Clock for Environment {
    fn now_us(&self) -> u64 {
        self.world.now_us().saturating_add_signed(self.skew_us)
    }
}

impl Entropy for Environment {
    fn bits(&self) -> u128 {
        self.world.bits()
    }
}

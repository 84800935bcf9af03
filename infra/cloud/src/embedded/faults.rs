//! Faults on demand: a table that throttles, an answer that is lost after the effect, a queue that takes nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused before it acts, with the service's throttling error.
    Throttle,
    /// Answered with a 500 before it acts.
    FailBefore,
    /// Acts, then answers with a 500.
    FailAfter,
    /// Acts, then the answer is lost: the SDK sees a time-out.
    LoseAnswer,
    /// Neither acts nor answers: the caller waits until it gives up.
    Stall,
}

/// Which of the calls it goes wrong with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// These many from now on.
    Next(u64),
    /// Every n-th.
    Every(u64),
    /// A share of them, from 0 to 1, by the seed's dice.
    Share(f64),
}

#[derive(Debug)]
struct Rule {
    operations: Vec<String>,
    fault: Fault,
    when: When,
    seen: u64,
}

#[derive(Debug)]
struct State {
    rules: Vec<Rule>,
    refusing: BTreeSet<String>,
    dice: fastrand::Rng,
}

/// The faults in force.
#[derive(Debug)]
pub struct Faults {
    state: Mutex<State>,
}

impl Default for Faults {
    fn default() -> Self {
        let dice = fastrand::Rng::with_seed(0);
        Self { state: Mutex::new(State { rules: Vec::new(), refusing: BTreeSet::new(), dice }) }
    }
}

impl Faults {
    /// From now on this goes wrong with calls of these operations, such as `UpdateItem`, counted together. The first
    /// rule that fits decides.
    pub fn inject(&self, operations: &[&str], fault: Fault, when: When) {
        let operations = operations.iter().map(|&operation| operation.to_owned()).collect();
        let rule = Rule { operations, fault, when, seen: 0 };
        self.state().rules.push(rule);
    }

    /// A queue, by its name or URL, takes no message until [`Self::accept_sends`].
    pub fn refuse_sends(&self, queue: &str) {
        self.state().refusing.insert(last_part(queue).to_owned());
    }

    /// The queue takes messages again.
    pub fn accept_sends(&self, queue: &str) {
        self.state().refusing.remove(last_part(queue));
    }

    /// Everything goes right again.
    pub fn clear(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.refusing.clear();
    }

    /// The dice of [`When::Share`], from this seed.
    pub fn seed(&self, seed: u64) {
        self.state().dice = fastrand::Rng::with_seed(seed);
    }

    /// Whether the queue refuses sends.
    pub(super) fn refuses(&self, queue: &str) -> bool {
        self.state().refusing.contains(last_part(queue))
    }

    /// What goes wrong with this call, if anything.
    pub(super) fn of(&self, operation: &str) -> Option<Fault> {
        let mut state = self.state();
        let State { rules, dice, .. } = &mut *state;
        rules.iter_mut().filter(|rule| rule.operations.iter().any(|name| name == operation)).find_map(|rule| {
            rule.seen += 1;
            let hit = match rule.when {
                When::Next(count) => rule.seen <= count,
                When::Every(nth) => nth > 0 && rule.seen.is_multiple_of(nth),
                When::Share(share) => dice.f64() < share,
            };
            hit.then_some(rule.fault)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_part(queue: &str) -> &str {
    queue.rsplit(['/', ':']).next().unwrap_or_default()
}

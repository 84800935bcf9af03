//! The table of gates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pacing::gate::{GateAnswer, GateState, GateUpdate};
use ports::{GateStore, PortError};

use crate::world::{Environment, lock};

/// A time in which an operator allowed so many calls a second and no more; what had its slot before is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// From when on, in microseconds since the epoch.
    pub from_us: u64,
    /// Until when; a change that is still on its way ends it.
    pub until_us: u64,
    /// Calls a second; 0 while paused.
    pub rate_per_second: u32,
}

/// What the table of gates holds, by provider.
#[derive(Debug, Default)]
pub struct Gates {
    states: Mutex<BTreeMap<String, GateState>>,
    allowed: Mutex<Vec<Allowed>>,
}

impl Gates {
    /// A provider's gate as it stands.
    pub fn state(&self, provider: &str) -> Option<GateState> {
        lock(&self.states).get(provider).cloned()
    }

    /// What an operator allowed, and when.
    pub fn allowed(&self) -> Vec<Allowed> {
        lock(&self.allowed).clone()
    }

    /// An operator begins a change: what was allowed is so no longer.
    pub fn change_begins(&self, now_us: u64) {
        if let Some(last) = lock(&self.allowed).last_mut() {
            last.until_us = last.until_us.min(now_us);
        }
    }

    /// An operator has changed the gate. Slots that were handed out before are used up by its next free slot, or
    /// later by the margin.
    pub fn changed(&self, after: &GateState, now_us: u64) {
        let margin_us = u64::from(after.margin_ms) * 1_000;
        let from_us = now_us.max(after.next_us) + margin_us;
        let rate_per_second = if after.paused { 0 } else { after.rate_per_second };
        lock(&self.allowed).push(Allowed { from_us, until_us: u64::MAX, rate_per_second });
    }

    /// Sets the gate: for operators and tests.
    pub fn set(&self, gate: GateState) {
        lock(&self.states).insert(gate.provider.clone(), gate);
    }
}

/// The gates as one environment reaches them.
#[derive(Clone, Debug)]
pub struct MemoryGate {
    gates: Arc<Gates>,
    environment: Environment,
}

impl MemoryGate {
    /// The gates, reached from an environment.
    pub fn new(gates: &Arc<Gates>, environment: &Environment) -> Self {
        Self { gates: Arc::clone(gates), environment: environment.clone() }
    }
}

impl GateStore for MemoryGate {
    async fn update(&self, update: &GateUpdate) -> Result<GateAnswer, PortError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        self.environment
            .io("gate", || {
                if throttled {
                    return Err(PortError::throttled("throttled"));
                }
                let mut gates = lock(&self.gates.states);
                let stands = gates.get(&update.provider).cloned();
                Ok(match stands.as_ref().and_then(|stands| update.apply(stands)) {
                    Some(after) => {
                        gates.insert(after.provider.clone(), after.clone());
                        GateAnswer::Done(Box::new(after))
                    }
                    None => GateAnswer::Refused(stands.map(Box::new)),
                })
            })
            .await
    }

    async fn read(&self, provider: &str) -> Result<Option<GateState>, PortError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        self.environment
            .io("read gate", || {
                if throttled {
                    return Err(PortError::throttled("throttled"));
                }
                Ok(lock(&self.gates.states).get(provider).cloned())
            })
            .await
    }

    async fn create(&self, gate: &GateState) -> Result<(), PortError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        self.environment
            .io("create gate", || {
                if throttled {
                    return Err(PortError::throttled("create gate"));
                }
                lock(&self.gates.states).entry(gate.provider.clone()).or_insert_with(|| gate.clone());
                Ok(())
            })
            .await
    }
}

//! The table of gates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use payments::gate::{GateAnswer, GateState, GateUpdate};
use payments::ports::{GateError, GateStore};

use crate::world::{Environment, lock};

/// What the table of gates holds, by provider.
#[derive(Debug, Default)]
pub struct Gates(Mutex<BTreeMap<String, GateState>>);

impl Gates {
    /// A provider's gate as it stands.
    pub fn state(&self, provider: &str) -> Option<GateState> {
        lock(&self.0).get(provider).cloned()
    }

    /// Sets the gate: for operators and tests.
    pub fn set(&self, gate: GateState) {
        lock(&self.0).insert(gate.provider.clone(), gate);
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
    async fn update(&self, update: &GateUpdate) -> Result<GateAnswer, GateError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        self.environment
            .io("gate", || {
                if throttled {
                    return Err(GateError("throttled".to_owned()));
                }
                let mut gates = lock(&self.gates.0);
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

    async fn read(&self, provider: &str) -> Result<Option<GateState>, GateError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        self.environment
            .io("read gate", || {
                if throttled {
                    return Err(GateError("throttled".to_owned()));
                }
                Ok(lock(&self.gates.0).get(provider).cloned())
            })
            .await
    }

    async fn create(&self, gate: &GateState) -> Result<(), GateError> {
        self.environment
            .io("create gate", || {
                lock(&self.gates.0).entry(gate.provider.clone()).or_insert_with(|| gate.clone());
                Ok(())
            })
            .await
    }
}

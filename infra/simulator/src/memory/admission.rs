//! The table of admission: the merchants' buckets and the lanes' figure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use pacing::admission::{BUSY_MS, Backlog, Gathered};
use pacing::bucket::{Allowance, Bucket, Take, Taken};
use pacing::gate::GateState;
use payments::id::MerchantId;
use payments::time::Timestamp;
use ports::{Admission, PortError};

use super::Gates;
use super::queue::{Name, Queues};
use crate::world::{Environment, lock};

/// What the table holds.
#[derive(Debug, Default)]
pub struct Buckets {
    by_merchant: Mutex<BTreeMap<(Allowance, MerchantId), Bucket>>,
    /// Updates of buckets that were asked for.
    taken: AtomicU64,
    figure: Mutex<Figure>,
}

#[derive(Debug, Default)]
struct Figure {
    measure_from: Option<Timestamp>,
    backlog: Option<Backlog>,
}

impl Buckets {
    /// How often tokens were asked for.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The lanes' figure.
    pub fn backlog(&self) -> Option<Backlog> {
        lock(&self.figure).backlog.clone()
    }

    /// Sets the lanes' figure: for tests.
    pub fn set_backlog(&self, backlog: Backlog) {
        *lock(&self.figure) = Figure { measure_from: Some(backlog.at.plus_ms(BUSY_MS)), backlog: Some(backlog) };
    }
}

/// The table, one provider's gate and the lanes as one environment reaches them.
#[derive(Clone, Debug)]
pub struct MemoryAdmission {
    buckets: Arc<Buckets>,
    gates: Arc<Gates>,
    queues: Arc<Queues>,
    provider: String,
    environment: Environment,
}

impl MemoryAdmission {
    /// Reached from an environment.
    pub fn new(
        buckets: &Arc<Buckets>,
        gates: &Arc<Gates>,
        queues: &Arc<Queues>,
        provider: &str,
        environment: &Environment,
    ) -> Self {
        Self {
            buckets: Arc::clone(buckets),
            gates: Arc::clone(gates),
            queues: Arc::clone(queues),
            provider: provider.to_owned(),
            environment: environment.clone(),
        }
    }

    async fn io<T>(&self, what: &str, effect: impl FnOnce() -> T) -> Result<T, PortError> {
        let world = self.environment.world();
        let throttled = world.fails(world.faults.throttle);
        let effect = || if throttled { Err(PortError::throttled("throttled")) } else { Ok(effect()) };
        self.environment.io(what, effect).await
    }
}

impl Admission for MemoryAdmission {
    async fn take(&self, take: &Take) -> Result<Taken, PortError> {
        let effect = || {
            self.buckets.taken.fetch_add(1, Ordering::Relaxed);
            let mut buckets = lock(&self.buckets.by_merchant);
            let bucket = (take.allowance, take.merchant.clone());
            let stands = buckets.get(&bucket).copied();
            match take.apply(stands) {
                Some(after) => {
                    buckets.insert(bucket, after);
                    Taken::Done(after)
                }
                None => Taken::Refused(stands.unwrap_or_default()),
            }
        };
        self.io("take tokens", effect).await
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), PortError> {
        self.io("look ahead", || (self.gates.state(&self.provider), self.buckets.backlog())).await
    }

    async fn measure(&self, now: Timestamp, known: &Gathered) -> Result<Option<Backlog>, PortError> {
        let effect = || {
            let mut figure = lock(&self.buckets.figure);
            if figure.measure_from.is_some_and(|from| from > now) {
                return None;
            }
            let (high, standard) = (self.queues.measure(Name::High), self.queues.measure(Name::Standard));
            let backlog = known.measured(now, high, standard);
            *figure = Figure { measure_from: Some(now.plus_ms(BUSY_MS)), backlog: Some(backlog.clone()) };
            Some(backlog)
        };
        self.io("measure lanes", effect).await
    }
}

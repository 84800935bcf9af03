//! A store whose calls fail one kind at a time, as the table's do: refused before anything was written, done with every
//! answer lost, or without an answer for ever.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Mutex, PoisonError};

use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use payments::payment::Payment;
use payments::write::{SendClaim, Written};
use ports::{Store, StoreError};
use simulator::memory::MemoryStore;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Refused before anything was written.
    Refused,
    /// The same, so many times.
    RefusedFirst(u32),
    /// Done, and nobody hears of it.
    AnswerLost,
    /// Never answered.
    Hangs,
}

/// A call of the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Put,
    Claim,
    Replace,
    Get,
    Bind,
}

/// The table, some of whose calls fail.
pub struct Failing {
    store: MemoryStore,
    fates: Mutex<BTreeMap<Call, Fate>>,
}

impl Failing {
    pub fn new(store: MemoryStore, fates: &[(Call, Fate)]) -> Self {
        Self { store, fates: Mutex::new(fates.iter().copied().collect()) }
    }

    fn fate(&self, call: Call) -> Option<Fate> {
        let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        let fate = fates.get(&call).copied();
        if let Some(Fate::RefusedFirst(times)) = fates.get_mut(&call) {
            *times = times.saturating_sub(1);
        }
        fate
    }

    async fn meets<T: Send>(
        &self,
        call: Call,
        answer: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fate = self.fate(call);
        match fate {
            None | Some(Fate::RefusedFirst(0)) => answer.await,
            Some(Fate::Refused | Fate::RefusedFirst(_)) => Err(StoreError::Refused("throttled".to_owned())),
            Some(Fate::AnswerLost) => {
                answer.await?;
                Err(StoreError::Unresolved("time-out".to_owned()))
            }
            Some(Fate::Hangs) => pending().await,
        }
    }
}

impl Store for Failing {
    async fn put(&self, payment: &Payment) -> Result<Written, StoreError> {
        self.meets(Call::Put, self.store.put(payment)).await
    }

    async fn claim(&self, claim: &SendClaim) -> Result<Written, StoreError> {
        self.meets(Call::Claim, self.store.claim(claim)).await
    }

    async fn replace(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        self.meets(Call::Replace, self.store.replace(before, after)).await
    }

    async fn get(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        self.meets(Call::Get, self.store.get(id)).await
    }

    async fn bind(&self, binding: &Binding) -> Result<Bound, StoreError> {
        self.meets(Call::Bind, self.store.bind(binding)).await
    }
}

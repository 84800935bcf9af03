//! The tables of payments and merchants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound, KeyId};
use payments::index::{OpenKey, Shard};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::pass::Part;
use payments::payment::{Kind, Payment, Reason, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::write::{SendClaim, Written, recaptured, released, reserved};
use ports::{EndedPage, EndedPayments, Merchants, OpenPayments, PageEnd, Store, StoreError};

use crate::faults::Faults;
use crate::refunds;
use crate::world::{Environment, lock};

/// What the tables hold.
#[derive(Debug)]
pub struct Table {
    payments: Mutex<BTreeMap<PaymentId, Payment>>,
    merchants: Mutex<BTreeMap<ApiKeyHash, Merchant>>,
    /// Idempotency keys, each with its payment.
    keys: Mutex<BTreeMap<KeyId, PaymentId>>,
    /// When each payment was replayed, in microseconds since the epoch.
    replays: Mutex<BTreeMap<PaymentId, Vec<u64>>>,
    policy: Policy,
}

impl Table {
    /// Empty tables. The policy is needed where an update's effect is the core's own.
    pub fn new(policy: Policy) -> Arc<Self> {
        Arc::new(Self {
            payments: Mutex::default(),
            merchants: Mutex::default(),
            keys: Mutex::default(),
            replays: Mutex::default(),
            policy,
        })
    }

    /// Adds a merchant.
    pub fn add_merchant(&self, merchant: Merchant) {
        lock(&self.merchants).insert(merchant.key_hash.clone(), merchant);
    }

    /// Every payment.
    pub fn payments(&self) -> Vec<Payment> {
        lock(&self.payments).values().cloned().collect()
    }

    /// Shows every payment, without copying it.
    pub fn each(&self, see: impl FnMut(&Payment)) {
        lock(&self.payments).values().for_each(see);
    }

    /// One payment.
    pub fn payment(&self, id: &PaymentId) -> Option<Payment> {
        lock(&self.payments).get(id).cloned()
    }

    /// When a payment was replayed, in microseconds since the epoch.
    pub(crate) fn replays_us(&self, id: &PaymentId) -> Vec<u64> {
        lock(&self.replays).get(id).cloned().unwrap_or_default()
    }

    /// Becomes what it was: a point-in-time recovery.
    pub(crate) fn put_back(&self, payments: Vec<Payment>) {
        // Keys of before the moment would come back as well; forgetting all of them is the worse case.
        lock(&self.keys).clear();
        *lock(&self.payments) = payments.into_iter().map(|payment| (payment.id.clone(), payment)).collect();
    }

    /// Puts a payment as it is, past every condition: for tests that need a certain item to stand.
    pub fn set(&self, payment: Payment) {
        lock(&self.payments).insert(payment.id.clone(), payment);
    }
}

/// The tables as one environment reaches them.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    table: Arc<Table>,
    environment: Environment,
}

impl MemoryStore {
    /// The tables, reached from an environment.
    pub fn new(table: &Arc<Table>, environment: &Environment) -> Self {
        Self { table: Arc::clone(table), environment: environment.clone() }
    }

    fn faults(&self) -> &Faults {
        &self.environment.world().faults
    }

    /// Does one write as the SDK does: a lost answer is tried again, and what the retry says is what is heard.
    async fn write(
        &self,
        what: &str,
        effect: impl Fn(&mut BTreeMap<PaymentId, Payment>) -> Written,
    ) -> Result<Written, StoreError> {
        let world = self.environment.world();
        if world.fails(world.faults.throttle) {
            self.environment.note(&format!("{what}: throttled"));
            return self.environment.io(what, || Err(StoreError::Refused("throttled".to_owned()))).await;
        }
        let written = self.environment.io(what, || self.apply(what, &effect)).await;
        if world.fails(world.faults.unresolved) {
            self.environment.note(&format!("{what}: every answer lost"));
            return Err(StoreError::Unresolved("time-out".to_owned()));
        }
        if world.answer_is_lost() {
            self.environment.note(&format!("{what}: answer lost, tried again"));
            return Ok(self.environment.io(what, || self.apply(what, &effect)).await);
        }
        Ok(written)
    }

    /// Does one read, of which this share is throttled.
    async fn read<T>(&self, what: &str, share: f64, read: impl FnOnce() -> T) -> Result<T, StoreError> {
        let throttled = self.environment.world().fails(share);
        let read = || if throttled { Err(StoreError::Refused("throttled".to_owned())) } else { Ok(read()) };
        self.environment.io(what, read).await
    }

    fn apply(&self, what: &str, effect: &impl Fn(&mut BTreeMap<PaymentId, Payment>) -> Written) -> Written {
        let mut payments = lock(&self.table.payments);
        let written = effect(&mut payments);
        let told = match &written {
            Written::Applied(payment) => {
                format!("{} {} {}", payment.id, payment.state.as_str(), payment.reason.as_str())
            }
            Written::Refused(Some(stands)) => {
                format!("{} refused: {} stands", stands.id, stands.state.as_str())
            }
            Written::Refused(None) => "refused: nothing stands".to_owned(),
            Written::ChargeRefused(_) => "refused by the charge".to_owned(),
        };
        self.environment.note(&format!("{what}: {told}"));
        written
    }

    /// I3: checked where every write passes.
    fn check_end(&self, before: &Payment, after: &Payment) {
        if before.state.is_terminal() && before.state != after.state {
            let how = format!("{} {} became {}", before.id, before.state.as_str(), after.state.as_str());
            self.environment.world().violated("I3", &how);
        }
    }
}

impl Store for MemoryStore {
    async fn put(&self, payment: &Payment) -> Result<Written, StoreError> {
        self.write("put", |payments| {
            if let Some(stands) = payments.get(&payment.id) {
                return Written::Refused(Some(Box::new(stands.clone())));
            }
            if let Some((charge_id, _)) = reserved(payment) {
                let held = refunds::held(charge_id, payments.values());
                let Some(charge) = payments.get_mut(charge_id) else {
                    return Written::ChargeRefused(None);
                };
                let bears = charge.has_moved_money()
                    && !charge.was_refunded_elsewhere()
                    && charge.order.kind == Kind::Charge
                    && charge.order.merchant == payment.order.merchant
                    && charge.order.money.currency() == payment.order.money.currency();
                let amount = payment.order.money.signed_amount();
                match charge.refundable.map(|left| left - amount) {
                    Some(left) if bears && left >= 0 => {
                        refunds::check_taken(self.environment.world(), charge, held + amount);
                        charge.refundable = Some(left);
                    }
                    Some(_) | None => {
                        return Written::ChargeRefused(Some(Box::new(charge.clone())));
                    }
                }
            }
            payments.insert(payment.id.clone(), payment.clone());
            Written::Applied(Box::new(payment.clone()))
        })
        .await
    }

    async fn claim(&self, claim: &SendClaim) -> Result<Written, StoreError> {
        self.write("claim", |payments| {
            let Some(stands) = payments.get_mut(&claim.payment_id) else {
                return Written::Refused(None);
            };
            match claim.apply(stands, &self.table.policy) {
                Some(after) => {
                    self.check_end(stands, &after);
                    *stands = after.clone();
                    Written::Applied(Box::new(after))
                }
                None => Written::Refused(Some(Box::new(stands.clone()))),
            }
        })
        .await
    }

    async fn replace(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        self.write("replace", |payments| {
            let Some(stands) = payments.get(&before.id) else {
                return Written::Refused(None);
            };
            if stands.version != before.version {
                return Written::Refused(Some(Box::new(stands.clone())));
            }
            self.check_end(stands, after);
            if stands.state == State::Parked && after.reason == Reason::Replayed {
                let now_us = self.environment.world().now_us();
                lock(&self.table.replays).entry(after.id.clone()).or_default().push(now_us);
            }
            // Refunds reserve and release without a version of their own: what they count stays as it stands, unless this
            // very write changes it.
            let is_same = before.refundable == after.refundable;
            let refundable = if is_same { stands.refundable } else { after.refundable };
            let kept = Payment { refundable, ..after.clone() };
            let money = after.order.money;
            let change = match (released(before, after), recaptured(before, after)) {
                (Some((charge_id, _)), _) => Some((charge_id, money.signed_amount())),
                (None, Some((charge_id, _))) => Some((charge_id, -money.signed_amount())),
                (None, None) => None,
            };
            if let Some((charge_id, change)) = change
                && let Some(charge) = payments.get_mut(charge_id)
                && charge.order.money.currency() == money.currency()
            {
                charge.refundable = charge.refundable.map(|left| left + change);
            }
            payments.insert(kept.id.clone(), kept.clone());
            Written::Applied(Box::new(kept))
        })
        .await
    }

    async fn get(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read("get", self.faults().throttle, || self.table.payment(id)).await
    }

    async fn bind(&self, binding: &Binding) -> Result<Bound, StoreError> {
        let world = self.environment.world();
        if world.fails(world.faults.throttle) {
            return self.environment.io("bind", || Err(StoreError::Refused("throttled".to_owned()))).await;
        }
        let bind = || {
            let mut keys = lock(&self.table.keys);
            let bound = keys.entry(binding.key.clone()).or_insert_with(|| binding.payment_id.clone());
            if *bound == binding.payment_id { Bound::Here } else { Bound::Elsewhere(bound.clone()) }
        };
        let bound = self.environment.io("bind", bind).await;
        if world.fails(world.faults.unresolved) {
            return Err(StoreError::Unresolved("time-out".to_owned()));
        }
        Ok(if world.answer_is_lost() { self.environment.io("bind", bind).await } else { bound })
    }
}

impl OpenPayments for MemoryStore {
    async fn open(
        &self,
        shard: Shard,
        after: Option<&OpenKey>,
        created_before: Timestamp,
        most: u32,
    ) -> Result<Vec<OpenKey>, StoreError> {
        let shard = shard.key();
        let mut open: Vec<OpenKey> = lock(&self.table.payments)
            .values()
            .filter(|payment| payment.open_shard.as_deref() == Some(shard.as_str()))
            .filter(|payment| payment.created_at < created_before)
            .map(|payment| OpenKey { created_at: payment.created_at, payment_id: payment.id.clone() })
            .filter(|key| after.is_none_or(|after| key > after))
            .collect();
        if open.is_empty() {
            // Most shards are: an empty answer is no place where anything could go wrong.
            return Ok(Vec::new());
        }
        open.sort();
        open.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        self.read("open payments", self.faults().lookups_throttled, || open).await
    }
}

impl EndedPayments for MemoryStore {
    async fn to_forget(
        &self,
        part: Part,
        after: Option<&PageEnd>,
        now: Timestamp,
        most: u32,
    ) -> Result<EndedPage, StoreError> {
        // A scan reads every item, and leaves out afterwards what was not asked for.
        let mut read: Vec<Payment> = lock(&self.table.payments)
            .values()
            .filter(|payment| payment.id.shard(part.of) == part.number)
            .filter(|payment| after.is_none_or(|after| payment.id.as_str() > after.0.as_str()))
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .cloned()
            .collect();
        let is_full = read.len() == usize::try_from(most).unwrap_or(usize::MAX);
        let next = read.last().filter(|_| is_full).map(|last| PageEnd(last.id.as_str().to_owned()));
        read.retain(|payment| payment.forget_at.is_some_and(|at| at <= now));
        let page = EndedPage { payments: read.into_iter().map(Ok).collect(), next };
        if page.payments.is_empty() && page.next.is_none() {
            // Most parts have nothing: an empty answer is no place where anything could go wrong.
            return Ok(page);
        }
        self.read("scan", self.faults().throttle, || page).await
    }
}

impl Merchants for MemoryStore {
    async fn find(&self, key: &ApiKeyHash) -> Result<Option<Merchant>, StoreError> {
        let share = self.faults().lookups_throttled;
        self.read("find merchant", share, || lock(&self.table.merchants).get(key).cloned()).await
    }
}

//! The contract over the simulator's ports in memory.

use std::sync::Arc;
use std::time::Duration;

use payments::payment::Lane;
use simulator::Faults;
use simulator::memory::queue::{Count, Name};
use simulator::memory::{Buckets, Gates, MemoryAdmission, MemoryGate, MemoryQueue, MemoryStore, Queues, Table};
use simulator::world::{Environment, World};

use super::admission::admission_contract;
use super::ended::{ended_contract, parts_contract};
use super::gate::gate_contract;
use super::keys::{key_contract, lost_key_contract};
use super::merchants::merchants_contract;
use super::open::{depth_contract, open_contract};
use super::queue::{Inspect, Place, RECEIVES_MAX, Received, VISIBILITY_SECONDS, queue_contract};
use super::refunds::refund_contract;
use super::samples::policy;
use super::store::{Lossy, lost_answer_contract, store_contract};

fn environment() -> Environment {
    Environment::new(&World::new(1, Faults::none()), "suite")
}

fn store() -> (MemoryStore, Arc<Table>, Environment) {
    let environment = environment();
    let table = Table::new(policy());
    (MemoryStore::new(&table, &environment), table, environment)
}

impl Lossy for Environment {
    fn lose_next_answer(&self) {
        self.world().lose_next_answer();
    }
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_a_store() {
    let (store, ..) = store();
    store_contract(&store).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_refunds() {
    let (store, ..) = store();
    refund_contract(&store).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_what_has_ended() {
    let (one, ..) = store();
    ended_contract(&one).await;
    let (other, ..) = store();
    parts_contract(&other).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_keys() {
    let (store, _, environment) = store();
    key_contract(&store).await;
    lost_key_contract(&store, &environment).await;
}

#[tokio::test(start_paused = true)]
async fn memory_knows_its_own_writes_again() {
    let (store, _, environment) = store();
    lost_answer_contract(&store, &environment).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_a_gate() {
    let gates = Arc::new(Gates::default());
    gate_contract(Arc::new(MemoryGate::new(&gates, &environment()))).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_admission() {
    let environment = environment();
    let gates = Arc::new(Gates::default());
    let queues =
        Queues::new(environment.world(), u64::from(VISIBILITY_SECONDS) * 1_000, RECEIVES_MAX, Count::BeginsAnew);
    let admission = MemoryAdmission::new(&Arc::new(Buckets::default()), &gates, &queues, "acme", &environment);
    let gate = MemoryGate::new(&gates, &environment);
    admission_contract(Arc::new(admission), &gate, &MemoryQueue::new(&queues, &environment), "acme").await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_merchants() {
    let (store, table, _) = store();
    merchants_contract(&store, async |merchant| table.add_merchant(merchant.clone())).await;
}

struct MemorySide {
    queues: Arc<Queues>,
}

fn name(place: Place) -> Name {
    match place {
        Place::Lane(Lane::High) => Name::High,
        Place::Lane(Lane::Standard) => Name::Standard,
        Place::DeadLetter => Name::DeadLetter,
        Place::Parked => Name::Parked,
    }
}

impl Inspect for MemorySide {
    async fn receive(&self, place: Place) -> Vec<Received> {
        self.queues
            .receive(name(place), 10)
            .into_iter()
            .map(|stored| Received {
                message_id: stored.message_id,
                receipt_handle: stored.receipt_handle,
                body: stored.body,
                group: stored.group,
                sent_timestamp: stored.sent_timestamp,
                receive_count: stored.receive_count,
            })
            .collect()
    }

    async fn delete(&self, place: Place, receipt_handle: &str) {
        self.queues.delete(name(place), receipt_handle);
    }

    async fn move_all(&self, from: Place, to: Option<Place>) -> usize {
        self.queues.move_all(name(from), to.map(name))
    }

    async fn wait_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn arn(&self, place: Place) -> String {
        name(place).arn()
    }
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_queues() {
    for count in [Count::BeginsAnew, Count::GoesOn] {
        let environment = environment();
        let visibility_ms = u64::from(VISIBILITY_SECONDS) * 1_000;
        let queues = Queues::new(environment.world(), visibility_ms, RECEIVES_MAX, count);
        let side = MemorySide { queues: Arc::clone(&queues) };
        queue_contract(&MemoryQueue::new(&queues, &environment), &side).await;
    }
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_the_index_of_open_payments() {
    let (store, ..) = store();
    open_contract(&store).await;
}

#[tokio::test(start_paused = true)]
async fn memory_keeps_the_contract_of_depths() {
    let environment = environment();
    let queues =
        Queues::new(environment.world(), u64::from(VISIBILITY_SECONDS) * 1_000, RECEIVES_MAX, Count::BeginsAnew);
    let side = MemorySide { queues: Arc::clone(&queues) };
    depth_contract(&MemoryQueue::new(&queues, &environment), &side).await;
}

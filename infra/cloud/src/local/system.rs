//! Sluice as a deployment wires it, in one process: the real handlers over the real adapters and the SDK's clients, an
//! embedded AWS beneath them, and what API Gateway and the event source mappings do around them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws::admission::DynamoAdmission;
use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::merchants::DynamoMerchants;
use aws::store::DynamoStore;
use aws::system::SystemClock;
use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use consumer::{Consumer, Limits};
use dead_letter::DeadLetter;
use ingest::{AdmissionControl, Callbacks, Ingest};
use pacing::gate::GateState;
use payments::id::PaymentId;
use payments::limit::Limit;
use payments::payment::Payment;
use payments::policy::Policy;
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use ports::{Clock, Store};
use providers::callback::Known;
use providers::http::{HttpProvider, HttpSettings};

use super::settings;
use super::stack::{self, Addresses, LocalLedger, LocalReconcile, wired};
use crate::embedded::{
    ADMISSION_TABLE, Embedded, Endpoint, GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE, QueueNumbers, Queues, REGION,
    queue_arn,
};
use crate::front::Front;
use crate::mapping::{Mapping, QueueAddress, Settings};

/// Under which name the calls of `ingest` are counted.
pub const INGEST: &str = "ingest";
/// Under which name the calls of `consumer` are counted.
pub const CONSUMER: &str = "consumer";
/// Under which name the calls of the event source mappings are counted, which AWS makes and bills for SQS.
pub const MAPPINGS: &str = "mappings";
/// Under which name the calls of `dead_letter` are counted.
pub const DEAD_LETTER: &str = "dead_letter";
/// Under which name the calls of `reconcile` are counted.
pub const RECONCILE: &str = stack::RECONCILE;
const WATCHER: &str = "watcher";

/// What a system is started with.
#[derive(Clone, Copy, Debug)]
pub struct Wiring<'a> {
    /// Where merchants send their payments; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whose contract the provider follows.
    pub provider_kind: ProviderKind,
    /// The provider's address.
    pub provider_url: &'a str,
    /// What it knows us by.
    pub provider_key: &'a str,
    /// What it signs its callbacks with, if it makes any.
    pub callback_key: Option<&'a str>,
    /// The calls a second that it allows.
    pub rate_per_second: u32,
    /// How long the provider remembers a key, in ms.
    pub key_window_ms: u64,
    /// Payments a second that a merchant may send whose record says nothing.
    pub merchant_rate: u32,
    /// Messages that a lane may hold before it takes no more.
    pub queue_depth_max: u64,
    /// Share of the messages that are delivered twice on purpose.
    pub duplicate_share: f64,
    /// Decides which.
    pub seed: u64,
}

/// Everything between the merchants and the provider.
pub struct System {
    embedded: Embedded,
    watcher: Clients,
    store: DynamoStore,
    front: Front,
    mappings: Vec<Mapping>,
    sweeps: tokio::task::JoinHandle<()>,
}

impl System {
    /// Starts everything.
    pub async fn start(wiring: &Wiring<'_>) -> Result<Self, String> {
        let embedded = Embedded::start();
        embedded.create_tables().await?;
        let queues = embedded
            .create_queues(QueueNumbers {
                visibility_seconds: settings::VISIBILITY_SECONDS,
                max_receive_count: settings::MAX_RECEIVES,
                dead_letter_visibility_seconds: settings::VISIBILITY_SECONDS,
                dead_letter_max_receive_count: settings::DEAD_LETTER_MAX_RECEIVES,
            })
            .await?;
        let consumer = consumer(&embedded, &queues, wiring)?;
        let mappings = mappings(&embedded, &queues, consumer, wiring);
        let front = front(&embedded, &queues, wiring).await?;
        let addresses =
            Addresses { api_url: format!("http://{}", front.address()), provider_url: wiring.provider_url.to_owned() };
        let sweeps = tokio::spawn(sweeps(stack::deploy(&embedded, &queues, Some(&addresses))));
        let watcher = Clients::new(&embedded.config(WATCHER));
        let store = DynamoStore::new(watcher.dynamodb.clone(), PAYMENTS_TABLE);
        Ok(Self { embedded, watcher, store, front, mappings, sweeps })
    }

    /// The embedded AWS beneath it, to make it misbehave.
    pub fn embedded(&self) -> &Embedded {
        &self.embedded
    }

    /// Where merchants send their payments.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// Answers as AWS over HTTP too, for commands that look in from outside.
    pub async fn serve_aws(&self, listen: SocketAddr) -> Result<Endpoint, String> {
        let bound = self.embedded.serve(listen).await;
        bound.map_err(|error| format!("the embedded AWS cannot listen on {listen}: {error}; choose with --aws-listen"))
    }

    /// Clients for whoever looks in or sets it up, whose calls are counted apart from the functions'.
    pub fn clients(&self) -> &Clients {
        &self.watcher
    }

    /// How many payments stand in each state.
    pub async fn states(&self) -> Result<BTreeMap<String, u64>, String> {
        let mut states = BTreeMap::new();
        let mut pages = self.watcher.dynamodb.scan().table_name(PAYMENTS_TABLE).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| format!("cannot read the payments: {}", DisplayErrorContext(&error)))?;
            if let Some(Ok(state)) = item.get("state").map(|state| state.as_s()) {
                *states.entry(state.clone()).or_default() += 1;
            }
        }
        Ok(states)
    }

    /// A payment as it stands.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<Payment>, String> {
        self.store.get(id).await.map_err(|error| format!("cannot read payment {id}: {error}"))
    }

    /// AWS calls that `who` has made, by operation.
    pub fn calls_of(&self, who: &str) -> BTreeMap<String, u64> {
        let calls = self.embedded.calls().into_iter();
        calls.filter(|((label, _), _)| label == who).map(|((_, operation), count)| (operation, count)).collect()
    }

    /// Messages that were delivered twice on purpose so far.
    pub fn duplicated(&self) -> u64 {
        self.mappings.iter().map(|mapping| mapping.counts().duplicated.load(Ordering::Relaxed)).sum()
    }

    /// Batches that failed as a whole so far, which no handler of ours should let happen.
    pub fn failed_batches(&self) -> u64 {
        self.mappings.iter().map(|mapping| mapping.counts().failed_batches.load(Ordering::Relaxed)).sum()
    }

    /// Stops at once; what runs is dropped where it stands.
    pub fn abort(&mut self) {
        self.sweeps.abort();
        self.mappings.clear();
    }

    /// Stops polling and lets finish what runs.
    pub async fn stop(&mut self) {
        self.sweeps.abort();
        for mapping in self.mappings.drain(..) {
            mapping.stop().await;
        }
    }
}

type RealConsumer = Consumer<LocalLedger, DynamoGates, HttpProvider>;

fn consumer(embedded: &Embedded, queues: &Queues, wiring: &Wiring<'_>) -> Result<RealConsumer, String> {
    let policy = settings::policy();
    let clients = Clients::new(&embedded.config(CONSUMER));
    let provider = HttpProvider::new(HttpSettings {
        kind: wiring.provider_kind,
        base_url: wiring.provider_url.to_owned(),
        key: wiring.provider_key.to_owned(),
        connect_timeout_ms: policy.connect_timeout_ms,
        pool_size: usize::try_from(settings::MAX_IN_FLIGHT).unwrap_or(1),
        idle_timeout_ms: settings::IDLE_TIMEOUT_MS,
    })
    .map_err(|error| format!("the provider's settings are wrong: {error}"))?;
    // Whoever sends is who must not do so under a forgotten key.
    let policy = Policy { key_window_ms: wiring.key_window_ms, ..policy };
    Ok(Consumer::new(
        LocalLedger { policy, ..wired(&clients, queues) },
        DynamoGates::new(clients.dynamodb, GATES_TABLE),
        provider,
        Limits { max_in_flight: settings::MAX_IN_FLIGHT, gate: settings::gate() },
        GateState::new(settings::PROVIDER_NAME, settings::gate_rate(wiring.rate_per_second), settings::MARGIN_MS),
    ))
}

/// The schedule that a deployment has for `reconcile`.
async fn sweeps(reconcile: Arc<LocalReconcile>) {
    loop {
        tokio::time::sleep(settings::SWEEP_EVERY).await;
        reconcile.handle(SystemClock.now().plus_ms(settings::FUNCTION_TIMEOUT_MS)).await;
    }
}

async fn front(embedded: &Embedded, queues: &Queues, wiring: &Wiring<'_>) -> Result<Front, String> {
    let clients = Clients::new(&embedded.config(INGEST));
    let port = DynamoAdmission::new(&clients, ADMISSION_TABLE, GATES_TABLE, settings::PROVIDER_NAME, queues.urls());
    let limit = Limit::usual(wiring.merchant_rate);
    let admission = AdmissionControl::new(port, limit, settings::admission(wiring.queue_depth_max));
    let known = wiring.callback_key.map(|key| Known::new(wiring.provider_kind, key, None)).transpose();
    let known = known.map_err(|error| format!("the callbacks' settings are wrong: {error}"))?;
    let callbacks = known.map(|known| Callbacks { provider: settings::PROVIDER_NAME.to_owned(), known });
    let ledger = wired(&clients, queues);
    let ingest = Ingest::new(ledger, DynamoMerchants::new(clients.dynamodb, MERCHANTS_TABLE), Some(admission));
    let ingest = Arc::new(ingest.with_callbacks(callbacks).with_provider_kind(wiring.provider_kind));
    Front::start(wiring.listen, move |request| {
        let ingest = Arc::clone(&ingest);
        async move { ingest.handle(request).await }
    })
    .await
    .map_err(|error| format!("cannot listen on {}: {error}", wiring.listen))
}

/// Both lanes on the one consumer, and the DLQ on its triage.
fn mappings(embedded: &Embedded, queues: &Queues, consumer: RealConsumer, wiring: &Wiring<'_>) -> Vec<Mapping> {
    let client = aws_sdk_sqs::Client::new(&embedded.config(MAPPINGS));
    let address = |url: &str| QueueAddress { url: url.to_owned(), arn: queue_arn(url), region: REGION.to_owned() };
    let consumer = Arc::new(consumer);
    let to_consumer = move |event: SqsEvent, deadline: Timestamp| {
        let consumer = Arc::clone(&consumer);
        async move { Some(consumer.handle(event, deadline).await) }
    };
    let clients = Clients::new(&embedded.config(DEAD_LETTER));
    let triage = Arc::new(DeadLetter::new(wired(&clients, queues)));
    let to_triage = move |event: SqsEvent, deadline: Timestamp| {
        let triage = Arc::clone(&triage);
        async move { Some(triage.handle(event, deadline).await) }
    };
    let standard = Settings {
        name: "standard",
        batch_size: 20,
        window_ms: 1_000,
        maximum_concurrency: settings::STANDARD_CONCURRENCY,
        function_timeout_ms: settings::FUNCTION_TIMEOUT_MS,
        duplicate_share: wiring.duplicate_share,
        seed: wiring.seed,
    };
    let high = Settings {
        name: "high",
        batch_size: 10,
        window_ms: 0,
        maximum_concurrency: settings::HIGH_CONCURRENCY,
        ..standard.clone()
    };
    let dead_letter = Settings { name: "dead-letter", ..high.clone() };
    vec![
        Mapping::start(client.clone(), address(&queues.standard), standard, to_consumer.clone()),
        Mapping::start(client.clone(), address(&queues.high), high, to_consumer),
        Mapping::start(client, address(&queues.dead_letter), dead_letter, to_triage),
    ]
}

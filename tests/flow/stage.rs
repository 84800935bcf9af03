//! A stage for one handler: the ports in memory, and requests and batches as AWS would bring them.

use std::sync::Arc;
use std::time::Duration;

use ::consumer::{Consumer, Limits};
use ::dead_letter::DeadLetter;
use ::ingest::{AdmissionControl, Callbacks, Ingest};
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use pacing::admission::AdmissionSettings;
use pacing::gate::GateState;
use payments::id::{MerchantId, PaymentId};
use payments::limit::Limit;
use payments::merchant::{ApiKeyHash, Merchant};
use payments::message::Message;
use payments::payment::Payment;
use payments::time::Timestamp;
use ports::{Admission, Clock, Ledger, Merchants, Provider, Store, Wired};
use providers::callback::Known;
use providers::open::callback::CallbackKeys;
use serde_json::{Value, json};
use simulator::Faults;
use simulator::memory::queue::{Count, Name};
use simulator::memory::{
    Buckets, Gates, MemoryAdmission, MemoryGate, MemoryProvider, MemoryQueue, MemoryStore, Queues, Table,
};
use simulator::run::{gate_settings, policy};
use simulator::world::{Environment, World};

/// A merchant that may do everything.
pub const UK: &str = "sandbox_key_united_kingdom_0001";
/// Another one, with no permission.
pub const FRANCE: &str = "sandbox_key_france_00000000001";

/// The provider's name in the path of its callbacks.
pub const PROVIDER: &str = "sandbox";
/// The key that it signs with, and the one before.
pub const CALLBACK_KEY: &str = "callback_key_0123456789abcdefghij";
pub const CALLBACK_KEY_BEFORE: &str = "callback_key_before_9876543210zyxw";

/// The table or another store, the queues, a clock and dice.
pub type LedgerOver<S> = Wired<S, MemoryQueue, Environment, Environment>;

pub type TheIngest = Ingest<LedgerOver<MemoryStore>, MemoryStore, MemoryAdmission>;

/// The same, which holds merchants to their rates.
pub type AdmittingIngest = TheIngest;

pub type TheConsumer = Consumer<LedgerOver<MemoryStore>, MemoryGate, MemoryProvider>;

pub type TheDeadLetter = DeadLetter<LedgerOver<MemoryStore>>;

pub struct Stage {
    pub world: Arc<World>,
    pub table: Arc<Table>,
    pub queues: Arc<Queues>,
    pub gates: Arc<Gates>,
    pub buckets: Arc<Buckets>,
    pub ledger: Arc<simulator::memory::Ledger>,
    pub environment: Environment,
}

impl Stage {
    pub fn new(faults: Faults) -> Self {
        let world = World::new(1, faults);
        let table = Table::new(policy());
        for key in [UK, FRANCE] {
            table.add_merchant(merchant(key));
        }
        let gates: Arc<Gates> = Arc::default();
        gates.set(gate());
        Self {
            queues: Queues::new(&world, 360_000, 12, Count::GoesOn),
            buckets: Arc::default(),
            ledger: simulator::memory::Ledger::new(&world),
            environment: Environment::new(&world, "stage"),
            gates,
            table,
            world,
        }
    }

    pub fn calm() -> Self {
        Self::new(Faults::none())
    }

    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    pub fn ingest(&self) -> TheIngest {
        self.ingest_over(self.store())
    }

    /// The table of payments, reached from here.
    pub fn store(&self) -> MemoryStore {
        MemoryStore::new(&self.table, &self.environment)
    }

    /// An ingest over another store than the table.
    pub fn ingest_over<S: Store>(&self, store: S) -> Ingest<LedgerOver<S>, MemoryStore, MemoryAdmission> {
        self.ingest_with(store, self.store())
    }

    /// An ingest over other tables of payments and merchants.
    pub fn ingest_with<S: Store, M: Merchants>(
        &self,
        store: S,
        merchants: M,
    ) -> Ingest<LedgerOver<S>, M, MemoryAdmission> {
        self.ingest_admitting(store, merchants, None)
    }

    fn ingest_admitting<S: Store, M: Merchants>(
        &self,
        store: S,
        merchants: M,
        admission: Option<AdmissionControl<MemoryAdmission>>,
    ) -> Ingest<LedgerOver<S>, M, MemoryAdmission> {
        let known = Known::Open(CallbackKeys::new(CALLBACK_KEY, Some(CALLBACK_KEY_BEFORE)));
        let callbacks = Callbacks { provider: PROVIDER.to_owned(), known };
        Ingest::new(self.wired(store), merchants, admission).with_callbacks(Some(callbacks))
    }

    /// This store, and the stage's queues, clock and dice.
    pub fn wired<S>(&self, store: S) -> LedgerOver<S> {
        Wired {
            store,
            queue: MemoryQueue::new(&self.queues, &self.environment),
            clock: self.environment.clone(),
            entropy: self.environment.clone(),
            policy: policy(),
        }
    }

    /// One environment's ingest, with merchants who may bring this many a second and lanes that may hold this much.
    pub fn admitting(&self, limit: Limit, queue_depth_max: u64) -> AdmittingIngest {
        let port = MemoryAdmission::new(&self.buckets, &self.gates, &self.queues, PROVIDER, &self.environment);
        let settings =
            AdmissionSettings { gate: gate_settings(), high_concurrency: 2, standard_concurrency: 2, queue_depth_max };
        self.ingest_admitting(self.store(), self.store(), Some(AdmissionControl::new(port, limit, settings)))
    }

    /// The consumer on a batch, in an invocation of a minute.
    pub async fn consume(&self, event: SqsEvent) -> SqsBatchResponse {
        self.consume_within(event, 60_000).await
    }

    pub async fn consume_within(&self, event: SqsEvent, within_ms: u64) -> SqsBatchResponse {
        self.consumer().handle(event, self.now().plus_ms(within_ms)).await
    }

    /// One environment's consumer, for more than one batch.
    pub fn consumer(&self) -> TheConsumer {
        self.consumer_over(self.store(), MemoryProvider::new(&self.ledger, &self.environment))
    }

    /// The same over another store than the table, and another way to the provider.
    pub fn consumer_over<S: Store, P: Provider>(
        &self,
        store: S,
        provider: P,
    ) -> Consumer<LedgerOver<S>, MemoryGate, P> {
        Consumer::new(
            self.wired(store),
            MemoryGate::new(&self.gates, &self.environment),
            provider,
            Limits { max_in_flight: 50, gate: gate_settings() },
            gate(),
        )
    }

    pub async fn triage(&self, event: SqsEvent) -> SqsBatchResponse {
        self.dead_letter().handle(event, self.now().plus_ms(60_000)).await
    }

    /// One environment's triage, for more than one batch.
    pub fn dead_letter(&self) -> TheDeadLetter {
        self.dead_letter_over(self.store())
    }

    /// The same over another store than the table.
    pub fn dead_letter_over<S: Store>(&self, store: S) -> DeadLetter<LedgerOver<S>> {
        DeadLetter::new(self.wired(store))
    }

    /// Puts a body into a queue and receives the batch with it. Returns what is received, in the order of sending.
    pub fn batch(&self, name: Name, bodies: &[String]) -> SqsEvent {
        for body in bodies {
            self.queues.put(name, body.clone(), None, 0);
        }
        self.receive(name, bodies)
    }

    /// Receives and deletes everything that is visible.
    pub fn empty(&self, name: Name) {
        for stored in self.queues.receive(name, 1_000) {
            self.queues.delete(name, &stored.receipt_handle);
        }
    }

    pub fn receive(&self, name: Name, bodies: &[String]) -> SqsEvent {
        let mut received = self.queues.receive(name, 1_000);
        received.sort_by_key(|stored| bodies.iter().position(|body| *body == stored.body));
        let mut event = SqsEvent::default();
        event.records = received
            .into_iter()
            .map(|stored| {
                let mut message = SqsMessage::default();
                message.message_id = Some(stored.message_id);
                message.receipt_handle = Some(stored.receipt_handle);
                message.body = Some(stored.body);
                message.event_source_arn = Some(name.arn());
                message.attributes = [
                    ("SentTimestamp".to_owned(), stored.sent_timestamp.ms().to_string()),
                    ("ApproximateReceiveCount".to_owned(), stored.receive_count.to_string()),
                ]
                .into();
                message
            })
            .collect();
        event
    }

    /// A payment that stands in the table, at rest or not, as it would if it were of today.
    pub fn stands(&self, mut payment: Payment) -> PaymentId {
        payment.order.expires_at = None;
        payment.created_at = self.now();
        payment.changed_at = self.now();
        payment.first_sent_at = payment.first_sent_at.map(|_| self.now());
        let lease_until = payment.claim.as_ref().map(|claim| claim.lease_until);
        payment.written_until = payment.written_until.map(|_| lease_until.unwrap_or(self.now()));
        let id = payment.id.clone();
        self.table.set(payment);
        id
    }

    pub fn payment(&self, id: &PaymentId) -> Payment {
        self.table.payment(id).expect("the payment stands")
    }

    pub fn calls(&self) -> usize {
        self.ledger.calls_us().len()
    }
}

/// The merchant's record.
pub fn merchant(key: &str) -> Merchant {
    let (name, permitted) = if key == UK { ("united-kingdom", true) } else { ("france", false) };
    Merchant {
        key_hash: ApiKeyHash::of(key).unwrap(),
        merchant: MerchantId::new(name).unwrap(),
        unlinked_refunds: permitted,
        high_priority: permitted,
        limit: None,
    }
}

fn gate() -> GateState {
    GateState::new("sandbox", 100, 10)
}

/// A message's body, written now.
pub fn message_for(stage: &Stage, payment: &Payment) -> String {
    Message::new(payment.id.clone(), payment.order.merchant.clone(), stage.now()).to_body()
}

/// The numbers of the records that a batch's answer reports as failed.
pub fn failed(event: &SqsEvent, response: &SqsBatchResponse) -> Vec<usize> {
    let ids: Vec<_> = event.records.iter().map(|record| record.message_id.clone().unwrap()).collect();
    let mut failed: Vec<usize> = response
        .batch_item_failures
        .iter()
        .map(|failure| ids.iter().position(|id| *id == failure.item_identifier).expect("only the batch's own ids"))
        .collect();
    failed.sort_unstable();
    failed
}

pub async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A charge that nothing is wrong with.
pub fn charge(order_id: &str) -> Value {
    json!({ "order_id": order_id, "kind": "charge", "amount": 13_912, "currency": "GBP" })
}

pub fn request(method: Method, path: &str, key: &str, body: Option<String>) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some(path.to_owned());
    request.request_context.http.method = method;
    let bearer = format!("Bearer {key}");
    request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).unwrap());
    if body.is_some() {
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    request.body = body;
    request
}

pub fn post(body: &Value) -> ApiGatewayV2httpRequest {
    request(Method::POST, "/v1/payments", UK, Some(body.to_string()))
}

pub fn get(path: &str) -> ApiGatewayV2httpRequest {
    request(Method::GET, path, UK, None)
}

pub fn cancel(id: &str, body: Option<&Value>) -> ApiGatewayV2httpRequest {
    request(Method::POST, &format!("/v1/payments/{id}/cancel"), UK, body.map(Value::to_string))
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: i64,
    pub headers: HeaderMap,
    pub document: Value,
}

impl Answer {
    pub fn text(&self, field: &str) -> &str {
        self.document[field].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The problem's name, after checking that it is a whole problem document.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.document["status"], self.status, "{self:?}");
        assert!(!self.text("title").is_empty() && !self.text("detail").is_empty(), "{self:?}");
        self.text("type").strip_prefix("urn:sluice:problem:").expect("a problem has its name")
    }

    /// The fields that are named, each with a reason.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.document["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(errors.iter().all(|error| error["reason"].as_str().is_some_and(|reason| reason.len() > 5)), "{self:?}");
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

pub async fn ask<L: Ledger, M: Merchants, A: Admission>(
    ingest: &Ingest<L, M, A>,
    request: ApiGatewayV2httpRequest,
) -> Answer {
    let ApiGatewayV2httpResponse { status_code, headers, body, .. } = Box::pin(ingest.handle(request)).await;
    let document = match body {
        Some(Body::Text(text)) => serde_json::from_str(&text).expect("an answer is JSON"),
        other => panic!("an answer is text: {other:?}"),
    };
    Answer { status: status_code, headers, document }
}

//! What merchants do in a run: a dozen payments, some of them twice at once, a refund of a charge, cancelations,
//! payments that expire; each asked for again until there is an answer.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use payments::id::MerchantId;
use payments::merchant::{ApiKeyHash, Merchant};
use serde_json::{Value, json};

use crate::ageing::refundable;
use crate::check::Accepted;
use crate::system::System;
use crate::world::{World, lock};

/// The merchants of a run and their keys.
const MERCHANTS: [(&str, &str); 3] = [
    ("united-kingdom", "sandbox_key_united_kingdom_0001"),
    ("france", "sandbox_key_france_00000000001"),
    ("germany", "sandbox_key_germany_0000000001"),
];

/// Times that a merchant asks before it gives up.
const ASKS_MAX: u32 = 60;

/// The merchants' records.
pub fn merchants() -> Vec<Merchant> {
    MERCHANTS
        .into_iter()
        .map(|(name, key)| Merchant {
            key_hash: ApiKeyHash::of(key).expect("the key has the form of one"),
            merchant: MerchantId::new(name).expect("the name has the form of one"),
            unlinked_refunds: true,
            high_priority: true,
            limit: None,
        })
        .collect()
}

/// How a merchant reaches the API: `None` when the connection broke.
pub trait Api: Clone + Send + Sync + 'static {
    /// Sends one request.
    fn request(
        &self,
        request: ApiGatewayV2httpRequest,
    ) -> impl Future<Output = Option<ApiGatewayV2httpResponse>> + Send;
}

/// What merchants were told.
#[derive(Debug, Default)]
pub struct Told {
    accepted: Mutex<BTreeMap<String, Accepted>>,
    orders: Mutex<BTreeMap<String, Order>>,
    ids: Mutex<BTreeMap<(String, String, String), String>>,
    /// The payment of each merchant's idempotency key.
    keys: Mutex<BTreeMap<(String, String), String>>,
    refused: Mutex<u32>,
    gave_up: Mutex<u32>,
}

impl Told {
    /// Every payment that a merchant was told is accepted, by its id.
    pub fn accepted(&self) -> BTreeMap<String, Accepted> {
        lock(&self.accepted).clone()
    }

    /// Requests that were refused for good.
    pub fn refused(&self) -> u32 {
        *lock(&self.refused)
    }

    /// Requests that a merchant stopped repeating.
    pub fn gave_up(&self) -> u32 {
        *lock(&self.gave_up)
    }

    /// Learns from an answer. I6: the same request always gets the same id.
    fn learn(&self, world: &World, order: &Order, document: &Value) {
        let Some(id) = document["id"].as_str() else {
            world.violated("I6", "an accepted payment without an id");
            return;
        };
        let key = (order.merchant.to_owned(), order.kind.to_owned(), order.name.clone());
        let known = lock(&self.ids).entry(key).or_insert_with(|| id.to_owned()).clone();
        if known != id {
            world.violated("I6", &format!("the same request got {known} and {id}"));
        }
        if let Some(used) = &order.idempotency_key {
            let first = lock(&self.keys)
                .entry((order.merchant.to_owned(), used.clone()))
                .or_insert_with(|| id.to_owned())
                .clone();
            // A restore forgets whose the keys of its last minutes were; the orders' own ids are what holds then.
            if first != id && world.faults.restore.is_none() {
                world.violated("I6", &format!("one idempotency key paid for {first} and {id}"));
            }
        }
        let accepted = Accepted { amount: order.amount, currency: "GBP" };
        lock(&self.accepted).insert(id.to_owned(), accepted);
        lock(&self.orders).insert(id.to_owned(), order.clone());
    }
}

/// What a merchant wants.
#[derive(Clone, Debug)]
struct Order {
    merchant: &'static str,
    key: &'static str,
    kind: &'static str,
    name: String,
    amount: u64,
    more: Value,
    idempotency_key: Option<String>,
}

impl Order {
    fn body(&self) -> String {
        let mut body = json!({
            "order_id": self.name,
            "kind": self.kind,
            "amount": self.amount,
            "currency": "GBP",
            "customer": format!("of {}", self.name),
            "description": "12 candles",
            "metadata": { "basket": self.name },
        });
        if let (Some(body), Some(more)) = (body.as_object_mut(), self.more.as_object()) {
            body.extend(more.clone());
        }
        body.to_string()
    }
}

/// Runs what every merchant does, and returns when all have their answers.
pub async fn run<A: Api>(world: Arc<World>, api: A, told: Arc<Told>, payments: u64) {
    let mut customers = Vec::new();
    for number in 0..payments {
        let (world, api, told) = (Arc::clone(&world), api.clone(), Arc::clone(&told));
        customers.push(tokio::spawn(async move {
            customer(&world, &api, &told, number).await;
        }));
    }
    for customer in customers {
        // A panic in a customer is a panic of the run.
        customer.await.expect("a customer ends");
    }
}

/// One customer's story, by its number.
async fn customer<A: Api>(world: &Arc<World>, api: &A, told: &Told, number: u64) {
    let index = usize::try_from(number).unwrap_or(0) % MERCHANTS.len();
    let (merchant, key) = MERCHANTS[index];
    let order = |kind: &'static str, name: &str, amount: u64, more: Value| Order {
        merchant,
        key,
        kind,
        name: format!("{name}-{number}"),
        amount,
        more,
        idempotency_key: None,
    };
    tokio::time::sleep(Duration::from_millis(world.between(0, world.faults.arrive_within_ms))).await;
    let amount = world.between(1, 50_000);
    match number % 6 {
        // An impatient customer: the same order twice at the same time.
        0 => {
            let order = order("charge", "order", amount, json!({}));
            tokio::join!(pay(world, api, told, &order), pay(world, api, told, &order));
        }
        // A payment that has to be done within a minute, or sooner.
        1 => {
            let within_ms = world.between(2_000, 60_000);
            let expires_at = payments::time::Timestamp::from_us(world.now_us()).plus_ms(within_ms);
            let more = json!({ "expires_at": expires_at.to_string() });
            pay(world, api, told, &order("charge", "order", amount, more)).await;
        }
        // A refund of something charged elsewhere.
        2 => {
            pay(world, api, told, &order("refund", "order", amount, json!({ "unlinked": true }))).await;
        }
        // Paid, then given back in two parts that together are too much.
        3 => {
            let charge = order("charge", "order", 100, json!({}));
            pay(world, api, told, &charge).await;
            tokio::time::sleep(Duration::from_secs(world.between(1, 30))).await;
            let more = json!({ "original_order_id": charge.name });
            let first = order("refund", "back", 60, more.clone());
            let second = order("refund", "again", 60, more);
            tokio::join!(pay(world, api, told, &first), pay(world, api, told, &second));
            // Somebody tries it once more when the provider may have changed its mind about one of them.
            if world.faults.provider.reversed > 0.0 {
                tokio::time::sleep(Duration::from_secs(world.between(60, 3_600))).await;
                let more = json!({ "original_order_id": charge.name });
                pay(world, api, told, &order("refund", "rest", 100, more)).await;
            }
        }
        // Changed its mind.
        4 => {
            let order = order("charge", "order", amount, json!({ "priority": "high" }));
            pay(world, api, told, &order).await;
            tokio::time::sleep(Duration::from_millis(world.between(0, 2_000))).await;
            cancel(world, api, told, &order).await;
        }
        // Asks for the same again a minute later, then for something else under the same order, and then under another
        // order with the key of the first.
        _ => {
            let idempotency_key = Some(format!("checkout-{number}"));
            let order = Order { idempotency_key, ..order("charge", "order", amount, json!({})) };
            pay(world, api, told, &order).await;
            tokio::time::sleep(Duration::from_mins(1)).await;
            pay(world, api, told, &order).await;
            pay(world, api, told, &Order { amount: amount + 1, ..order.clone() }).await;
            pay(world, api, told, &Order { name: format!("another-{number}"), ..order }).await;
        }
    }
}

async fn pay<A: Api>(world: &Arc<World>, api: &A, told: &Told, order: &Order) {
    ask(world, api, told, order, "/v1/payments").await;
}

/// Every merchant asks again for what it was told is accepted: for all that names no charge, or for all that does.
pub(crate) async fn ask_again<A: Api>(world: &Arc<World>, api: &A, told: &Told, names_a_charge: bool) {
    let orders: Vec<Order> = lock(&told.orders).values().cloned().collect();
    for order in orders.iter().filter(|order| order.more.get("original_order_id").is_some() == names_a_charge) {
        pay(world, api, told, order).await;
    }
}

/// Long after their ends every merchant asks once more for what it was told is accepted, and is told how that stands;
/// for another amount under the same number it is refused. Nothing fails any more by then.
pub(crate) async fn repeat_all(system: &System, told: &Told) {
    let orders: Vec<(String, Order)> = lock(&told.orders).clone().into_iter().collect();
    let world = &system.world;
    for (id, order) in orders {
        let state = |payment: payments::payment::Payment| payment.state.as_str();
        let stands = system.table.payments().into_iter().find(|payment| payment.id.as_str() == id).map(state);
        // Nothing fails by then but an environment that was told to crash at this very step.
        let Some(response) = system.request(request("/v1/payments", &order)).await else { continue };
        let replayed = response.headers.get("idempotent-replayed").is_some();
        let document: Value = match &response.body {
            Some(Body::Text(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
            _ => Value::Null,
        };
        let told = (document["id"].as_str(), document["state"].as_str());
        if !replayed || told != (Some(id.as_str()), stands) {
            let how = format!("{id} was asked for once more, long after, and got {} {told:?}", response.status_code);
            world.violated("I6", &how);
        }
        let another = Order { amount: order.amount + 1, ..order };
        let status = system.request(request("/v1/payments", &another)).await.map(|response| response.status_code);
        if status != Some(422) {
            world.violated("I6", &format!("another amount for the order of {id} got {status:?}, long after"));
        }
    }
}

/// Some charges are given back long after, in full, and then by one more.
pub(crate) async fn give_back_late(system: &System, told: &Told) {
    let charges: Vec<(u64, Order)> = {
        let orders = lock(&told.orders);
        let left = |payment: payments::payment::Payment| {
            Some((refundable(&payment)?, orders.get(payment.id.as_str())?.clone()))
        };
        system.table.payments().into_iter().filter_map(left).take(3).collect()
    };
    for (left, charge) in charges {
        let refund = |name: &str, amount: u64| Order {
            kind: "refund",
            name: format!("{name}-{}", charge.name),
            amount,
            more: json!({ "original_order_id": charge.name }),
            idempotency_key: None,
            ..charge.clone()
        };
        let all = refund("late", left);
        pay(&system.world, system, told, &all).await;
        if !lock(&told.orders).values().any(|order| order.name == all.name) {
            system.world.violated("I7", &format!("{left} of {} could not be given back, long after", charge.name));
        }
        pay(&system.world, system, told, &refund("more", 1)).await;
    }
}

async fn cancel<A: Api>(world: &Arc<World>, api: &A, told: &Told, order: &Order) {
    let merchant = MerchantId::new(order.merchant).expect("the name has the form of one");
    let order_id = payments::id::OrderId::new(order.name.clone()).expect("so has the order's");
    let kind = payments::payment::Kind::parse(order.kind).expect("and the kind");
    let id = payments::id::PaymentId::derive(&merchant, kind, &order_id);
    ask(world, api, told, order, &format!("/v1/payments/{id}/cancel")).await;
}

/// Asks until there is an answer that says what is.
async fn ask<A: Api>(world: &Arc<World>, api: &A, told: &Told, order: &Order, path: &str) {
    for _ in 0..ASKS_MAX {
        let response = api.request(request(path, order)).await;
        let status = response.as_ref().map(|response| response.status_code);
        world.note(&format!("{:<12} {} {path} {}: {status:?}", order.merchant, order.kind, order.name));
        match (status, response) {
            (Some(200 | 202), Some(response)) => {
                let text = match response.body {
                    Some(Body::Text(text)) => text,
                    _ => String::new(),
                };
                let document = serde_json::from_str(&text).unwrap_or(Value::Null);
                told.learn(world, order, &document);
                peek(world, api, order, &document).await;
                return;
            }
            // A refusal is final. Conflicts are meant: some orders take more back than there is, or use a number or a key for
            // something else; and a minute that was asked for may be over. Anything else of theirs is a good order.
            (Some(status @ 400..=499), _) => {
                let is_meant = matches!(status, 404 | 409 | 422) || order.more.get("expires_at").is_some();
                if !is_meant {
                    world.violated("I2", &format!("the good order {} was refused with a {status}", order.name));
                }
                *lock(&told.refused) += 1;
                return;
            }
            (_, _) => tokio::time::sleep(Duration::from_millis(world.between(200, 12_000))).await,
        }
    }
    *lock(&told.gave_up) += 1;
}

/// I11: another merchant looks for it by its id.
async fn peek<A: Api>(world: &Arc<World>, api: &A, order: &Order, document: &Value) {
    let Some(id) = document["id"].as_str() else { return };
    let Some((other, key)) = MERCHANTS.iter().find(|(name, _)| *name != order.merchant) else { return };
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some(format!("/v1/payments/{id}"));
    request.request_context.http.method = Method::GET;
    let bearer = format!("Bearer {key}");
    request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).expect("a key is plain text"));
    let status = api.request(request).await.map(|response| response.status_code);
    // Nothing is there for it; or nobody could look.
    if !matches!(status, Some(404 | 503) | None) {
        world.violated("I11", &format!("{other} asked for a payment of {} and got {status:?}", order.merchant));
    }
}

fn request(path: &str, order: &Order) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.raw_path = Some(path.to_owned());
    request.request_context.http.method = Method::POST;
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let bearer = format!("Bearer {}", order.key);
    request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&bearer).expect("a key is plain text"));
    if let Some(key) = &order.idempotency_key {
        request.headers.insert("idempotency-key", HeaderValue::from_str(key).expect("so is this one"));
    }
    request.body = Some(order.body());
    request
}

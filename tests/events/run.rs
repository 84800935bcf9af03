//! Runs a sample: what it presupposes, the function's real binary with the file's text, and a look at what came of it.

use cloud::embedded::queue_arn;
use cloud::runtime_api::Function;
use payments::id::{OrderId, PaymentId};
use payments::payment::{Kind, Order, Payment, State};
use payments::time::Timestamp;
use ports::{Clock, Store};
use providers::open::callback::{SIGNATURE, sign};
use serde_json::{Value, json};

use super::folder;
use super::sample::{Answer, Before, Sample};
use crate::binaries::deployment::{Deployment, Wiring, until};
use crate::binaries::variables::CALLBACK_KEY;
use crate::contract::samples::{NOW, in_state_of, merchant, order};

pub(super) async fn run(sample: &Sample) {
    let file = sample.file;
    let mut deployment = Deployment::start(&Wiring::default()).await;
    for before in sample.before {
        happen(&deployment, before).await;
    }
    deployment.embedded.forget_calls();
    let before = deployment.provider.books().ledger().await.unwrap().len();

    let mut event = read(file);
    if sample.is_signed_anew {
        let body = event["body"].as_str().expect("a callback has a body");
        event["headers"][SIGNATURE.as_str()] = json!(sign(CALLBACK_KEY, now(), body.as_bytes()));
    }
    check_source(&deployment, sample, &event);
    let function = function(&deployment, sample.function()).clone();
    let answer = function.invoke(&event).await.unwrap_or_else(|failure| panic!("{file}: {failure}"));

    check_answer(file, &sample.answer, &event, &answer);
    if let Some((order_id, state)) = sample.payment {
        assert_eq!(stands(&deployment, order_id).await.map(|payment| payment.state), Some(state), "{file}");
    } else {
        let scan = deployment.watcher.dynamodb.scan().table_name(cloud::embedded::PAYMENTS_TABLE).send().await.unwrap();
        assert_eq!(scan.count(), 0, "{file}: nothing was to be written");
    }
    let charged = deployment.provider.books().ledger().await.unwrap().len() - before;
    assert_eq!(charged, sample.charges, "{file}: charges");
    let sent = deployment.calls_of(sample.function()).get("SendMessage").copied().unwrap_or(0);
    assert_eq!(sent, sample.messages, "{file}: messages");
    if let Some(event) = sample.log {
        let said = format!("\"event\":\"{event}\"");
        let log = || function.log().iter().any(|line| line.contains(&said));
        until(&format!("{file}: the log says {event}"), async || log()).await;
    }
    deployment.assert_clean_logs(&[]);
}

fn read(file: &str) -> Value {
    let path = folder().join(file).with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn function<'a>(deployment: &'a Deployment, name: &str) -> &'a Function {
    let functions = deployment.functions();
    functions.into_iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is no function")).1
}

fn now() -> Timestamp {
    aws::system::SystemClock.now()
}

async fn happen(deployment: &Deployment, before: &Before) {
    match before {
        Before::Sample(file) => {
            let name = file.split('/').next().unwrap_or_default();
            function(deployment, name).invoke(&read(file)).await.unwrap_or_else(|failure| panic!("{file}: {failure}"));
        }
        Before::Stands(order_id, state) => {
            // Only what has a time to expire at can be expired.
            let expires_at = (*state == State::Expired).then(|| NOW.plus_ms(3_600_000));
            put(deployment, in_state_of(*state, &Order { expires_at, ..order_of(order_id) })).await;
        }
        Before::IsBeingSent(order_id) => {
            let mut payment = in_state_of(State::Sending, &order_of(order_id));
            payment.claim.as_mut().expect("what is being sent is claimed").lease_until = now().plus_ms(60_000);
            put(deployment, payment).await;
        }
        Before::HasLostItsMessage(order_id) => {
            let mut payment = in_state_of(State::Queued, &order_of(order_id));
            payment.created_at = now().minus_ms(600_000);
            payment.changed_at = payment.created_at;
            put(deployment, payment).await;
        }
    }
}

async fn put(deployment: &Deployment, payment: Payment) {
    deployment.store.put(&payment).await.unwrap();
}

fn order_of(order_id: &str) -> Order {
    Order { order_id: OrderId::new(order_id).unwrap(), ..order() }
}

async fn stands(deployment: &Deployment, order_id: &str) -> Option<Payment> {
    let id = PaymentId::derive(&merchant(), Kind::Charge, &OrderId::new(order_id).unwrap());
    deployment.store.get(&id).await.unwrap()
}

/// A batch comes from the queue that the function is told of, or nothing in it could be hidden.
fn check_source(deployment: &Deployment, sample: &Sample, event: &Value) {
    let url = match sample.function() {
        "consumer" => &deployment.queues.standard,
        "dead_letter" => &deployment.queues.dead_letter,
        _ => return,
    };
    for record in event["Records"].as_array().expect("a batch has records") {
        assert_eq!(record["eventSourceARN"], queue_arn(url), "{}", sample.file);
    }
}

fn check_answer(file: &str, expected: &Answer, event: &Value, answer: &Value) {
    let document =
        || -> Value { serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default() };
    let is_replay = answer["headers"]["idempotent-replayed"] == "true";
    let again = || {
        let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{file}: {answer}"));
        let records = event["Records"].as_array().expect("a batch has records");
        let number = |failure: &Value| {
            let number = records.iter().position(|record| record["messageId"] == failure["itemIdentifier"]);
            number.unwrap_or_else(|| panic!("{file}: {failure}")) + 1
        };
        let mut numbers: Vec<usize> = failures.iter().map(number).collect();
        numbers.sort_unstable();
        numbers
    };
    match expected {
        Answer::Payment(status, state) => {
            assert_eq!((&answer["statusCode"], is_replay), (&json!(status), false), "{file}: {answer}");
            assert_eq!(document()["state"], state.as_str(), "{file}: {answer}");
        }
        Answer::Replayed(status, state) => {
            assert_eq!((&answer["statusCode"], is_replay), (&json!(status), true), "{file}: {answer}");
            assert_eq!(document()["state"], state.as_str(), "{file}: {answer}");
        }
        Answer::Taken => {
            assert_eq!(answer["statusCode"], 200, "{file}: {answer}");
            assert!(document()["payment_id"].is_string(), "{file}: {answer}");
        }
        Answer::Problem(status, name) => {
            assert_eq!(answer["statusCode"], *status, "{file}: {answer}");
            assert_eq!(document()["type"], format!("urn:sluice:problem:{name}"), "{file}: {answer}");
        }
        Answer::Again(numbers) => assert_eq!(again(), *numbers, "{file}: {answer}"),
        Answer::AgainAtMostOne => assert!(again().len() <= 1, "{file}: {answer}"),
        Answer::Swept { looked_at, healed } => {
            assert_eq!((&answer["looked_at"], &answer["healed"]), (&json!(looked_at), &json!(healed)), "{file}");
            assert_eq!(answer["failed"], 0, "{file}: {answer}");
        }
    }
}

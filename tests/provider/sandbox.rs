//! The sandbox keeps its contract when it is honest, and breaks it just as it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::system::SystemClock;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use cloud::front::Front;
use cloud::sandbox::{CallbackTarget, Fault, Faults, SandboxSettings, parse_fault};
use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::payment::Order;
use ports::{Clock, Connection, Provider};
use providers::http::{HttpProvider, HttpSettings};
use providers::open::callback::{Callback, CallbackKeys, SIGNATURE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::support::{eventually, id_of, order, query, sandbox, sandbox_settings, sandbox_with, send, settings};

fn always(fault: Fault) -> Faults {
    let mut faults = Faults::default();
    faults.set(fault, 1.0);
    faults
}

fn is_approved(answer: &SendAnswer) -> bool {
    matches!(answer, SendAnswer::Found(Found::Approved { .. }))
}

fn finds_approved(answer: &QueryAnswer) -> bool {
    matches!(answer, QueryAnswer::Found(Found::Approved { .. }))
}

#[tokio::test]
async fn an_honest_payment_is_approved_once_and_found() {
    let (sandbox, provider) = sandbox(Faults::default()).await;
    let order = order("1");
    assert_eq!(query(&provider, &order).await, QueryAnswer::NotFound);
    let first = send(&provider, &order).await;
    assert!(is_approved(&first), "{first:?}");
    assert_eq!(send(&provider, &order).await, first);
    assert!(finds_approved(&query(&provider, &order).await));
    let ledger = sandbox.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!(*ledger[0].payment_id, *id_of(&order).as_str());
    assert_eq!((ledger[0].amount, ledger[0].currency), (1_999, "EUR"));
}

/// As providers do: a key that is forgotten protects nobody.
#[tokio::test]
async fn past_its_key_window_the_same_request_is_a_new_payment() {
    let forgets = SandboxSettings { key_window_ms: 300, ..sandbox_settings(Faults::default()) };
    let (sandbox, provider) = sandbox_with(forgets).await;
    let order = order("1");
    for _ in 0..2 {
        assert!(is_approved(&send(&provider, &order).await));
    }
    assert_eq!(sandbox.ledger().len(), 1, "within the window it is known");
    sleep(Duration::from_millis(350)).await;
    assert!(is_approved(&send(&provider, &order).await));
    assert_eq!(sandbox.ledger().len(), 2, "charged twice");
    assert_eq!(cloud::local::settings::policy().key_window_ms.to_string(), told_key_window());
}

/// What `up` and `demo` tell their sandbox.
fn told_key_window() -> String {
    let arguments = cloud::local::settings::sandbox_arguments(50, 600_000, 1, []);
    let place = arguments.iter().position(|argument| argument == "--key-window-ms").unwrap();
    arguments[place + 1].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sends_of_one_key_side_by_side_have_one_effect() {
    let slower = SandboxSettings { latency_ms: (20, 60), ..sandbox_settings(Faults::default()) };
    let (sandbox, provider) = sandbox_with(slower).await;
    let provider = std::sync::Arc::new(provider);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let provider = std::sync::Arc::clone(&provider);
        sends.spawn(async move { send(&provider, &order("1")).await });
    }
    let answers = sends.join_all().await;
    assert!(answers.iter().any(is_approved));
    let conflict = SendAnswer::Unclear(Unclear::Conflict);
    assert!(answers.iter().all(|answer| is_approved(answer) || *answer == conflict));
    assert_eq!(sandbox.ledger().len(), 1);
    assert_eq!(sandbox.calls().len(), 50);
}

#[tokio::test]
async fn a_key_with_another_body_is_a_conflict() {
    let (sandbox, provider) = sandbox(Faults::default()).await;
    let mut order = order("1");
    send(&provider, &order).await;
    order.payment_method = Some("tok_2".to_owned());
    assert_eq!(send(&provider, &order).await, SendAnswer::Unclear(Unclear::Conflict));
    assert_eq!(sandbox.ledger().len(), 1);
}

#[tokio::test]
async fn each_fault_shows_as_what_it_is() {
    for (fault, sent, found, effects) in [
        (Fault::ErrorBefore, Unclear::ProviderError, false, 0),
        (Fault::DropBefore, Unclear::ConnectionLost, false, 0),
        (Fault::ErrorAfter, Unclear::ProviderError, true, 1),
        (Fault::DropAfter, Unclear::ConnectionLost, true, 1),
        (Fault::Unreadable, Unclear::Unreadable, true, 1),
    ] {
        let (sandbox, provider) = sandbox(always(fault)).await;
        let order = order("1");
        for _ in 0..2 {
            let answer = send(&provider, &order).await;
            assert_eq!(answer, SendAnswer::Unclear(sent), "{}", fault.name());
        }
        let answer = query(&provider, &order).await;
        if found {
            assert!(finds_approved(&answer), "{}: {answer:?}", fault.name());
        } else {
            // A fault that comes before any effect befalls the query too.
            assert_eq!(answer, QueryAnswer::Unclear(sent), "{}", fault.name());
        }
        assert_eq!(sandbox.ledger().len(), effects, "{}", fault.name());
    }
}

#[tokio::test]
async fn a_decline_is_for_ever_and_moves_nothing() {
    let (sandbox, provider) = sandbox(always(Fault::Decline)).await;
    let order = order("1");
    let SendAnswer::Found(declined @ Found::Declined { .. }) = send(&provider, &order).await else {
        panic!("declined");
    };
    assert_eq!(send(&provider, &order).await, SendAnswer::Found(declined.clone()));
    assert_eq!(query(&provider, &order).await, QueryAnswer::Found(declined));
    assert_eq!(sandbox.ledger(), []);
}

#[tokio::test]
async fn a_pending_payment_is_approved_by_itself() {
    let (sandbox, provider) = sandbox(always(Fault::Pending)).await;
    let order = order("1");
    let answer = send(&provider, &order).await;
    assert!(matches!(answer, SendAnswer::Found(Found::Accepted { .. })), "{answer:?}");
    let answer = query(&provider, &order).await;
    assert!(matches!(answer, QueryAnswer::Found(Found::Accepted { .. })), "{answer:?}");
    assert_eq!(sandbox.ledger(), []);
    eventually("approved", || sandbox.ledger().len() == 1).await;
    assert!(finds_approved(&query(&provider, &order).await));
}

#[tokio::test]
async fn a_late_charge_lands_after_the_caller_gave_up() {
    let later = SandboxSettings { late_ms: 2_000, ..sandbox_settings(always(Fault::Late)) };
    let (sandbox, provider) = sandbox_with(later).await;
    let order = order("1");
    // Given up once its request has come, however long that takes.
    tokio::select! {
        answer = send(&provider, &order) => panic!("nothing answers so soon: {answer:?}"),
        () = eventually("called", || !sandbox.calls().is_empty()) => {}
    }
    assert_eq!(query(&provider, &order).await, QueryAnswer::NotFound);
    assert_eq!(send(&provider, &order).await, SendAnswer::Unclear(Unclear::Conflict));
    assert_eq!(sandbox.ledger(), []);
    eventually("charged", || sandbox.ledger().len() == 1).await;
    assert!(finds_approved(&query(&provider, &order).await));
    assert_eq!(sandbox.calls()[0].answer, "open");
}

#[tokio::test]
async fn a_charge_lands_although_its_caller_resets_before_the_effect() {
    let slower = SandboxSettings { latency_ms: (600, 600), ..sandbox_settings(Faults::default()) };
    let (sandbox, provider) = sandbox_with(slower).await;
    let gave_up = timeout(Duration::from_millis(30), send(&provider, &order("1"))).await;
    assert!(gave_up.is_err());
    assert_eq!(sandbox.ledger(), []);
    eventually("charged", || sandbox.ledger().len() == 1).await;
}

#[tokio::test]
async fn slow_answers_are_slow_and_right() {
    let slow = SandboxSettings { slow_ms: 150, ..sandbox_settings(always(Fault::Slow)) };
    let (_sandbox, provider) = sandbox_with(slow).await;
    let order = order("1");
    assert!(timeout(Duration::from_millis(100), query(&provider, &order)).await.is_err());
    assert!(is_approved(&send(&provider, &order).await));
}

#[tokio::test]
async fn calls_over_the_rate_are_refused_before_any_effect() {
    const RATE: usize = 3;
    let limited = SandboxSettings { rate_per_second: 3, ..sandbox_settings(Faults::default()) };
    let (sandbox, provider) = sandbox_with(limited).await;
    let refused = SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms: Some(1_000) });
    // However slow this machine is: until five were refused, and then the last one until it is taken.
    let (mut number, mut approved, mut refusals) = (0, 0, 0);
    while refusals < 5 || approved < 2 * RATE {
        let is_refused = send(&provider, &order(&number.to_string())).await == refused;
        (approved, refusals) = (approved + usize::from(!is_refused), refusals + usize::from(is_refused));
        // A refused one is sent again.
        number += usize::from(!is_refused);
    }
    assert_eq!(sandbox.ledger().len(), approved, "what was refused had no effect");
    let calls = sandbox.calls();
    assert_eq!(calls.iter().filter(|call| call.answer == "rate_limited").count(), refusals);
    // By the times that it noted itself, a millisecond more or less.
    for (index, call) in calls.iter().enumerate() {
        let taken_within = |ms: u64| {
            let earlier = calls[..index].iter().filter(|earlier| earlier.answer != "rate_limited");
            earlier.filter(|earlier| call.at.since_ms(earlier.at) < ms).count()
        };
        if call.answer == "rate_limited" {
            assert!(taken_within(1_002) >= RATE, "{index} was refused within the rate");
        } else {
            assert!(taken_within(998) < RATE, "{index} was taken over the rate");
        }
    }
    let (_sandbox, provider) = super::support::sandbox(always(Fault::RateLimited)).await;
    assert_eq!(send(&provider, &order("1")).await, refused);
}

#[tokio::test]
async fn a_wrong_key_moves_nothing() {
    let (sandbox, _) = sandbox(Faults::default()).await;
    let wrong = HttpSettings { key: "another".to_owned(), ..settings(&sandbox.base_url()) };
    let provider = HttpProvider::new(wrong).expect("settings");
    let answer = send(&provider, &order("1")).await;
    assert_eq!(answer, SendAnswer::NotTaken(NotTaken::CredentialsRefused));
    let answer = query(&provider, &order("1")).await;
    assert_eq!(answer, QueryAnswer::NotTaken(NotTaken::CredentialsRefused));
    assert_eq!(sandbox.ledger(), []);
}

#[tokio::test]
async fn a_wrong_path_proves_nothing() {
    let (sandbox, _) = sandbox(Faults::default()).await;
    let astray = settings(&format!("{}/elsewhere", sandbox.base_url()));
    let provider = HttpProvider::new(astray).expect("settings");
    let answer = query(&provider, &order("1")).await;
    assert_eq!(answer, QueryAnswer::Unclear(Unclear::Unreadable));
}

#[tokio::test]
async fn the_same_seed_meets_the_same_faults_in_any_order() {
    async fn answers(seed: u64, orders: &[Order]) -> Vec<(String, SendAnswer)> {
        let faults = Faults { decline: 0.3, error_before: 0.2, drop_after: 0.2, ..Faults::default() };
        let (_sandbox, provider) = sandbox_with(SandboxSettings { seed, ..sandbox_settings(faults) }).await;
        let mut answers = Vec::new();
        for order in orders {
            answers.push((order.order_id.to_string(), send(&provider, order).await));
        }
        answers.sort_by(|left, right| left.0.cmp(&right.0));
        answers
    }
    let mut orders: Vec<Order> = (0..60).map(|number| order(&number.to_string())).collect();
    let first = answers(7, &orders).await;
    orders.reverse();
    assert_eq!(answers(7, &orders).await, first);
    assert_ne!(answers(8, &orders).await, first);
}

#[tokio::test]
async fn its_pages_say_what_it_did_in_lines_of_json() {
    let (sandbox, provider) = sandbox(Faults::default()).await;
    let order = order("1");
    send(&provider, &order).await;
    query(&provider, &order).await;
    let page = async |path: &str| {
        let mut stream = TcpStream::connect(sandbox.address()).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    };
    let id = id_of(&order);
    let at = &sandbox.ledger()[0].at;
    assert_eq!(
        page("/ledger").await,
        format!(r#"{{"payment_id":"{id}","kind":"charge","amount":1999,"currency":"EUR","at":"{at}"}}"#) + "\n"
    );
    let calls = page("/calls").await;
    let at = &sandbox.calls()[1].at;
    let asked = format!(r#"{{"payment_id":"{id}","operation":"query","answer":"approved","at":"{at}"}}"#);
    assert_eq!(calls.lines().nth(1), Some(asked.as_str()));
    let health: serde_json::Value = serde_json::from_str(&page("/healthz").await).expect("JSON");
    let started_at = health["started_at"].as_str().expect("a time");
    assert!(
        started_at < at.to_string().as_str(),
        "the books were opened at {started_at}, before the first call at {at}"
    );
    assert_eq!(health, serde_json::json!({"status": "ok", "rate_per_second": 0, "started_at": started_at}));
}

#[tokio::test]
async fn a_body_that_cannot_be_moves_nothing() {
    let (sandbox, provider) = sandbox(Faults::default()).await;
    let mut order = order("1");
    order.refund_of = Some(payments::payment::RefundOf::Charge {
        payment_id: id_of(&order),
        order_id: order.order_id.clone(),
        reference: None,
    });
    let connection = provider.connect().await.expect("a connection");
    let answer = connection.send(&id_of(&order), &order).await;
    assert!(matches!(answer, SendAnswer::Found(Found::Declined { .. })), "{answer:?}");
    assert_eq!(sandbox.ledger(), []);
}

#[test]
fn a_fault_is_named_and_has_a_share() {
    assert_eq!(parse_fault("drop_after=0.02"), Ok((Fault::DropAfter, 0.02)));
    for (text, part) in [
        ("drop_after", "NAME=SHARE"),
        ("dorp=0.1", "drop_after"),
        ("late=2", "from 0 to 1"),
        ("late=NaN", "from 0 to 1"),
        ("late=", "from 0 to 1"),
    ] {
        let error = parse_fault(text).expect_err(text);
        assert!(error.contains(part), "{error}");
    }
    let faults = Faults { late: 0.6, decline: 0.6, ..Faults::default() };
    assert!(faults.check().is_err());
}

/// Takes callbacks as `ingest` would, but for the table: the first of all is turned away once.
async fn taker(bodies: Arc<Mutex<Vec<String>>>) -> Front {
    let is_first = Arc::new(AtomicBool::new(true));
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let keys = CallbackKeys::new(CALLBACK_KEY, None);
    let taken = move |request: ApiGatewayV2httpRequest| {
        let header = request.headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = request.body.unwrap_or_default();
        let verified = keys.verify(header.as_deref(), body.as_bytes(), SystemClock.now());
        assert!(request.raw_path.as_deref() == Some("/v1/providers/sandbox/events"), "{:?}", request.raw_path);
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = match (is_first.swap(false, Ordering::Relaxed), verified) {
            (true, _) => 503,
            (false, Ok(())) => {
                bodies.lock().unwrap().push(body);
                200
            }
            (false, Err(_)) => 401,
        };
        async move { response }
    };
    Front::start(listen, taken).await.expect("a listener")
}

const CALLBACK_KEY: &str = "callback_key_0123456789abcdefghij";

#[tokio::test]
async fn it_calls_back_as_often_and_as_late_as_it_is_told_until_it_is_taken() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let front = taker(Arc::clone(&bodies)).await;
    let url = format!("http://{}/v1/providers/sandbox/events", front.address());
    let faults = Faults { pending: 1.0, callback: 1.0, callback_twice: 1.0, callback_late: 1.0, ..Faults::default() };
    let settings = SandboxSettings {
        pending_ms: 50,
        slow_ms: 2_000,
        callback: Some(CallbackTarget::new(&url, CALLBACK_KEY).unwrap()),
        ..sandbox_settings(faults)
    };
    let (sandbox, provider) = sandbox_with(settings).await;
    let order = order("1");
    send(&provider, &order).await;
    eventually("four callbacks are over", || sandbox.callbacks().len() == 4).await;
    // Twice each, and that it was accepted comes after that it was approved.
    let told: Vec<_> = sandbox.callbacks().iter().map(|callback| (callback.status, callback.answered)).collect();
    assert_eq!(told, [("approved", 200), ("approved", 200), ("accepted", 200), ("accepted", 200)]);
    for body in bodies.lock().unwrap().iter() {
        assert_eq!(Callback::read(body.as_bytes()).expect("it follows the contract").payment_id, id_of(&order));
    }
    assert_eq!(bodies.lock().unwrap().len(), 4, "what was turned away came again");
}

#[test]
fn callbacks_without_an_address_are_refused() {
    let faults = Faults { callback: 0.5, ..Faults::default() };
    let error = sandbox_settings(faults).check().unwrap_err();
    assert!(error.contains("--callback-url"), "{error}");
    // They fall beside the others, of which one at most falls to a call.
    assert_eq!(Faults { decline: 1.0, callback: 1.0, slow: 1.0, ..Faults::default() }.check(), Ok(()));
}

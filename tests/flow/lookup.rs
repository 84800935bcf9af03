//! Looking an order up by the query, and paths: what was meant is found, or refused by name; never another order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use cloud::front;
use http::Method;
use http::header::AUTHORIZATION;
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::Kind;
use ports::{Merchants, StoreError};
use simulator::memory::MemoryStore;

use super::stage::{FRANCE, Stage, UK, ask, charge, get, post, seconds};

/// The event that API Gateway makes of a request line.
fn event(method: Method, target: &str, key: Option<&str>) -> ApiGatewayV2httpRequest {
    let mut request = http::Request::builder().method(method).uri(target);
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    front::event(&parts, b"", "192.0.2.7:4242".parse().unwrap()).unwrap()
}

fn search(query: &str) -> ApiGatewayV2httpRequest {
    event(Method::GET, &format!("/v1/payments?{query}"), Some(UK))
}

/// Every octet that is not unreserved is escaped (RFC 3986, section 2.1).
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[tokio::test(start_paused = true)]
async fn an_order_with_a_comma_is_not_the_one_before_the_comma() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let first = ask(&ingest, post(&charge("INV7"))).await;
    assert_eq!(ask(&ingest, search("kind=charge&order_id=INV7")).await.text("id"), first.text("id"));
    let answer = ask(&ingest, search("kind=charge&order_id=INV7%2C1")).await;
    assert_eq!((answer.status, answer.problem()), (404, "payment-not-found"));
    let second = ask(&ingest, post(&charge("INV7,1"))).await;
    assert_ne!(first.text("id"), second.text("id"));
    for query in ["kind=charge&order_id=INV7%2C1", "order_id=INV7,1&kind=charge"] {
        assert_eq!(ask(&ingest, search(query)).await.text("id"), second.text("id"), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_order_id_that_is_taken_is_found_by_itself() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let printable: String = ('!'..='~').collect();
    let (half, other) = printable.split_at(47);
    for order in ["a/b", "100%", "a+b", "a,b", "a&b", "a=b", "a;b", "a?b#c", "%41", "%2541", "\"q\"", half, other] {
        let paid = ask(&ingest, post(&charge(order))).await;
        assert_eq!(paid.status, 202, "{order}");
        let found = ask(&ingest, search(&format!("kind=charge&order_id={}", escaped(order)))).await;
        assert_eq!((found.status, found.text("order_id")), (200, order));
        assert_eq!(found.text("id"), paid.text("id"), "{order}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_order_id_is_refused_and_nobody_elses_order_is_found() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    for order in ["a", "b", "a b", "ß"] {
        ask(&ingest, post(&charge(order))).await;
    }
    // A plus sign that is not escaped is a space in a query.
    for query in ["a+b", "a%20b", "%C3%9F", "%FF", "", "a%00"] {
        let answer = ask(&ingest, search(&format!("kind=charge&order_id={query}"))).await;
        assert_eq!((answer.status, answer.fields()), (400, vec!["order_id"]), "{query}");
    }
    let plus = ask(&ingest, search("kind=charge&order_id=a+b")).await;
    assert!(plus.text("detail").contains("%2B"), "{plus:?}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_given_twice_or_not_known_is_named() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    ask(&ingest, post(&charge("A1"))).await;
    for (query, field, reason) in [
        ("kind=charge&order_id=A1&order_id=A2", "order_id", "twice"),
        ("kind=charge&order_id=A1&order_id=A1", "order_id", "twice"),
        ("kind=charge&kind=refund&order_id=A1", "kind", "twice"),
        ("kind=charge&order_id=A1&order%5Fid=A2", "order_id", "twice"),
        ("kind=charge&order_id=A1&state=queued", "state", "not a parameter"),
        ("kind=charge&order_id=A1&a%0Ab", "ab", "not a parameter"),
        ("kind=charge&order_id=A1&4111111111111111=1", "query", "card number"),
    ] {
        let answer = ask(&ingest, search(query)).await;
        assert_eq!((answer.status, answer.fields()), (400, vec![field]), "{query}");
        assert!(answer.text("detail").contains(reason), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_key_every_path_is_401_and_costs_nothing() {
    let id = PaymentId::derive(&MerchantId::new("france").unwrap(), Kind::Charge, &OrderId::new("1").unwrap());
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let paths = [
        "/",
        "/favicon.ico",
        "/v1",
        "/v1/payments",
        "/v1/payments?kind=gift",
        "/v1/payments/",
        "/v1/payments/pay_1",
        &format!("/v1/payments/{id}"),
        &format!("/v1/payments/{id}/history"),
        &format!("/v1/payments/{id}/cancel"),
        "/v1/payments/a/b/c",
        "/v2/payments",
        "/v1/providers/nobody/events",
    ];
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            for key in [None, Some("short"), Some("two words and so long that it could be a key")] {
                let answer = ask(&ingest, event(method.clone(), path, key)).await;
                assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{method} {path}");
            }
        }
    }
    assert_eq!(stage.world.ios(), 0);
    // With one, each is told apart.
    let answer = ask(&ingest, event(Method::GET, "/favicon.ico", Some(FRANCE))).await;
    assert_eq!((answer.status, answer.problem()), (404, "no-such-path"));
    let answer = ask(&ingest, event(Method::POST, "/v1/providers/nobody/events", Some(FRANCE))).await;
    assert_eq!((answer.status, answer.problem()), (404, "no-such-path"));
}

#[tokio::test(start_paused = true)]
async fn a_path_is_read_as_the_api_decodes_it_and_no_further() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let paid = ask(&ingest, post(&charge("A1"))).await;
    let id = paid.text("id").to_owned();
    let found = ask(&ingest, event(Method::GET, &format!("/v1/payments/{}", escaped(&id)), Some(UK))).await;
    assert_eq!((found.status, found.text("id")), (200, id.as_str()));
    let escaped_once = id.replace('_', "%5F");
    let found = ask(&ingest, event(Method::GET, &format!("/v1/payments/{escaped_once}"), Some(UK))).await;
    assert_eq!((found.status, found.text("id")), (200, id.as_str()));
    let escaped_twice = id.replace('_', "%255F");
    let found = ask(&ingest, event(Method::GET, &format!("/v1/payments/{escaped_twice}"), Some(UK))).await;
    assert_eq!((found.status, found.problem()), (404, "payment-not-found"));
}

#[tokio::test(start_paused = true)]
async fn a_header_that_came_twice_is_nobodys_key() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let mut request = http::Request::builder().method(Method::GET).uri("/v1/payments?kind=charge&order_id=1");
    for key in [UK, FRANCE] {
        request = request.header(AUTHORIZATION, format!("Bearer {key}"));
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let twice = front::event(&parts, b"", "192.0.2.7:4242".parse().unwrap()).unwrap();
    let answer = ask(&ingest, twice).await;
    assert_eq!((answer.status, answer.problem(), stage.world.ios()), (401, "unauthorized", 0));
}

/// A table of merchants that counts who asks it.
#[derive(Clone)]
struct Counted(MemoryStore, Arc<AtomicU64>);

impl Merchants for Counted {
    async fn find(&self, key: &ApiKeyHash) -> Result<Option<Merchant>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.find(key).await
    }
}

/// One item gives 3,000 reads a second, and a sale has 10,000 environments that begin in the same seconds.
#[tokio::test(start_paused = true)]
async fn environments_that_read_a_merchant_together_do_not_read_it_together_again() {
    let stage = Stage::calm();
    let reads = Arc::new(AtomicU64::new(0));
    let environment = || stage.ingest_with(stage.store(), Counted(stage.store(), Arc::clone(&reads)));
    let environments: Vec<_> = (0..20).map(|_| environment()).collect();
    let (begun, mut again) = (stage.now(), BTreeMap::new());
    while stage.now().since_ms(begun) < 61_000 {
        for (nth, ingest) in environments.iter().enumerate() {
            let (before, at_ms) = (reads.load(Ordering::Relaxed), stage.now().since_ms(begun));
            assert_eq!(ask(ingest, get("/v1/payments/pay_1")).await.status, 404);
            if reads.load(Ordering::Relaxed) > before && at_ms > 1_000 {
                again.entry(nth).or_insert(at_ms);
            }
        }
        seconds(1).await;
    }
    assert_eq!(again.len(), environments.len(), "a revoked key works for a minute at the most: {again:?}");
    assert!(again.values().all(|at_ms| *at_ms >= 29_000), "{again:?}");
    let at_seconds: BTreeSet<u64> = again.values().map(|at_ms| at_ms / 1_000).collect();
    assert!(at_seconds.len() > 8, "{again:?}");
}

//! Bad input: each case is a problem document that names what is wrong; nothing is written, sent or kept.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use simulator::memory::queue::Name;

use super::stage::{Answer, FRANCE, Stage, UK, ask, charge, get, post, request};

/// Asks, and holds that the request left no trace: no more than the caller's record was read.
async fn refused(what: &str, request: ApiGatewayV2httpRequest) -> Answer {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let answer = ask(&ingest, request).await;
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    assert!(stage.world.ios() <= 1, "{what}: {} I/Os", stage.world.ios());
    assert_eq!(stage.table.payments(), [], "{what}");
    assert!(Name::ALL.iter().all(|name| stage.queues.depth(*name) == 0), "{what}");
    answer
}

fn with(field: &str, value: Value) -> Value {
    let mut body = charge("536365");
    body[field] = value;
    body
}

#[tokio::test(start_paused = true)]
async fn each_bad_field_is_named_with_its_reason() {
    let card = "4111 1111 1111 1111";
    let mut refund = charge("C536379");
    refund["kind"] = json!("refund");
    let cases = [
        ("wrong type", with("order_id", json!(536_365)), "order_id", "text"),
        ("order id too long", with("order_id", json!("5".repeat(65))), "order_id", "64"),
        ("control characters", with("order_id", json!("5363\u{7}65")), "order_id", "control"),
        ("no order id", with("order_id", Value::Null), "order_id", "required"),
        ("no kind", with("kind", Value::Null), "kind", "required"),
        ("unknown kind", with("kind", json!("gift")), "kind", "charge"),
        ("unknown field", with("amout", json!(1)), "amout", "not a field"),
        ("amount of 0", with("amount", json!(0)), "amount", "nothing to pay"),
        ("negative amount", with("amount", json!(-100)), "amount", "negative"),
        ("fractional amount", with("amount", json!(1.5)), "amount", "whole"),
        ("amount in quotes", with("amount", json!("100")), "amount", "quotes"),
        ("no amount", with("amount", Value::Null), "amount", "required"),
        ("beyond the currency's sense", with("amount", json!(100_000_000_001_u64)), "amount", "at most"),
        ("unknown currency", with("currency", json!("ABC")), "currency", "ISO 4217"),
        ("currency in small letters", with("currency", json!("gbp")), "currency", "ISO 4217"),
        ("gold", with("currency", json!("XAU")), "currency", "minor unit"),
        ("card as token", with("payment_method", json!("4111111111111111")), "payment_method", "card number"),
        ("card as customer", with("customer", json!(card)), "customer", "card number"),
        (
            "card in the description",
            with("description", json!(format!("paid with {card}"))),
            "description",
            "card number",
        ),
        ("card as order id", with("order_id", json!("4111-1111-1111-1111")), "order_id", "card number"),
        ("card in the metadata", with("metadata", json!({ "note": card })), "metadata", "card number"),
        ("card as a name in the metadata", with("metadata", json!({ card: "note" })), "metadata", "card number"),
        ("no date", with("expires_at", json!("tomorrow")), "expires_at", "RFC 3339"),
        ("over already", with("expires_at", json!("2025-12-31T23:59:59Z")), "expires_at", "future"),
        ("unknown lane", with("priority", json!("urgent")), "priority", "standard"),
        ("refund of nothing", refund, "original_order_id", "required"),
        ("charge with an original", with("original_order_id", json!("1")), "original_order_id", "refunds only"),
    ];
    for (what, body, field, reason) in cases {
        let answer = if what == "over already" {
            refused_after_a_look(what, post(&body)).await
        } else {
            refused(what, post(&body)).await
        };
        assert_eq!((answer.status, answer.problem()), (400, "invalid-request"), "{what}");
        assert_eq!(answer.fields(), [field], "{what}: {answer:?}");
        let said = answer.document["errors"][0]["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{what}: {said}");
        assert!(!answer.document.to_string().contains("1111"), "{what}: a card is repeated");
    }
}

/// A payment that comes too late is looked up, because it may be there from before; nothing more.
async fn refused_after_a_look(what: &str, request: ApiGatewayV2httpRequest) -> Answer {
    let stage = Stage::calm();
    let answer = ask(&stage.ingest(), request).await;
    assert_eq!((stage.world.ios(), stage.table.payments().len()), (2, 0), "{what}");
    assert_eq!(stage.queues.depth(Name::Standard), 0, "{what}");
    answer
}

#[tokio::test(start_paused = true)]
async fn all_faults_are_named_at_once() {
    let body = json!({ "kind": "gift", "amount": 0, "currency": "ABC", "colour": "red" });
    let answer = refused("many", post(&body)).await;
    let mut fields = answer.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["amount", "colour", "currency", "kind", "order_id"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_object_is_refused() {
    for body in ["", "{", "hello", "[]", "42", "\"text\"", "null", "{\"amount\":1,\"amount\":2}", "{} {}"] {
        let answer = refused(body, request(Method::POST, "/v1/payments", UK, Some(body.to_owned()))).await;
        assert_eq!(
            (answer.status, answer.problem(), answer.fields()),
            (400, "invalid-request", vec!["body"]),
            "{body}"
        );
    }
    let mut no_body = post(&charge("1"));
    no_body.body = None;
    assert_eq!(refused("no body", no_body).await.fields(), ["body"]);
    let mut not_base64 = post(&charge("1"));
    not_base64.is_base64_encoded = true;
    assert_eq!(refused("not base64", not_base64).await.fields(), ["body"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_over_64_kib_is_refused_plain_or_in_base64() {
    let mut body = charge("536365").to_string();
    body.insert_str(1, &" ".repeat(64 * 1024 + 1 - body.len()));
    assert_eq!(body.len(), 64 * 1024 + 1);
    let answer = refused("too large", request(Method::POST, "/v1/payments", UK, Some(body.clone()))).await;
    assert_eq!((answer.status, answer.problem()), (413, "body-too-large"));
    let mut encoded = request(Method::POST, "/v1/payments", UK, Some(data_encoding::BASE64.encode(body.as_bytes())));
    encoded.is_base64_encoded = true;
    assert_eq!(refused("too large in base64", encoded).await.problem(), "body-too-large");
    // One byte less is taken.
    body.remove(1);
    let stage = Stage::calm();
    assert_eq!(ask(&stage.ingest(), request(Method::POST, "/v1/payments", UK, Some(body))).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_missing_or_wrong_content_type_is_refused_and_a_parameter_is_not() {
    for value in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx"), Some("")]
    {
        let mut request = post(&charge("536365"));
        request.headers.remove(CONTENT_TYPE);
        if let Some(value) = value {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
        }
        let answer = refused(&format!("{value:?}"), request).await;
        assert_eq!((answer.status, answer.problem()), (415, "unsupported-media-type"), "{value:?}");
    }
    let stage = Stage::calm();
    let mut request = post(&charge("536365"));
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("Application/JSON; charset=utf-8"));
    assert_eq!(ask(&stage.ingest(), request).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_told_the_right_ones() {
    let id = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (method, path, allowed) in [
        (Method::PUT, "/v1/payments".to_owned(), "GET, POST"),
        (Method::DELETE, format!("/v1/payments/{id}"), "GET"),
        (Method::POST, format!("/v1/payments/{id}"), "GET"),
        (Method::GET, format!("/v1/payments/{id}/cancel"), "POST"),
    ] {
        let answer = refused(&path, request(method, &path, UK, None)).await;
        assert_eq!((answer.status, answer.problem()), (405, "method-not-allowed"), "{path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_path_is_not_there() {
    for path in ["", "/", "/v1", "/v2/payments", "/v1/payment", "/v1/payments/a/b", "/v1/payments/a/cancel/b"] {
        let answer = refused(path, request(Method::POST, path, UK, Some(charge("1").to_string()))).await;
        assert_eq!((answer.status, answer.problem()), (404, "no-such-path"), "{path}");
    }
    // What has not the form of an id is nobody's payment.
    for path in ["/v1/payments/", "/v1/payments/pay_1", "/v1/payments/536365"] {
        assert_eq!(refused(path, get(path)).await.problem(), "payment-not-found", "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_without_its_two_parameters_names_them() {
    let search = |parameters: &[(&str, &str)]| {
        let mut request = get("/v1/payments");
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]));
        request.query_string_parameters = parameters.collect::<std::collections::HashMap<_, _>>().into();
        request
    };
    for (parameters, fields) in [
        (&[][..], vec!["kind", "order_id"]),
        (&[("kind", "charge")], vec!["order_id"]),
        (&[("order_id", "1")], vec!["kind"]),
        (&[("kind", "gift"), ("order_id", "a b")], vec!["kind", "order_id"]),
    ] {
        let answer = refused("search", search(parameters)).await;
        assert_eq!((answer.status, answer.fields()), (400, fields), "{parameters:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_key_or_one_that_cannot_be_one_is_refused_without_a_look() {
    for authorization in
        [None, Some(""), Some("Bearer"), Some("Bearer short"), Some(UK), Some("Basic abc"), Some("Bearer a b")]
    {
        let stage = Stage::calm();
        let mut request = post(&charge("536365"));
        request.headers.remove(AUTHORIZATION);
        if let Some(value) = authorization {
            request.headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
        }
        let answer = ask(&stage.ingest(), request).await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "{authorization:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(stage.world.ios(), 0, "{authorization:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_looked_up_once_and_then_refused_for_nothing() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    for _ in 0..3 {
        let answer = ask(
            &ingest,
            request(Method::POST, "/v1/payments", "sandbox_key_nobody_0000000001", Some(charge("1").to_string())),
        )
        .await;
        assert_eq!((answer.status, answer.problem()), (401, "unauthorized"));
        assert_eq!(stage.world.ios(), 1);
    }
    assert_eq!(stage.table.payments(), []);
}

#[tokio::test(start_paused = true)]
async fn what_a_merchant_may_not_do_is_forbidden_by_name() {
    let mut high = charge("536365");
    high["priority"] = json!("high");
    let unlinked = json!({ "order_id": "C1", "kind": "refund", "amount": 60, "currency": "GBP", "unlinked": true });
    for (body, field) in [(high, "priority"), (unlinked, "unlinked")] {
        let answer = refused(field, request(Method::POST, "/v1/payments", FRANCE, Some(body.to_string()))).await;
        assert_eq!((answer.status, answer.problem(), answer.fields()), (403, "not-permitted", vec![field]));
    }
}

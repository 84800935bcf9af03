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
        ("currency in small letters", with("currency", json!("gbp")), "currency", "capitals"),
        ("gold", with("currency", json!("XAU")), "currency", "metals"),
        ("a fund", with("currency", json!("CLF")), "currency", "units of account"),
        ("kuna", with("currency", json!("HRK")), "currency", "EUR took its place"),
        ("guilder", with("currency", json!("ANG")), "currency", "XCG took its place"),
        ("2 to the power of 64", with("amount", json!(18_446_744_073_709_551_616.0_f64)), "amount", "100000000000"),
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
        assert_eq!(answer.header("accept"), Some("application/json"), "{value:?}");
    }
    let stage = Stage::calm();
    let mut request = post(&charge("536365"));
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("Application/JSON; charset=utf-8"));
    assert_eq!(ask(&stage.ingest(), request).await.status, 202);
}

/// A body in another form than JSON as it is, in UTF-8, is called what it is.
#[tokio::test(start_paused = true)]
async fn a_body_in_another_form_is_named_for_what_it_is() {
    let text = charge("536365").to_string();
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let marked = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
    let forms = [
        ("UTF-16, little end first", wide(u16::to_le_bytes)),
        ("UTF-16, big end first", wide(u16::to_be_bytes)),
        ("UTF-16 with its mark", marked(b"\xFF\xFE", &wide(u16::to_le_bytes))),
        ("UTF-16 with its other mark", marked(b"\xFE\xFF", &wide(u16::to_be_bytes))),
        ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
    ];
    let binary = |bytes: &[u8]| {
        let mut request = post(&Value::Null);
        request.body = Some(data_encoding::BASE64.encode(bytes));
        request.is_base64_encoded = true;
        request
    };
    for (what, bytes) in forms {
        let answer = refused(what, binary(&bytes)).await;
        assert_eq!((answer.status, answer.problem()), (415, "unsupported-media-type"), "{what}");
        assert!(answer.text("detail").contains("UTF-16"), "{what}: {answer:?}");
    }
    let gzip = refused("gzip", binary(b"\x1f\x8b\x08\x00\x00")).await;
    assert_eq!((gzip.status, gzip.header("accept-encoding")), (415, Some("identity")));
    assert!(gzip.text("detail").contains("gzip"), "{gzip:?}");

    for (coding, taken) in [("gzip", false), ("br", false), ("gzip, identity", false), ("identity", true)] {
        let stage = Stage::calm();
        let mut coded = post(&charge("536365"));
        coded.headers.insert("content-encoding", HeaderValue::from_static(coding));
        let answer = ask(&stage.ingest(), coded).await;
        assert_eq!(answer.status, if taken { 202 } else { 415 }, "{coding}");
        assert_eq!(answer.header("accept-encoding").is_some(), !taken, "{coding}");
        assert_eq!(answer.text("detail").contains("Content-Encoding"), !taken, "{coding}");
    }
    for (media_type, taken) in [
        ("application/json; charset=utf-16", false),
        ("application/json;charset=\"ISO-8859-1\"", false),
        ("application/json,application/json", false),
        ("application/json; charset=\"UTF-8\"", true),
        ("application/json; profile=x; charset=us-ascii", true),
    ] {
        let stage = Stage::calm();
        let mut request = post(&charge("536365"));
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        assert_eq!(ask(&stage.ingest(), request).await.status, if taken { 202 } else { 415 }, "{media_type}");
    }

    for (bytes, reason) in [
        (marked(b"\xEF\xBB\xBF", text.as_bytes()), "byte order mark"),
        (
            text.replace("536365", "5363\u{e4}5").chars().map(|c| u8::try_from(c).unwrap()).collect(),
            "not UTF-8 from its byte",
        ),
        (text.replace("13912", "1e999").into_bytes(), "out of every range"),
        ("[".repeat(1_000).into_bytes(), "must be one JSON object"),
        (text.replace("13912", &"[".repeat(1_000)).into_bytes(), "nested too deeply"),
        (b"".to_vec(), "empty"),
        (b"amount=1".to_vec(), "not JSON"),
    ] {
        let answer = refused(reason, binary(&bytes)).await;
        assert_eq!((answer.status, answer.fields()), (400, vec!["body"]), "{reason}");
        assert!(answer.text("detail").contains(reason), "{reason}: {answer:?}");
    }
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
    for (query, fields) in [
        (None, vec!["kind", "order_id"]),
        (Some(""), vec!["kind", "order_id"]),
        (Some("kind=charge"), vec!["order_id"]),
        (Some("order_id=1"), vec!["kind"]),
        (Some("kind=gift&order_id=a%20b"), vec!["kind", "order_id"]),
    ] {
        let mut search = get("/v1/payments");
        search.raw_query_string = query.map(str::to_owned);
        let answer = refused("search", search).await;
        assert_eq!((answer.status, answer.fields()), (400, fields), "{query:?}");
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

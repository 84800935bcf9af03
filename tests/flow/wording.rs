//! The words of every problem. They are read by people and by shops' code in the worst minutes, so each is pinned here and
//! was weighed: it says what is known, and advises nothing that can charge twice.

use std::collections::BTreeMap;

use http::Method;
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::{Kind, Payment, State};
use payments::time::Timestamp;
use ports::{Merchants, StoreError};
use providers::open::callback::sign;
use serde_json::{Value, json};
use simulator::Faults;

use super::failing::{Call, Failing, Fate};
use super::stage::{
    Answer, CALLBACK_KEY, FRANCE, PROVIDER, Stage, UK, ask, cancel, charge, get, post, request, seconds,
};
use crate::contract::samples::in_state;

/// Every problem that has one wording: its name, title and detail.
const WORDS: [(&str, &str, &str); 23] = [
    ("body-too-large", "The body is too large", "Send at most 65536 bytes."),
    ("callback-not-taken", "The callback may not have been taken", "Send it again; a second one changes nothing."),
    (
        "caller-not-read",
        "Whose the API key is could not be read",
        "This request neither read nor wrote a payment. Repeat it.",
    ),
    (
        "charge-refused",
        "The charge cannot bear this refund",
        "original_order_id: no charge with this order id is here.",
    ),
    (
        "contradicting-callback",
        "The callback contradicts the payment",
        "Its amount or currency is not the payment's. Nothing was changed; people on both sides have to look.",
    ),
    (
        "different-request",
        "This order was requested before with another body",
        "The first request's payment is queued, and payment_id names it; this request wrote nothing. Not as it was: amount, \
         currency. Send the first body again to be told what became of it.",
    ),
    (
        "idempotency-key-reused",
        "This Idempotency-Key came before with another order",
        "That order's payment is queued, and payment_id names it. This request wrote nothing. If both orders are one sale, \
         follow that payment and send no other.",
    ),
    ("invalid-request", "The request has faults", "kind must be charge, refund or payout."),
    (
        "may-be-accepted",
        "The payment may have been accepted",
        "Whether it was is not known. Repeat the request to learn which, or cancel the order: send the same body to \
         /v1/payments/{id}/cancel. Neither can charge twice.",
    ),
    (
        "may-be-canceled",
        "The payment may have been canceled",
        "Whether it was is not known; until a cancelation is confirmed the order may be charged. Repeat the request; a second \
         cancelation changes nothing more.",
    ),
    ("method-not-allowed", "This path does not take this method", "Use GET, POST."),
    (
        "no-such-path",
        "There is nothing at this path",
        "Payments are at /v1/payments, /v1/payments/{id}, /v1/payments/{id}/history and /v1/payments/{id}/cancel.",
    ),
    (
        "not-canceled",
        "This request canceled nothing",
        "Whether an earlier request did is not known; until a cancelation is confirmed the order may be charged. Repeat the \
         request.",
    ),
    (
        "not-cancelable",
        "The payment cannot be canceled any more",
        "It has succeeded; a charge is given back with a refund.",
    ),
    ("not-permitted", "This merchant may not do this", "priority: the high lane is not enabled for this merchant."),
    (
        "not-read",
        "The payment could not be read",
        "Whether there is such a payment is not known. This request changed nothing; repeat it.",
    ),
    (
        "not-written",
        "This request wrote nothing",
        "Whether an earlier request for the same order did is not known. Repeat the request; that cannot charge twice.",
    ),
    (
        "payment-not-found",
        "There is no such payment of yours",
        "Check the id, or look the order up by kind and order_id.",
    ),
    ("unauthorized", "The API key is missing or unknown", "Send the header Authorization: Bearer <API key>."),
    (
        "unknown-payment",
        "There is no such payment here",
        "Send it again later. If it stays unknown, people on both sides have to look.",
    ),
    (
        "unreadable-callback",
        "The callback does not follow the contract",
        "Send what a query is answered with: status, payment_id, amount, currency, and the reference or code.",
    ),
    (
        "unsupported-media-type",
        "The body is in a form that is not taken",
        "Send the header Content-Type: application/json, once.",
    ),
    (
        "untrusted-callback",
        "The callback's signature is not one of ours",
        "Send the header Sluice-Signature: t=<seconds>,v1=<hex>.",
    ),
];

/// Problems whose words hold a number of the moment: `tests/flow/admission.rs` and `looks.rs` pin them.
const WITH_NUMBERS: [&str; 3] = ["lane-full", "rate-limited", "too-late"];

#[tokio::test(start_paused = true)]
async fn every_problem_says_what_is_known_in_these_words() {
    let mut said = BTreeMap::new();
    for answer in answers().await {
        let words = (answer.text("title").to_owned(), answer.text("detail").to_owned());
        said.insert(answer.problem().to_owned(), words);
    }
    for (name, title, detail) in WORDS {
        assert_eq!(said.remove(name), Some((title.to_owned(), detail.to_owned())), "{name}");
    }
    assert_eq!(said, BTreeMap::new(), "each has its words in the table");
    // Every problem that the code has a name for is here.
    let code = include_str!("../../functions/ingest/src/document/problem.rs");
    let makers = ["Says::new(", "Says::unavailable("];
    let after = makers.iter().flat_map(|maker| code.split(maker).skip(1));
    let mut in_code: Vec<&str> =
        after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect();
    let mut here: Vec<&str> = WORDS.iter().map(|(name, ..)| *name).chain(WITH_NUMBERS).collect();
    in_code.sort_unstable();
    // A copy in which mutants stand beside the code may say a line twice.
    in_code.dedup();
    here.sort_unstable();
    assert_eq!(here, in_code);
}

async fn answers() -> Vec<Answer> {
    let mut answers = faulty_requests().await;
    answers.extend(callbacks().await);
    let id = |stage: &Stage| stage.table.payments().remove(0).id.as_str().to_owned();

    let throttled = Stage::new(Faults { throttle: 1.0, ..Faults::none() });
    answers.push(ask(&throttled.ingest(), post(&charge("1"))).await);
    answers.push(ask(&throttled.ingest(), get(&format!("/v1/payments/pay_{}", "a".repeat(32)))).await);
    answers.push(ask(&throttled.ingest(), cancel(&format!("pay_{}", "a".repeat(32)), None)).await);
    let unresolved = Stage::new(Faults { unresolved: 1.0, ..Faults::none() });
    answers.push(ask(&unresolved.ingest(), post(&charge("1"))).await);
    answers.push(ask(&unresolved.ingest(), cancel(&id(&unresolved), None)).await);
    answers
}

async fn faulty_requests() -> Vec<Answer> {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let body = |field: &str, value: Value| {
        let mut body = charge("1");
        body[field] = value;
        body
    };
    assert_eq!(ask(&ingest, post(&charge("1"))).await.status, 202);
    let mut other = body("amount", json!(1));
    other["currency"] = json!("EUR");
    let keyed = |order: &str| {
        let mut request = post(&charge(order));
        request.headers.insert("idempotency-key", "k".parse().unwrap());
        request
    };
    assert_eq!(ask(&ingest, keyed("3")).await.status, 202);
    let mut untyped = post(&charge("2"));
    untyped.headers.remove("content-type");
    let mut refund = body("kind", json!("refund"));
    refund["original_order_id"] = json!("nowhere");
    let done = stage.stands(Payment { ..in_state(State::Succeeded) });
    vec![
        ask(&ingest, keyed("4")).await,
        ask(&ingest, post(&other)).await,
        ask(&ingest, post(&body("kind", json!("gift")))).await,
        ask(&ingest, post(&refund)).await,
        ask(&ingest, request(Method::POST, "/v1/payments", UK, Some(" ".repeat(70_000)))).await,
        ask(&ingest, request(Method::POST, "/v1/payments", FRANCE, Some(body("priority", json!("high")).to_string())))
            .await,
        ask(&ingest, untyped).await,
        ask(&ingest, request(Method::PUT, "/v1/payments", UK, None)).await,
        ask(&ingest, get("/v2")).await,
        ask(&ingest, get("/v1/payments/pay_1")).await,
        ask(&ingest, request(Method::GET, "/v1/payments", "short", None)).await,
        ask(&ingest, cancel(done.as_str(), None)).await,
        ask(&stage.ingest_with(stage.store(), Unreadable), get("/v1/payments/pay_1")).await,
    ]
}

/// A table of merchants that is throttled.
struct Unreadable;

impl Merchants for Unreadable {
    async fn find(&self, _: &ApiKeyHash) -> Result<Option<Merchant>, StoreError> {
        Err(StoreError::Refused("throttled".to_owned()))
    }
}

async fn callbacks() -> Vec<Answer> {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let payment = stage.payment(&id);
    let about = |id: &str, amount: u64| {
        let currency = payment.order.money.currency().code();
        json!({ "status": "approved", "payment_id": id, "amount": amount, "currency": currency, "reference": "r" })
    };
    let signed = |body: String, at: Option<Timestamp>| {
        let mut request = request(Method::POST, &format!("/v1/providers/{PROVIDER}/events"), "", Some(body.clone()));
        if let Some(at) = at {
            let signature = sign(CALLBACK_KEY, at, body.as_bytes());
            request.headers.insert("sluice-signature", signature.parse().unwrap());
        }
        request
    };
    let (ingest, now) = (stage.ingest(), Some(stage.now()));
    let amount = payment.order.money.amount();
    let nobody = format!("pay_{}", "a".repeat(32));
    let failing = stage.ingest_over(Failing::new(stage.store(), &[(Call::Get, Fate::Refused)]));
    vec![
        ask(&ingest, signed("{}".to_owned(), None)).await,
        ask(&ingest, signed("{}".to_owned(), now)).await,
        ask(&ingest, signed(about(&nobody, amount).to_string(), now)).await,
        ask(&ingest, signed(about(id.as_str(), amount + 1).to_string(), now)).await,
        ask(&failing, signed(about(id.as_str(), amount).to_string(), now)).await,
    ]
}

#[tokio::test(start_paused = true)]
async fn a_changed_retry_is_told_where_the_first_stands_and_never_to_use_another_order_id() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let ingest = stage.ingest();
        ask(&ingest, post(&charge("1"))).await;
        let Payment { id, order, fingerprint, .. } = stage.table.payments().remove(0);
        stage.table.set(Payment { id, order, fingerprint, ..in_state(state) });
        let mut other = charge("1");
        other["metadata"] = json!({ "secret": "of theirs" });
        other["expires_at"] = json!("2031-01-31T12:00:00Z");
        let answer = ask(&ingest, post(&other)).await;
        assert_eq!((answer.status, answer.problem(), answer.text("state")), (422, "different-request", state.as_str()));
        assert_eq!(answer.fields(), ["expires_at", "metadata"]);
        let all = answer.document.to_string();
        assert!(!all.contains("theirs") && !all.contains("2031") && !all.contains("order_id"), "{all}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_canceled_is_told_why_by_where_it_stands() {
    for (state, kind, words) in [
        (State::Succeeded, Kind::Charge, "It has succeeded; a charge is given back with a refund."),
        (State::Succeeded, Kind::Payout, "It has succeeded; the money has moved."),
        (State::Declined, Kind::Charge, "It is declined, which is an end: nothing more is sent for it."),
        (State::Expired, Kind::Charge, "It is expired, which is an end: nothing more is sent for it."),
        (
            State::Parked,
            Kind::Charge,
            "It is parked: a request for it may have moved the money, and a person has to find out.",
        ),
    ] {
        let stage = Stage::calm();
        let mut payment = in_state(state);
        payment.order.kind = kind;
        payment.attempts = 1;
        let id = stage.stands(payment);
        let answer = ask(&stage.ingest(), cancel(id.as_str(), None)).await;
        assert_eq!(
            (answer.status, answer.problem(), answer.text("detail")),
            (409, "not-cancelable", words),
            "{state:?}"
        );
    }
}

/// A repeat of what was accepted is told so, whatever becomes of the message that is put back for it.
#[tokio::test(start_paused = true)]
async fn a_known_payment_is_told_as_it_stands_whatever_its_healing_meets() {
    for fate in [Fate::Refused, Fate::AnswerLost, Fate::Hangs] {
        let stage = Stage::calm();
        assert_eq!(ask(&stage.ingest(), post(&charge("1"))).await.status, 202);
        seconds(11).await;
        let failing = stage.ingest_over(Failing::new(stage.store(), &[(Call::Replace, fate)]));
        let again = ask(&failing, post(&charge("1"))).await;
        assert_eq!((again.status, again.text("state")), (202, "queued"), "{fate:?}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{fate:?}");
    }
    let stage = Stage::new(Faults { queue_refuses: 1.0, ..Faults::none() });
    assert_eq!(ask(&stage.ingest(), post(&charge("1"))).await.problem(), "may-be-accepted");
    seconds(11).await;
    assert_eq!(ask(&stage.ingest(), post(&charge("1"))).await.status, 202, "the item stands, and the sweep sees to it");
}

/// Whatever a call meets, the answer comes before Lambda would end the function, and says no more than is known.
#[tokio::test(start_paused = true)]
async fn whatever_the_table_does_the_answer_comes_in_time_and_says_what_is_known() {
    let cases = [
        (Call::Put, Fate::Refused, "create", "not-written"),
        (Call::Put, Fate::AnswerLost, "create", "may-be-accepted"),
        (Call::Put, Fate::Hangs, "create", "may-be-accepted"),
        (Call::Get, Fate::Refused, "get", "not-read"),
        (Call::Get, Fate::Hangs, "get", "not-read"),
        (Call::Get, Fate::Refused, "history", "not-read"),
        (Call::Get, Fate::Hangs, "history", "not-read"),
        (Call::Get, Fate::Refused, "cancel", "not-canceled"),
        (Call::Get, Fate::Hangs, "cancel", "not-canceled"),
        (Call::Replace, Fate::Refused, "cancel", "not-canceled"),
        (Call::Replace, Fate::AnswerLost, "cancel", "may-be-canceled"),
        (Call::Replace, Fate::Hangs, "cancel", "may-be-canceled"),
        (Call::Put, Fate::Refused, "cancel unseen", "not-canceled"),
        (Call::Put, Fate::AnswerLost, "cancel unseen", "may-be-canceled"),
        (Call::Put, Fate::Hangs, "cancel unseen", "may-be-canceled"),
        (Call::Get, Fate::Refused, "over", "not-written"),
        (Call::Get, Fate::Hangs, "over", "not-written"),
    ];
    for (call, fate, what, problem) in cases {
        let stage = Stage::calm();
        let id = ask(&stage.ingest(), post(&charge("1"))).await.text("id").to_owned();
        let unseen = ask(&Stage::calm().ingest(), post(&charge("2"))).await.text("id").to_owned();
        let mut over = charge("1");
        over["expires_at"] = json!("2025-12-31T23:59:59Z");
        let (asked, about) = match what {
            "create" => (post(&charge("2")), &unseen),
            "get" => (get(&format!("/v1/payments/{id}")), &id),
            "history" => (get(&format!("/v1/payments/{id}/history")), &id),
            "cancel" => (cancel(&id, None), &id),
            "over" => (post(&over), &id),
            _ => (cancel(&unseen, Some(&charge("2"))), &unseen),
        };
        let ingest = stage.ingest_over(Failing::new(stage.store(), &[(call, fate)]));
        let began = stage.now();
        let answer = ask(&ingest, asked).await;
        assert_eq!((answer.status, answer.problem()), (503, problem), "{what} {call:?} {fate:?}");
        assert_eq!(answer.text("payment_id"), about, "{what} {call:?} {fate:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(stage.now().since_ms(began) <= ingest::ANSWER_WITHIN_MS + 100, "{what} {call:?} {fate:?}");
    }
}

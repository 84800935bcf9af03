//! What an answer means, and what must never be believed.

use ::http::HeaderValue;
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::payment::Order;
use ports::Trace;
use providers::contract::{Body, Reply};
use providers::stripe::answer::{ACCOUNT, CHARGE_REFUSED, LIMITED_REASON, REFUND_REFUSED};
use serde_json::{Value, json};

use super::super::alipay::reply;
use super::{INTENT, charge, contract, declined, error, given_back, id_of, intent, known, list, lost, refund};

const UNREADABLE: SendAnswer = SendAnswer::Unclear(Unclear::Unreadable);

fn sent(order: &Order, reply: &Reply) -> SendAnswer {
    contract().send_answer(&id_of(order), order, reply)
}

fn asked(order: &Order, trace: &Trace, reply: &Reply) -> QueryAnswer {
    contract().query_answer(&id_of(order), order, trace, reply)
}

fn says(status: u16, body: &Value) -> Reply {
    reply(status, body.to_string())
}

fn with(mut value: Value, name: &str, to: Value) -> Value {
    value[name] = to;
    value
}

fn approved(id: &str) -> Found {
    Found::Approved { reference: ProviderText::new(id) }
}

fn accepted(id: &str) -> Found {
    Found::Accepted { reference: Some(ProviderText::new(id)) }
}

fn refusal(code: &str) -> Found {
    Found::Declined { code: ProviderText::new(code) }
}

#[test]
fn each_status_is_taken_at_its_word_however_it_is_asked() {
    let order = charge("1");
    let failed =
        with(intent(&order, "requires_payment_method"), "last_payment_error", json!({ "code": "expired_card" }));
    for (shown, found) in [
        (intent(&order, "succeeded"), Some(approved(INTENT))),
        (intent(&order, "processing"), Some(accepted(INTENT))),
        (intent(&order, "requires_action"), Some(accepted(INTENT))),
        (intent(&order, "requires_confirmation"), Some(accepted(INTENT))),
        (intent(&order, "requires_capture"), Some(accepted(INTENT))),
        // Made, and not tried yet.
        (intent(&order, "requires_payment_method"), Some(accepted(INTENT))),
        (failed, Some(refusal("expired_card"))),
        (intent(&order, "canceled"), Some(refusal("canceled"))),
        (intent(&order, "requires_news_of_2031"), None),
        (with(intent(&order, "succeeded"), "amount_received", json!(1_000)), None),
    ] {
        let as_send = found.clone().map_or(UNREADABLE, SendAnswer::Found);
        let as_query = found.map_or(QueryAnswer::Unclear(Unclear::Unreadable), QueryAnswer::Found);
        assert_eq!(sent(&order, &says(200, &shown)), as_send, "{shown}");
        assert_eq!(asked(&order, &known(INTENT), &says(200, &shown)), as_query, "{shown}");
        assert_eq!(asked(&order, &lost(), &says(200, &list(std::slice::from_ref(&shown), false))), as_query, "{shown}");
    }
}

#[test]
fn each_status_of_a_refund_is_taken_at_its_word() {
    let order = refund("1");
    let re = "re_1Nispe2eZvKYlo2Cd31jOCgZ";
    let failed = with(given_back(&order, "failed"), "failure_reason", json!("lost_or_stolen_card"));
    for (shown, found) in [
        (given_back(&order, "succeeded"), Some(approved(re))),
        (given_back(&order, "pending"), Some(accepted(re))),
        (given_back(&order, "requires_action"), Some(accepted(re))),
        (failed, Some(refusal("lost_or_stolen_card"))),
        (given_back(&order, "canceled"), Some(refusal("canceled"))),
        (with(given_back(&order, "succeeded"), "payment_intent", json!("pi_another")), None),
        (with(given_back(&order, "succeeded"), "status", Value::Null), None),
    ] {
        let as_send = found.clone().map_or(UNREADABLE, SendAnswer::Found);
        let as_query = found.map_or(QueryAnswer::Unclear(Unclear::Unreadable), QueryAnswer::Found);
        assert_eq!(sent(&order, &says(200, &shown)), as_send, "{shown}");
        assert_eq!(asked(&order, &lost(), &says(200, &list(std::slice::from_ref(&shown), false))), as_query, "{shown}");
    }
}

#[test]
fn an_answer_about_something_else_is_not_believed() {
    let order = charge("1");
    let right = intent(&order, "succeeded");
    for (name, to) in [
        ("amount", json!(1_998)),
        ("amount", json!("1999")),
        ("currency", json!("usd")),
        ("currency", json!("EUR")),
        ("metadata", json!({})),
        ("metadata", json!({ "sluice_payment_id": id_of(&charge("2")).as_str() })),
        ("metadata", json!({ "payment_id": id_of(&order).as_str() })),
        ("object", json!("charge")),
        ("object", json!("refund")),
        ("id", json!("ch_1")),
        ("status", json!(1)),
    ] {
        let wrong = with(right.clone(), name, to);
        assert_eq!(sent(&order, &says(200, &wrong)), UNREADABLE, "{name}");
        let answer = asked(&order, &known(INTENT), &says(200, &wrong));
        assert_eq!(answer, QueryAnswer::Unclear(Unclear::Unreadable), "{name}");
    }
    // Fields in another order are the same.
    let text = right.to_string();
    let turned = format!(
        "{{\"status\":\"succeeded\",\"amount_received\":1999,{}",
        &text[1..].replace(",\"status\":\"succeeded\"", "").replace("\"amount_received\":1999,", "")
    );
    assert_eq!(sent(&order, &reply(200, turned)), SendAnswer::Found(approved(INTENT)));
}

#[test]
fn a_declined_card_is_a_refusal_only_about_our_own_intent() {
    let order = charge("1");
    let refused = |body: &Value| sent(&order, &says(402, body));
    assert_eq!(
        refused(&declined(&order, Some("insufficient_funds"))),
        SendAnswer::Found(refusal("insufficient_funds"))
    );
    assert_eq!(refused(&declined(&order, None)), SendAnswer::Found(refusal("card_declined")));
    assert_eq!(refused(&declined(&charge("2"), Some("insufficient_funds"))), UNREADABLE);
    assert_eq!(refused(&error("card_error", Some("card_declined"))), UNREADABLE);
    // The customer would have to act, and is not there; the intent says that it was tried.
    let mut needs = declined(&order, Some("authentication_required"));
    needs["error"]["code"] = json!("authentication_required");
    assert_eq!(refused(&needs), SendAnswer::Found(refusal("authentication_required")));
    // What the intent says counts, and not what the error is called.
    let mut done = declined(&order, Some("insufficient_funds"));
    done["error"]["payment_intent"] = intent(&order, "succeeded");
    assert_eq!(refused(&done), SendAnswer::Found(approved(INTENT)));
    done["error"]["payment_intent"] = intent(&order, "processing");
    assert_eq!(refused(&done), SendAnswer::Found(accepted(INTENT)));
}

#[test]
fn a_refusal_without_an_object_counts_only_with_a_listed_code() {
    for (order, codes) in [(charge("1"), &CHARGE_REFUSED), (refund("1"), &REFUND_REFUSED)] {
        for status in [400, 404] {
            for code in codes {
                let answer = sent(&order, &says(status, &error("invalid_request_error", Some(code))));
                assert_eq!(answer, SendAnswer::Found(refusal(code)), "{code}");
                assert_eq!(sent(&order, &says(status, &error("api_error", Some(code)))), UNREADABLE, "{code}");
            }
            for code in [None, Some("news_of_2031"), Some("parameter_unknown")] {
                assert_eq!(sent(&order, &says(status, &error("invalid_request_error", code))), UNREADABLE, "{code:?}");
            }
        }
        // A status that no page has with it.
        for status in [201, 204, 302, 405, 410, 422] {
            let answer = sent(&order, &says(status, &error("invalid_request_error", Some(codes[0]))));
            assert_eq!(answer, UNREADABLE, "{status}");
        }
    }
}

#[test]
fn what_speaks_of_the_key_or_of_one_object_is_unknown_and_slows_nobody() {
    for order in [charge("1"), refund("1")] {
        let conflict = SendAnswer::Unclear(Unclear::Conflict);
        for (status, body) in [
            (400, error("idempotency_error", None)),
            (409, error("invalid_request_error", Some("idempotency_key_in_use"))),
            (409, json!({})),
            (429, error("invalid_request_error", Some("lock_timeout"))),
            (400, error("invalid_request_error", Some("lock_timeout"))),
            (429, error("invalid_request_error", Some("news_of_2031"))),
        ] {
            assert_eq!(sent(&order, &says(status, &body)), conflict, "{status} {body}");
        }
        let mut of_one = says(429, &error("invalid_request_error", Some("rate_limit")));
        of_one.headers.insert(LIMITED_REASON, HeaderValue::from_static("resource-specific"));
        assert_eq!(sent(&order, &of_one), conflict);
    }
}

#[test]
fn a_limit_of_the_accounts_is_not_taken_and_says_how_long() {
    let order = charge("1");
    let limited = |retry_after_ms| SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms });
    for body in [error("invalid_request_error", Some("rate_limit")).to_string(), String::new(), "<html>".to_owned()] {
        let mut answer = reply(429, body);
        assert_eq!(sent(&order, &answer), limited(None));
        answer.headers.insert("retry-after", HeaderValue::from_static("3"));
        for reason in ["global-rate", "global-concurrency", "endpoint-rate", "endpoint-concurrency"] {
            answer.headers.insert(LIMITED_REASON, HeaderValue::from_static(reason));
            assert_eq!(sent(&order, &answer), limited(Some(3_000)), "{reason}");
        }
    }
}

#[test]
fn our_own_credentials_are_told_from_a_payment() {
    let refused = NotTaken::CredentialsRefused;
    for order in [charge("1"), refund("1")] {
        for status in [401, 403] {
            let body = error("invalid_request_error", None);
            assert_eq!(sent(&order, &says(status, &body)), SendAnswer::NotTaken(refused));
            assert_eq!(asked(&order, &lost(), &says(status, &body)), QueryAnswer::NotTaken(refused));
            // A page in its place says nothing, also not that nothing was done.
            assert_eq!(sent(&order, &reply(status, "<html>Log in</html>")), UNREADABLE);
        }
        for code in ACCOUNT {
            let answer = says(400, &error("invalid_request_error", Some(code)));
            assert_eq!(sent(&order, &answer), SendAnswer::NotTaken(refused), "{code}");
            assert_eq!(asked(&order, &lost(), &answer), QueryAnswer::NotTaken(refused), "{code}");
        }
    }
}

#[test]
fn a_failure_of_stripes_is_unknown() {
    let order = charge("1");
    for status in [424, 500, 502, 503, 504] {
        for body in [error("api_error", None).to_string(), String::new()] {
            let answer = reply(status, body);
            assert_eq!(sent(&order, &answer), SendAnswer::Unclear(Unclear::ProviderError));
            assert_eq!(asked(&order, &lost(), &answer), QueryAnswer::Unclear(Unclear::ProviderError));
            assert_eq!(asked(&order, &known(INTENT), &answer), QueryAnswer::Unclear(Unclear::ProviderError));
        }
    }
    for (body, why) in [(Body::Lost, Unclear::ConnectionLost), (Body::Malformed, Unclear::Unreadable)] {
        let answer = Reply { body, ..reply(200, "") };
        assert_eq!(sent(&order, &answer), SendAnswer::Unclear(why));
        assert_eq!(asked(&order, &lost(), &answer), QueryAnswer::Unclear(why));
    }
}

#[test]
fn only_a_whole_list_without_ours_says_that_it_is_not_there() {
    let unclear = QueryAnswer::Unclear(Unclear::Unreadable);
    for (order, others) in [
        (charge("1"), [intent(&charge("2"), "succeeded"), intent(&charge("3"), "processing")]),
        (refund("1"), [given_back(&refund("2"), "succeeded"), given_back(&refund("3"), "pending")]),
    ] {
        let ask = |answer: &Value| asked(&order, &lost(), &says(200, answer));
        assert_eq!(ask(&list(&[], false)), QueryAnswer::NotFound);
        assert_eq!(ask(&list(&others, false)), QueryAnswer::NotFound);
        // It may stand on the next page.
        assert_eq!(ask(&list(&others, true)), unclear);
        assert_eq!(ask(&with(list(&[], false), "object", json!("search_result"))), unclear);
        assert_eq!(ask(&json!({ "object": "list", "data": [] })), unclear);
        assert_eq!(ask(&json!({ "object": "list", "has_more": false })), unclear);
        // Whose metadata nobody wrote is somebody else's; whose object is another one's is no such list.
        assert_eq!(ask(&list(&[with(others[0].clone(), "metadata", Value::Null)], false)), QueryAnswer::NotFound);
        assert_eq!(ask(&list(&[with(others[0].clone(), "object", json!("charge"))], false)), unclear);
        // That there is no such customer or charge says nothing about a payment: it may be another account's.
        for status in [400, 404] {
            let missing = error("invalid_request_error", Some("resource_missing"));
            assert_eq!(asked(&order, &lost(), &says(status, &missing)), unclear);
        }
    }
    let order = charge("1");
    // Ours, and about another amount.
    let wrong = with(intent(&order, "succeeded"), "amount", json!(1));
    assert_eq!(asked(&order, &lost(), &says(200, &list(&[wrong], false))), unclear);
}

#[test]
fn of_two_of_ours_the_one_that_moved_money_counts() {
    let order = charge("1");
    let (done, waits, canceled) =
        (intent(&order, "succeeded"), intent(&order, "processing"), intent(&order, "canceled"));
    for objects in [[canceled.clone(), done.clone()], [done.clone(), waits.clone()], [waits.clone(), done]] {
        let answer = asked(&order, &lost(), &says(200, &list(&objects, true)));
        assert_eq!(answer, QueryAnswer::Found(approved(INTENT)));
    }
    for objects in [[canceled.clone(), waits.clone()], [waits, canceled]] {
        let answer = asked(&order, &lost(), &says(200, &list(&objects, false)));
        assert_eq!(answer, QueryAnswer::Found(accepted(INTENT)));
    }
}

#[test]
fn a_known_intent_that_has_gone_is_not_found_and_nothing_else_is() {
    let order = charge("1");
    let missing = error("invalid_request_error", Some("resource_missing"));
    assert_eq!(asked(&order, &known(INTENT), &says(404, &missing)), QueryAnswer::NotFound);
    for answer in
        [says(400, &missing), reply(404, "<html>"), says(404, &error("invalid_request_error", None)), reply(404, "")]
    {
        assert_eq!(asked(&order, &known(INTENT), &answer), QueryAnswer::Unclear(Unclear::Unreadable));
    }
    // To a send it says that the method is missing, and nothing about a payment before.
    assert_eq!(sent(&order, &says(404, &missing)), SendAnswer::Found(refusal("resource_missing")));
}

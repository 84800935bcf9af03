//! What an answer means, and what must never be believed.

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use ports::Trace;
use providers::alipay::answer::{Call, PAY_REFUSED, PAY_STANDS, REFUND_REFUSED};
use providers::contract::{Body, Reply};
use serde_json::{Value, json};

use super::{body, charge, contract, id_of, refund, reply, response, sign};

const UNREADABLE: Unclear = Unclear::Unreadable;

fn paid(reply: &Reply) -> SendAnswer {
    let order = charge("1");
    contract().send_answer(&id_of(&order), &order, reply)
}

fn queried(reply: &Reply) -> QueryAnswer {
    let order = charge("1");
    contract().query_answer(&id_of(&order), &order, &Trace::default(), reply)
}

fn refunded(reply: &Reply) -> SendAnswer {
    let order = refund("1");
    contract().send_answer(&id_of(&order), &order, reply)
}

fn refund_queried(reply: &Reply) -> QueryAnswer {
    let order = refund("1");
    contract().query_answer(&id_of(&order), &order, &Trace::default(), reply)
}

fn says(call: Call, response: &Value) -> Reply {
    reply(200, body(call, &response.to_string()))
}

fn with(mut response: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        response[*name] = value.clone();
    }
    response
}

fn approved() -> Found {
    Found::Approved { reference: ProviderText::new("2026013122001") }
}

fn done(call: Call) -> Value {
    match call {
        Call::Pay => response(call, &charge("1"), "10000", ""),
        Call::Query => with(response(call, &charge("1"), "10000", ""), &[("trade_status", json!("TRADE_SUCCESS"))]),
        Call::Refund => with(response(call, &refund("1"), "10000", ""), &[("fund_change", json!("Y"))]),
        Call::RefundQuery => with(
            response(call, &refund("1"), "10000", ""),
            &[
                ("out_request_no", json!(id_of(&refund("1")).as_str())),
                ("refund_amount", json!("5.00")),
                ("refund_status", json!("REFUND_SUCCESS")),
            ],
        ),
    }
}

#[test]
fn what_is_done_is_approved_with_alipays_number() {
    assert_eq!(paid(&says(Call::Pay, &done(Call::Pay))), SendAnswer::Found(approved()));
    assert_eq!(queried(&says(Call::Query, &done(Call::Query))), QueryAnswer::Found(approved()));
    assert_eq!(refunded(&says(Call::Refund, &done(Call::Refund))), SendAnswer::Found(approved()));
    assert_eq!(refund_queried(&says(Call::RefundQuery, &done(Call::RefundQuery))), QueryAnswer::Found(approved()));
}

#[test]
fn each_status_of_a_trade_is_taken_at_its_word() {
    let of = |status: &str, more: &[(&str, Value)]| {
        let trade = with(done(Call::Query), &[("trade_status", json!(status))]);
        queried(&says(Call::Query, &with(trade, more)))
    };
    assert_eq!(of("TRADE_FINISHED", &[]), QueryAnswer::Found(approved()));
    let waiting = Found::Accepted { reference: Some(ProviderText::new("2026013122001")) };
    assert_eq!(of("WAIT_BUYER_PAY", &[]), QueryAnswer::Found(waiting));
    let closed = Found::Declined { code: ProviderText::new("TRADE_CLOSED") };
    assert_eq!(of("TRADE_CLOSED", &[]), QueryAnswer::Found(closed));
    // Paid, and given back as a whole since.
    assert_eq!(of("TRADE_CLOSED", &[("send_pay_date", json!("2026-01-31 20:00:00"))]), QueryAnswer::Found(approved()));
    assert_eq!(of("TRADE_REVERSED", &[]), QueryAnswer::Unclear(UNREADABLE));
}

#[test]
fn a_customer_who_types_is_waited_for() {
    let waits = with(done(Call::Pay), &[("code", json!("10003"))]);
    let waiting = Found::Accepted { reference: Some(ProviderText::new("2026013122001")) };
    assert_eq!(paid(&says(Call::Pay, &waits)), SendAnswer::Found(waiting));
}

#[test]
fn a_refusal_counts_only_with_a_listed_code_about_our_own_number() {
    for (call, codes) in [(Call::Pay, &PAY_REFUSED[..]), (Call::Refund, &REFUND_REFUSED[..])] {
        let order = if call == Call::Pay { charge("1") } else { refund("1") };
        let answered = |response: &Value| {
            let reply = says(call, response);
            if call == Call::Pay { paid(&reply) } else { refunded(&reply) }
        };
        for code in codes {
            let refused = response(call, &order, "40004", code);
            let declined = Found::Declined { code: ProviderText::new(code) };
            assert_eq!(answered(&refused), SendAnswer::Found(declined), "{code}");
            let of_another = with(refused.clone(), &[("out_trade_no", json!(id_of(&charge("2")).as_str()))]);
            assert_eq!(answered(&of_another), SendAnswer::Unclear(UNREADABLE), "{code}");
            let of_nobody = with(refused, &[("out_trade_no", Value::Null)]);
            assert_eq!(answered(&of_nobody), SendAnswer::Unclear(UNREADABLE), "{code}");
        }
        let unknown = response(call, &order, "40004", "ACQ.NEWS_OF_2031");
        assert_eq!(answered(&unknown), SendAnswer::Unclear(UNREADABLE));
    }
    for code in PAY_STANDS {
        let stands = response(Call::Pay, &charge("1"), "40004", code);
        assert_eq!(paid(&says(Call::Pay, &stands)), SendAnswer::Unclear(Unclear::Conflict), "{code}");
    }
}

#[test]
fn a_refund_that_moved_nothing_is_asked_about() {
    for change in [json!("N"), json!("y"), Value::Null] {
        let moved_nothing = with(done(Call::Refund), &[("fund_change", change)]);
        assert_eq!(refunded(&says(Call::Refund, &moved_nothing)), SendAnswer::Unclear(Unclear::Conflict));
    }
}

#[test]
fn not_found_is_said_in_one_way_for_each_call() {
    let missing = response(Call::Query, &charge("1"), "40004", "ACQ.TRADE_NOT_EXIST");
    assert_eq!(queried(&says(Call::Query, &missing)), QueryAnswer::NotFound);
    let none = json!({ "code": "10000", "msg": "Success" });
    assert_eq!(refund_queried(&says(Call::RefundQuery, &none)), QueryAnswer::NotFound);
    // Nothing else is one.
    let of_another = with(missing.clone(), &[("out_trade_no", json!("pay_of_somebody_else"))]);
    let other_code = with(missing.clone(), &[("sub_code", json!("ACQ.NOT_EXIST"))]);
    let other_outer = with(missing, &[("code", json!("40006"))]);
    for response in [of_another, other_code, none.clone()] {
        assert_eq!(queried(&says(Call::Query, &response)), QueryAnswer::Unclear(UNREADABLE), "{response}");
    }
    let account = QueryAnswer::NotTaken(NotTaken::CredentialsRefused);
    assert_eq!(queried(&says(Call::Query, &other_outer)), account);
    let failed = with(done(Call::RefundQuery), &[("refund_status", json!("REFUND_FAIL"))]);
    let half = with(none.clone(), &[("refund_amount", json!("5.00"))]);
    let of_another_trade = with(none.clone(), &[("out_trade_no", json!("pay_of_somebody_else"))]);
    let of_another = with(none, &[("out_request_no", json!(id_of(&refund("2")).as_str()))]);
    let no_trade = response(Call::RefundQuery, &refund("1"), "40004", "ACQ.TRADE_NOT_EXIST");
    for response in [failed, half, of_another, of_another_trade, no_trade] {
        assert_eq!(refund_queried(&says(Call::RefundQuery, &response)), QueryAnswer::Unclear(UNREADABLE), "{response}");
    }
}

#[test]
fn an_answer_about_something_else_settles_nothing() {
    let long = "p".repeat(65);
    for (name, value) in [
        ("total_amount", json!("20.00")),
        ("total_amount", json!("19.9")),
        ("total_amount", json!("19.990")),
        ("total_amount", json!("1999")),
        ("total_amount", json!(" 19.99")),
        ("total_amount", json!("+19.99")),
        ("total_amount", Value::Null),
        ("out_trade_no", json!(id_of(&charge("2")).as_str())),
        ("out_trade_no", json!(long)),
        ("out_trade_no", Value::Null),
        ("trade_no", json!("")),
        // A number where a text belongs, and a text of another number.
        ("total_amount", json!(19.99)),
        ("code", json!(10_000)),
        ("code", json!("010000")),
    ] {
        let changed = with(done(Call::Pay), &[(name, value.clone())]);
        assert_eq!(paid(&says(Call::Pay, &changed)), SendAnswer::Unclear(UNREADABLE), "{name}: {value}");
        let changed = with(done(Call::Query), &[(name, value.clone())]);
        assert_eq!(queried(&says(Call::Query, &changed)), QueryAnswer::Unclear(UNREADABLE), "{name}: {value}");
    }
    for (name, value) in [
        ("refund_amount", json!("5.01")),
        ("out_request_no", json!(id_of(&charge("1")).as_str())),
        ("out_trade_no", json!("x")),
    ] {
        let changed = with(done(Call::RefundQuery), &[(name, value.clone())]);
        assert_eq!(
            refund_queried(&says(Call::RefundQuery, &changed)),
            QueryAnswer::Unclear(UNREADABLE),
            "{name}: {value}"
        );
    }
}

#[test]
fn a_wrongly_signed_answer_is_never_believed_and_never_proof_of_absence() {
    let missing = response(Call::Query, &charge("1"), "40004", "ACQ.TRADE_NOT_EXIST").to_string();
    let name = Call::Query.response();
    let right = sign(&missing);
    let of_another_text = sign("{}");
    for text in [
        format!(r#"{{"{name}":{missing},"sign":"{of_another_text}"}}"#),
        format!(r#"{{"{name}":{missing}}}"#),
        format!(r#"{{"{name}":{missing},"sign":""}}"#),
        format!(r#"{{"{name}":{missing},"sign":null}}"#),
        format!(r#"{{"{name}":{missing},"sign":"{right}","sign":"{right}"}}"#),
        // The signature is of another text than the one that would be read.
        format!(r#"{{"{name}":{missing},"{name}":{missing},"sign":"{right}"}}"#),
        format!(r#"{{"{name}": {{"code":"40004"}},"x":{missing},"sign":"{right}"}}"#),
        format!(r#"{{"alipay_trade_pay_response":{missing},"sign":"{right}"}}"#),
        format!(r#"{{"error_response":{missing},"sign":"{right}"}}"#),
        format!(r#"{{"{name}":{},"sign":"{right}"}}"#, missing.replace("told", "Told")),
        format!(r#"{{"{name}":{},"sign":"{right}"}}"#, missing.replace(':', ": ")),
    ] {
        assert_eq!(queried(&reply(200, text.clone())), QueryAnswer::Unclear(UNREADABLE), "{text}");
    }
    // So that what is refused above is refused for its signature.
    let text = format!(r#"{{"{name}":{missing},"sign":"{right}"}}"#);
    assert_eq!(queried(&reply(200, text)), QueryAnswer::NotFound);
    for call in [Call::Pay, Call::Refund] {
        let text = format!(r#"{{"{}":{},"sign":"{of_another_text}"}}"#, call.response(), done(call));
        let answer = if call == Call::Pay { paid(&reply(200, text)) } else { refunded(&reply(200, text)) };
        assert_eq!(answer, SendAnswer::Unclear(UNREADABLE));
    }
}

#[test]
fn members_may_come_in_any_order_with_space_around_them() {
    let text = done(Call::Pay).to_string();
    let sign = sign(&text);
    let name = Call::Pay.response();
    for body in [
        format!(r#"{{"sign":"{sign}","{name}":{text}}}"#),
        format!(
            "\n {{ \"alipay_cert_sn\" : \"1}}\\\"{{\", \"{name}\" : {text} , \"sign\" : \"{sign}\" , \"n\":[1,2.5e3,true] }}\n"
        ),
    ] {
        assert_eq!(paid(&reply(200, body.clone())), SendAnswer::Found(approved()), "{body}");
    }
}

/// As Alipay's own libraries do: a text whose slashes are escaped may have been signed without that.
#[test]
fn escaped_slashes_are_read_as_they_were_signed() {
    let signed = with(done(Call::Pay), &[("msg", json!("a/b"))]).to_string();
    let sent = signed.replace('/', "\\/");
    let body = format!(r#"{{"{}":{sent},"sign":"{}"}}"#, Call::Pay.response(), sign(&signed));
    assert_eq!(paid(&reply(200, body)), SendAnswer::Found(approved()));
}

#[test]
fn what_is_no_answer_of_alipays_is_unknown() {
    let right = body(Call::Pay, &done(Call::Pay).to_string());
    let gbk = b"{\"alipay_trade_pay_response\":{\"code\":\"10000\",\"msg\":\"\xb3\xc9\xb9\xa6\"},\"sign\":\"\"}";
    for (status, body) in [
        (200, Vec::new()),
        (200, b"<html><form action=/login></form></html>".to_vec()),
        (200, gbk.to_vec()),
        (200, b"null".to_vec()),
        (200, b"[]".to_vec()),
        (200, b"{}".to_vec()),
        (200, right.as_bytes()[..right.len() - 1].to_vec()),
        (200, [right.as_bytes(), b"{}"].concat()),
        (302, right.clone().into_bytes()),
        (201, right.clone().into_bytes()),
        (400, right.clone().into_bytes()),
        (401, right.clone().into_bytes()),
        (404, right.clone().into_bytes()),
        // Not a word of Alipay's about its rate.
        (429, right.clone().into_bytes()),
    ] {
        let reply = reply(status, body);
        assert_eq!(paid(&reply), SendAnswer::Unclear(UNREADABLE), "{reply:?}");
        assert_eq!(queried(&reply), QueryAnswer::Unclear(UNREADABLE), "{reply:?}");
    }
    assert_eq!(paid(&reply(503, right.clone())), SendAnswer::Unclear(Unclear::ProviderError));
    let lost = Reply { body: Body::Lost, ..reply(200, "") };
    assert_eq!(paid(&lost), SendAnswer::Unclear(Unclear::ConnectionLost));
    let malformed = Reply { body: Body::Malformed, ..reply(200, "") };
    assert_eq!(queried(&malformed), QueryAnswer::Unclear(UNREADABLE));
}

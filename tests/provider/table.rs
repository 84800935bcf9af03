//! The table provider × answer × what it becomes, made by the contracts themselves: `infra/provider-answers.md` is what this
//! makes, to the letter.

use std::fmt::Write;
use std::path::Path;

use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::payment::Order;
use payments::provider::ProviderKind;
use ports::Trace;
use providers::alipay::answer::{
    ACCOUNT, Call, NOT_EXIST, OUR_SETTINGS, PAY_REFUSED, PAY_STANDS, REFUND_REFUSED, REFUND_STANDS, SYSTEM_ERRORS,
};
use providers::contract::{Contract, Reply, Stated, numbers};
use providers::stripe::answer::{self as stripe_answer, CHARGE_REFUSED};
use serde_json::{Value, json};

use super::alipay::{self, reply};
use super::stripe;
use super::support::{KEY, id_of, order};

const HEAD: &str = "# What each provider's answer becomes

Made by the contracts: `tests/provider/table.rs` puts each answer to them, and fails if this page says anything else. Whatever
is not listed is unknown.
";

fn of_found(found: &Found) -> &'static str {
    match found {
        Found::Approved { .. } => "succeeded",
        Found::Accepted { .. } => "pending",
        Found::Declined { .. } => "declined",
    }
}

fn of_not_taken(why: NotTaken) -> &'static str {
    match why {
        NotTaken::RateLimited { .. } => "not taken: slow down",
        NotTaken::ConnectFailed | NotTaken::NotWritten => "not taken: not written",
        NotTaken::CredentialsRefused => "not taken: the gate stops, for a person",
    }
}

fn of_unclear(why: Unclear) -> &'static str {
    match why {
        Unclear::TimedOut | Unclear::ConnectionLost => "unknown: no answer",
        Unclear::ProviderError => "unknown: the provider failed",
        Unclear::Conflict => "unknown: something stands under our id",
        Unclear::Unreadable => "unknown: not an answer that may be believed",
    }
}

fn of_send(answer: &SendAnswer) -> &'static str {
    match answer {
        SendAnswer::Found(found) => of_found(found),
        SendAnswer::NotTaken(why) => of_not_taken(*why),
        SendAnswer::Unclear(why) => of_unclear(*why),
    }
}

fn of_query(answer: &QueryAnswer) -> &'static str {
    match answer {
        QueryAnswer::Found(found) => of_found(found),
        QueryAnswer::NotFound => "not found: absent once the bound is over",
        QueryAnswer::NotTaken(why) => of_not_taken(*why),
        QueryAnswer::Unclear(why) => of_unclear(*why),
    }
}

fn stated(stated: Stated) -> String {
    match stated {
        Stated::ForEver => "for ever".to_owned(),
        Stated::Ms(ms) => format!("{} min", ms / 60_000),
        Stated::Ask => "not stated: to be agreed on".to_owned(),
    }
}

struct Table<'a> {
    text: String,
    contract: &'a Contract,
}

impl Table<'_> {
    fn row(&mut self, call: &str, is_query: bool, order: &Order, answer: &str, reply: &Reply) {
        let trace = Trace::default();
        self.traced(call, is_query.then_some(&trace), order, answer, reply);
    }

    /// A query has a trace.
    fn traced(&mut self, call: &str, trace: Option<&Trace>, order: &Order, answer: &str, reply: &Reply) {
        let id = id_of(order);
        let becomes = match trace {
            Some(trace) => of_query(&self.contract.query_answer(&id, order, trace, reply)),
            None => of_send(&self.contract.send_answer(&id, order, reply)),
        };
        let _ = writeln!(self.text, "| {call} | {answer} | {becomes} |");
    }
}

fn begin(text: &mut String, kind: ProviderKind) {
    let numbers = numbers(kind);
    let _ = write!(
        text,
        "\n## {}\n\nKey window: {}. Absence bound: {}. Longest answer: {}. Calls a second: {}. Callbacks are believed for: {}. \
         Settlement file: {}. \"Not found\" proves {}.\n\n\
         | call | answer | becomes |\n|---|---|---|\n",
        kind.as_str(),
        stated(numbers.key_window),
        stated(numbers.absence_bound),
        stated(numbers.longest_answer),
        numbers.rate_per_second.map_or("to be agreed on".to_owned(), |rate| rate.to_string()),
        stated(numbers.callback_tolerance),
        numbers.settlement_file,
        numbers.not_found_proves,
    );
}

fn open(text: &mut String) {
    begin(text, ProviderKind::Open);
    let contract = Contract::new(ProviderKind::Open, "/", KEY).expect("a contract");
    let order = order("1");
    let told = |status: &str| {
        json!({
            "status": status, "payment_id": id_of(&order).as_str(), "amount": 1_999, "currency": "EUR",
            "reference": "r1", "code": "no_funds",
        })
    };
    let missing = json!({ "status": "not_found", "payment_id": id_of(&order).as_str() });
    let cases: [(&str, u16, Value); 12] = [
        ("200 `approved`", 200, told("approved")),
        ("202 `accepted`", 202, told("accepted")),
        ("200 `accepted`", 200, told("accepted")),
        ("402 `declined`", 402, told("declined")),
        ("200 `declined`", 200, told("declined")),
        ("200 about another amount", 200, json!({ "status": "approved", "amount": 1 })),
        ("404 `not_found`", 404, missing),
        ("404 of a gateway", 404, json!({ "message": "no route" })),
        ("401, 403", 401, json!({})),
        ("409", 409, json!({})),
        ("429", 429, json!({})),
        ("5xx", 503, json!({})),
    ];
    let mut table = Table { text: String::new(), contract: &contract };
    for (call, is_query) in [("send", false), ("query", true)] {
        for (answer, status, body) in &cases {
            table.row(call, is_query, &order, answer, &reply(*status, body.to_string()));
        }
    }
    text.push_str(&table.text);
}

fn alipay(text: &mut String) {
    begin(text, ProviderKind::Alipay);
    let contract = alipay::contract();
    let mut table = Table { text: String::new(), contract: &contract };
    for call in [Call::Pay, Call::Query, Call::Refund, Call::RefundQuery] {
        let is_query = matches!(call, Call::Query | Call::RefundQuery);
        let is_charge = matches!(call, Call::Pay | Call::Query);
        let order = if is_charge { alipay::charge("1") } else { alipay::refund("1") };
        let method = format!("`{}`", call.method());
        let mut row = |code: &str, sub_code: &str, more: &[(&str, &str)]| {
            let mut response = alipay::response(call, &order, code, sub_code);
            let mut answer = if sub_code.is_empty() { code.to_owned() } else { format!("{code} `{sub_code}`") };
            for (name, value) in more {
                response[*name] = (*value).into();
                let _ = write!(answer, ", `{name}` `{value}`");
            }
            table.row(&method, is_query, &order, &answer, &reply(200, alipay::body(call, &response.to_string())));
        };
        let id = id_of(&order);
        match call {
            Call::Pay => row("10000", "", &[]),
            Call::Query => {
                for status in ["TRADE_SUCCESS", "TRADE_FINISHED", "WAIT_BUYER_PAY", "TRADE_CLOSED"] {
                    row("10000", "", &[("trade_status", status)]);
                }
                row("10000", "", &[("trade_status", "TRADE_CLOSED"), ("send_pay_date", "2026-01-31 20:00:00")]);
            }
            Call::Refund => {
                row("10000", "", &[("fund_change", "Y")]);
                row("10000", "", &[("fund_change", "N")]);
            }
            Call::RefundQuery => {
                row("10000", "", &[]);
                let named =
                    [("out_request_no", id.as_str()), ("refund_amount", "5.00"), ("refund_status", "REFUND_SUCCESS")];
                row("10000", "", &named);
            }
        }
        row("10003", "", &[]);
        row("20000", "isp.unknow-error", &[]);
        let groups = [&[NOT_EXIST][..], &PAY_STANDS, &REFUND_STANDS, &SYSTEM_ERRORS, &ACCOUNT];
        let refused = if is_charge { &PAY_REFUSED[..] } else { &REFUND_REFUSED[..] };
        let refused = if is_query { &[][..] } else { refused };
        let mut codes: Vec<&str> = groups.concat();
        codes.extend(refused);
        codes.push("ACQ.UNKNOWN_HERE");
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            row("40004", code, &[]);
        }
        for code in OUR_SETTINGS {
            row("40002", code, &[]);
        }
        row("40002", "isv.invalid-parameter", &[]);
        for (code, sub_code) in [
            ("20001", "aop.invalid-auth-token"),
            ("40001", "isv.missing-signature"),
            ("40003", "isv.missing-signature-config"),
            ("40005", "isv.app-call-limited"),
            ("40006", "isv.insufficient-isv-permissions"),
            ("90000", ""),
        ] {
            row(code, sub_code, &[]);
        }
        let right = alipay::response(call, &order, "40004", NOT_EXIST).to_string();
        let response = call.response();
        for (answer, status, body) in [
            ("wrongly signed", 200, format!(r#"{{"{response}":{right},"sign":"AAAA"}}"#)),
            ("not signed", 200, format!(r#"{{"{response}":{right}}}"#)),
            ("a page with 200", 200, "<html></html>".to_owned()),
            ("nothing with 200", 200, String::new()),
            ("3xx, 4xx", 302, alipay::body(call, &right)),
            ("5xx", 502, alipay::body(call, &right)),
        ] {
            table.row(&method, is_query, &order, answer, &reply(status, body));
        }
    }
    text.push_str(&table.text);
}

/// An answer of Stripe's: what it is called, its status, the limiter's reason and its body.
type OfStripe = (String, u16, Option<&'static str>, String);

fn of_stripe(order: &Order, is_list: bool) -> Vec<OfStripe> {
    let is_charge = order.refund_of.is_none();
    let shown =
        |status: &str| if is_charge { stripe::intent(order, status) } else { stripe::given_back(order, status) };
    let framed = |object: Value| if is_list { stripe::list(&[object], false) } else { object }.to_string();
    let statuses = if is_charge {
        &["succeeded", "processing", "requires_action", "requires_confirmation", "requires_capture", "canceled"][..]
    } else {
        &["succeeded", "pending", "requires_action", "failed", "canceled"][..]
    };
    let mut answers: Vec<OfStripe> =
        statuses.iter().map(|status| (format!("200 `{status}`"), 200, None, framed(shown(status)))).collect();
    if is_charge {
        let untried = "200 `requires_payment_method`".to_owned();
        answers.push((untried, 200, None, framed(shown("requires_payment_method"))));
        let mut failed = shown("requires_payment_method");
        failed["last_payment_error"] = json!({ "code": "card_declined" });
        answers.push(("200 `requires_payment_method`, `last_payment_error`".to_owned(), 200, None, framed(failed)));
    }
    let mut other = shown("succeeded");
    other["amount"] = 1.into();
    answers.push(("200 about another amount".to_owned(), 200, None, framed(other)));
    answers.push(("200 `news_of_2031`".to_owned(), 200, None, framed(shown("news_of_2031"))));
    if is_list {
        answers.push((
            "200, ours is not in the whole list".to_owned(),
            200,
            None,
            stripe::list(&[], false).to_string(),
        ));
        answers.push(("200, ours is not on this page".to_owned(), 200, None, stripe::list(&[], true).to_string()));
    }
    if is_charge {
        let declined = stripe::declined(order, Some("insufficient_funds")).to_string();
        answers.push(("402 `card_error` with our intent".to_owned(), 402, None, declined));
    }
    answers
}

fn stripe(text: &mut String) {
    begin(text, ProviderKind::Stripe);
    let contract = stripe::contract();
    let mut table = Table { text: String::new(), contract: &contract };
    let (lost, of_intent, of_refund) = (Trace::default(), stripe::known(stripe::INTENT), stripe::known("re_1Nispe2"));
    for (call, order, trace, is_list) in [
        ("create an intent", stripe::charge("1"), None, false),
        ("retrieve an intent", stripe::charge("1"), Some(&of_intent), false),
        ("list a customer's intents", stripe::charge("1"), Some(&lost), true),
        ("create a refund", stripe::refund("1"), None, false),
        ("retrieve a refund", stripe::refund("1"), Some(&of_refund), false),
        ("list a charge's refunds", stripe::refund("1"), Some(&lost), true),
    ] {
        let mut answers = of_stripe(&order, is_list);
        let mut codes = [&CHARGE_REFUSED[..], &stripe_answer::REFUND_REFUSED, &stripe_answer::ACCOUNT].concat();
        codes.extend(["lock_timeout", "parameter_unknown"]);
        codes.sort_unstable();
        codes.dedup();
        let invalid = |code: Option<&str>| stripe::error("invalid_request_error", code).to_string();
        for code in codes {
            answers.push((format!("400 `{code}`"), 400, None, invalid(Some(code))));
        }
        let in_use = invalid(Some("idempotency_key_in_use"));
        for (answer, status, reason, body) in [
            ("400 `idempotency_error`", 400, None, stripe::error("idempotency_error", None).to_string()),
            ("401, 403 with an error", 401, None, invalid(None)),
            ("401, 403 of somebody else", 403, None, "<html></html>".to_owned()),
            (
                "402 `card_error` without an intent",
                402,
                None,
                stripe::error("card_error", Some("card_declined")).to_string(),
            ),
            ("404 `resource_missing`", 404, None, invalid(Some("resource_missing"))),
            ("404 of somebody else", 404, None, "<html></html>".to_owned()),
            ("409 `idempotency_key_in_use`", 409, None, in_use),
            ("424", 424, None, invalid(None)),
            ("429 `rate_limit`", 429, Some("endpoint-rate"), invalid(Some("rate_limit"))),
            ("429 `rate_limit`, `resource-specific`", 429, Some("resource-specific"), invalid(Some("rate_limit"))),
            ("429 `lock_timeout`", 429, None, invalid(Some("lock_timeout"))),
            ("a page with 200", 200, None, "<html></html>".to_owned()),
            ("nothing with 200", 200, None, String::new()),
            ("3xx", 302, None, String::new()),
            ("5xx", 503, None, String::new()),
        ] {
            answers.push((answer.to_owned(), status, reason, body));
        }
        for (answer, status, reason, body) in answers {
            let mut reply = reply(status, body);
            if let Some(reason) = reason {
                reply.headers.insert(stripe_answer::LIMITED_REASON, http::HeaderValue::from_static(reason));
            }
            table.traced(call, trace, &order, &answer, &reply);
        }
    }
    text.push_str(&table.text);
}

#[test]
fn the_page_says_what_the_contracts_make_of_each_answer() {
    let mut made = HEAD.to_owned();
    for kind in ProviderKind::ALL {
        match kind {
            ProviderKind::Open => open(&mut made),
            ProviderKind::Alipay => alipay(&mut made),
            ProviderKind::Stripe => stripe(&mut made),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("infra/provider-answers.md")).unwrap_or_default();
    if made != page {
        let place = root.join("target/provider-answers.md");
        std::fs::write(&place, &made).expect("target can be written");
        let line = made.lines().zip(page.lines()).find(|(made, page)| made != page);
        panic!("infra/provider-answers.md is not what the contracts make; that is in {}: {line:?}", place.display());
    }
}

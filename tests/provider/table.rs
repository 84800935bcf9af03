//! The table provider × answer × what it becomes, made by the contracts themselves: `infra/provider-answers.md` is what this
//! makes, to the letter.

use std::fmt::Write;
use std::path::Path;

use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::payment::Order;
use payments::provider::ProviderKind;
use providers::alipay::answer::{
    ACCOUNT, Call, NOT_EXIST, OUR_SETTINGS, PAY_REFUSED, PAY_STANDS, REFUND_REFUSED, REFUND_STANDS, SYSTEM_ERRORS,
};
use providers::contract::{Contract, Reply, Stated, numbers};
use serde_json::{Value, json};

use super::alipay::{self, reply};
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

fn stated(stated: Stated) -> &'static str {
    match stated {
        Stated::ForEver => "for ever",
        Stated::Ask => "not stated: to be agreed on",
    }
}

struct Table<'a> {
    text: String,
    contract: &'a Contract,
}

impl Table<'_> {
    fn row(&mut self, call: &str, is_query: bool, order: &Order, answer: &str, reply: &Reply) {
        let id = id_of(order);
        let becomes = if is_query {
            of_query(&self.contract.query_answer(&id, order, reply))
        } else {
            of_send(&self.contract.send_answer(&id, order, reply))
        };
        let _ = writeln!(self.text, "| {call} | {answer} | {becomes} |");
    }
}

fn begin(text: &mut String, kind: ProviderKind) {
    let numbers = numbers(kind);
    let _ = write!(
        text,
        "\n## {}\n\nKey window: {}. Absence bound: {}. Longest answer: {}. \"Not found\" proves {}.\n\n\
         | call | answer | becomes |\n|---|---|---|\n",
        kind.as_str(),
        stated(numbers.key_window),
        stated(numbers.absence_bound),
        stated(numbers.longest_answer),
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

#[test]
fn the_page_says_what_the_contracts_make_of_each_answer() {
    let mut made = HEAD.to_owned();
    for kind in ProviderKind::ALL {
        match kind {
            ProviderKind::Open => open(&mut made),
            ProviderKind::Alipay => alipay(&mut made),
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

//! A payment's story, and what of it is found by whom: over a table that somebody changes by hand.

use std::path::PathBuf;

use aws::clients::Clients;
use aws::store::DynamoStore;
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::embedded::{Embedded, PAYMENTS_TABLE};
use cloud::local::settings::{history_keys, policy};
use operator::failure::Failure;
use operator::payments::explain::{Explained, Options, explain};
use operator::payments::read_id;
use payments::answer::{Found, ProviderText, SendAnswer, Unclear};
use payments::backoff::Dice;
use payments::fingerprint::Fingerprint;
use payments::id::{ClaimId, MerchantId, Nonce, OrderId};
use payments::money::{Currency, Money};
use payments::payment::{Kind, Lane, Order, Payment};
use payments::time::Timestamp;
use payments::transition::{Event, Moment, Step, transition};
use payments::write::{SendClaim, Written};
use ports::Store;

use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_ms(1_764_000_000_000);

struct Desk {
    clients: Clients,
    store: DynamoStore,
}

impl Desk {
    async fn start() -> Self {
        let embedded = Embedded::start();
        embedded.create_tables().await.unwrap();
        let clients = Clients::new(&embedded.config("explain"));
        let store = DynamoStore::new(clients.dynamodb.clone(), PAYMENTS_TABLE);
        Self { clients, store }
    }

    /// A charge that timed out once and was found done by a query, written as the functions write it.
    async fn paid(&self) -> Vec<Payment> {
        let policy = policy();
        let moment = |after_ms: u64, mark: u64| Moment {
            now: NOW.plus_ms(after_ms),
            nonce: Nonce::from_bits(mark.into()),
            dice: Dice(0),
            policy: &policy,
            history_keys: Some(&policy.history_keys),
        };
        let order = Order {
            merchant: MerchantId::new("united-kingdom").unwrap(),
            kind: Kind::Charge,
            order_id: OrderId::new("536365").unwrap(),
            money: Money::new(13_912, Currency::new("GBP").unwrap()).unwrap(),
            payment_method: None,
            customer: None,
            description: None,
            metadata: std::collections::BTreeMap::default(),
            lane: Lane::Standard,
            expires_at: None,
            refund_of: None,
            idempotency_key: None,
        };
        let queued = Payment::accepted(order, Fingerprint::of([("order_id", "536365")]), &moment(0, 1));
        let mut versions = vec![applied(self.store.put(&queued).await.unwrap())];
        let claim = ClaimId::from_bits(1);
        let send = SendClaim {
            payment_id: queued.id.clone(),
            merchant: queued.order.merchant.clone(),
            claim: claim.clone(),
            lease_until: NOW.plus_ms(9_000),
            now: NOW.plus_ms(800),
            first_sent_after: NOW.minus_ms(1),
            nonce: Nonce::from_bits(2),
        };
        versions.push(applied(self.store.claim(&send).await.unwrap()));
        let silence = SendAnswer::Unclear(Unclear::TimedOut);
        let approved = Found::Approved { reference: ProviderText::new("ch_17") };
        for (mark, event) in
            [(3, Event::SendAnswered { claim: &claim, answer: &silence }), (4, Event::CalledBack(&approved))]
        {
            let before = versions.last().unwrap();
            let Step::Change(after) = transition(before, &event, &moment(mark * 1_000, mark)) else {
                panic!("{event:?} changes nothing")
            };
            versions.push(applied(self.store.replace(before, &after).await.unwrap()));
        }
        versions
    }

    async fn explain(&self, payment: &Payment, log: Option<PathBuf>) -> Explained {
        let options = Options { verify: Some(history_keys()), log, json: false };
        explain(&self.store, &payment.id, &options).await.unwrap()
    }

    /// What a person with a console could do.
    async fn by_hand(&self, payment: &Payment, expression: &str, name: &str, value: AttributeValue) {
        let update = self.clients.dynamodb.update_item().table_name(PAYMENTS_TABLE);
        let update = update.key("id", AttributeValue::S(payment.id.as_str().to_owned()));
        let update = update.update_expression(expression).expression_attribute_names("#name", name);
        update.expression_attribute_values(":value", value).send().await.unwrap();
    }
}

fn applied(written: Written) -> Payment {
    match written {
        Written::Applied(payment) => *payment,
        other => panic!("{other:?}"),
    }
}

/// What the functions would have logged after these versions.
fn log(name: &str, versions: &[Payment]) -> PathBuf {
    let lines: Vec<String> = versions
        .iter()
        .map(|payment| {
            let event = json!({
                "event": "payment_changed",
                "payment_id": payment.id.as_str(),
                "version": payment.version,
                "state": payment.state.as_str(),
                "history_head": payment.history_head().unwrap().to_string(),
            });
            format!("2025-11-24T16:00:00 consumer/1 {event}\nnot json\n{{\"event\":\"sweep_done\"}}\n")
        })
        .collect();
    let path = std::env::temp_dir().join(format!("sluice-explain-{}-{name}.log", std::process::id()));
    std::fs::write(&path, lines.concat()).unwrap();
    path
}

#[tokio::test]
async fn a_payments_story_is_told_line_by_line_and_holds() {
    let desk = Desk::start().await;
    let versions = desk.paid().await;
    let paid = versions.last().unwrap();
    let path = log("holds", &versions);
    let Explained { text, findings } = desk.explain(paid, Some(path.clone())).await;
    std::fs::remove_file(path).unwrap();
    assert_eq!(findings, Vec::<String>::new());
    for part in [
        "charge 13912 GBP of merchant united-kingdom, order 536365",
        "  1  2025-11-24T16:00:00.000Z  queued     The order was taken from the merchant and waits to be sent.",
        "  2  2025-11-24T16:00:00.800Z  sending    It was taken up to be sent to the provider. (attempt 1)",
        "  3  2025-11-24T16:00:03.000Z  unknown    The provider did not answer in time;",
        "  4  2025-11-24T16:00:04.000Z  succeeded  The provider said by itself how it ended. (attempt 1; ch_17)",
        "the chain holds: the order and 4 of 4 lines",
        "the log agrees: the history passes through 4 of its heads",
        &format!("head of the history      {}", paid.history_head().unwrap()),
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_line_changed_by_hand_in_the_table_is_named() {
    let desk = Desk::start().await;
    let versions = desk.paid().await;
    let (paid, path) = (versions.last().unwrap(), log("changed", &versions));
    let mut line = paid.history[2].clone();
    line.at = line.at.minus_ms(1_000);
    desk.by_hand(paid, "SET #name[2] = :value", "history", AttributeValue::S(line.to_string())).await;
    let Explained { text, findings } = desk.explain(paid, Some(path.clone())).await;
    std::fs::remove_file(path).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].starts_with("line 3 does not fit, \"1764000002000 unknown timed_out 1 1#"), "{findings:?}");
    assert!(text.contains("FOUND: line 3 does not fit") && !text.contains("holds"), "{text}");
}

#[tokio::test]
async fn what_is_changed_by_hand_beside_the_lines_is_found() {
    let desk = Desk::start().await;
    let paid = desk.paid().await.pop().unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let cases = [
        ("SET #name.money.amount = :value", "order", AttributeValue::N("1".to_owned()), "the order was changed"),
        ("SET #name = :value", "state", text("declined"), "the payment is declined and its last line says succeeded"),
        ("SET #name = :value", "attempts", AttributeValue::N("0".to_owned()), "the payment has 0 attempts"),
    ];
    for (expression, name, value, expected) in cases {
        let (desk, paid) = (Desk::start().await, paid.clone());
        desk.paid().await;
        desk.by_hand(&paid, expression, name, value).await;
        let findings = desk.explain(&paid, None).await.findings;
        assert!(findings.len() == 1 && findings[0].starts_with(expected), "{name}: {findings:?}");
    }
    let shorter = paid.history[..3].iter().map(|entry| text(&entry.to_string())).collect();
    desk.by_hand(&paid, "SET #name = :value", "history", AttributeValue::L(shorter)).await;
    let findings = desk.explain(&paid, None).await.findings;
    assert!(
        findings.iter().any(|finding| finding.starts_with("the head is not that of the last line")),
        "{findings:?}"
    );
}

/// A copy of an older item has a chain that holds: only what was written down elsewhere tells.
#[tokio::test]
async fn an_item_that_was_set_back_is_found_by_the_log_alone() {
    let desk = Desk::start().await;
    let versions = desk.paid().await;
    let path = log("set-back", &versions);
    let other = Desk::start().await;
    let queued = versions.first().unwrap();
    applied(other.store.put(queued).await.unwrap());
    assert_eq!(other.explain(queued, None).await.findings, Vec::<String>::new());
    let findings = other.explain(queued, Some(path.clone())).await.findings;
    std::fs::remove_file(path).unwrap();
    assert!(findings.len() == 1 && findings[0].starts_with("the log has version 4 of this payment and the table"));
}

#[tokio::test]
async fn a_program_gets_one_document() {
    let desk = Desk::start().await;
    let paid = desk.paid().await.pop().unwrap();
    let options = Options { verify: Some(history_keys()), log: None, json: true };
    let explained = explain(&desk.store, &paid.id, &options).await.unwrap();
    let document: Value = serde_json::from_str(&explained.text).unwrap();
    assert_eq!((&document["verification"]["holds"], &document["lines"][2]["call"]), (&json!(true), &json!("send")));
    assert_eq!(document["beside"]["head_of_the_history"], json!(paid.history_head().unwrap().to_string()));
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let desk = Desk::start().await;
    let options = Options { verify: None, log: None, json: false };
    let nobody = read_id(&format!("pay_{}", "a".repeat(32))).unwrap();
    let error = explain(&desk.store, &nobody, &options).await.unwrap_err();
    assert_eq!(error, Failure::Found(format!("there is no payment {nobody} in this table")));
    assert!(read_id("no id").unwrap_err().starts_with("no id is no payment's id"));
}

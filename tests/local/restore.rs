//! A restored table and the command that goes with it, over the AWS that `cargo dev up` shows to commands.

use std::time::{Duration, Instant};

use aws::system::SystemClock;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use cloud::embedded::{Fault, PAYMENTS_TABLE, When};
use operator::restore::{Course, Done, restore};
use payments::payment::State;
use payments::transition::Recovery;
use ports::Clock;

use super::place::Place;

const RESTORED: &str = "payments-restored";

/// An empty table as AWS makes one for a restore.
async fn restored_table(place: &Place) {
    let dynamodb = &place.account.clients.dynamodb;
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().unwrap();
    let id =
        AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build().unwrap();
    let table = dynamodb.create_table().table_name(RESTORED).billing_mode(BillingMode::PayPerRequest);
    table.key_schema(key).attribute_definitions(id).send().await.unwrap();
}

/// What AWS does: the table as it is, into another one.
async fn recovered(place: &Place) {
    restored_table(place).await;
    let dynamodb = &place.account.clients.dynamodb;
    let items = dynamodb.scan().table_name(PAYMENTS_TABLE).send().await.unwrap().items.unwrap_or_default();
    for item in items {
        dynamodb.put_item().table_name(RESTORED).set_item(Some(item)).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_open_then_and_charged_since_is_found_out_and_charged_no_more() {
    let place = Place::start().await;
    // The table of a moment at which ten were still waiting, because the lane took no message.
    place.charge(0..1).await;
    place.all_succeed(0..1, Duration::from_secs(30)).await;
    place.system.embedded().faults().refuse_sends("standard");
    place.charge(1..11).await;
    let point = SystemClock.now();
    recovered(&place).await;
    place.system.embedded().faults().accept_sends("standard");
    tokio::time::sleep(Duration::from_millis(payments::transition::REPEAT_HEAL_MS)).await;
    place.charge(1..11).await;
    place.all_succeed(0..11, Duration::from_secs(30)).await;

    let recovery = Recovery { point, at: SystemClock.now() };
    let course = |from| Course { from, after: None, rate: 1_000 };
    let done = restore(&place.account, &recovery, &course(Some(RESTORED))).await.unwrap();
    assert_eq!((done.copied + done.left, done.unknown, done.before), (11, 10, 0));
    assert_eq!(done.left, 1, "the one that had ended by then stands there as it was");
    // A second run, as after an interruption: what the first has doubted is not taken back.
    let again = restore(&place.account, &recovery, &course(Some(RESTORED))).await.unwrap();
    assert_eq!(again, Done { copied: 0, left: 11, unknown: 0, before: again.before });
    place.all_succeed(0..11, Duration::from_secs(30)).await;
    for number in 1..11 {
        let payment = place.payment(number).await.unwrap();
        let passed = payment.history.iter().any(|line| line.reason == payments::payment::Reason::Restored);
        assert!(passed && payment.state == State::Succeeded, "{payment:?}");
    }
    // Run again, it has nothing to do; and a table is not its own restore.
    let again = restore(&place.account, &recovery, &course(None)).await.unwrap();
    assert_eq!((again.copied, again.unknown), (0, 0));
    assert!(restore(&place.account, &recovery, &course(Some(PAYMENTS_TABLE))).await.is_err());
    let early = Recovery { point: recovery.at, at: recovery.point };
    assert!(restore(&place.account, &early, &course(None)).await.unwrap_err().contains("--point"));
}

/// So many ended payments, in the restored table alone.
async fn old_items(place: &Place, items: usize) {
    restored_table(place).await;
    place.charge(0..1).await;
    place.all_succeed(0..1, Duration::from_secs(30)).await;
    let dynamodb = &place.account.clients.dynamodb;
    let item = dynamodb.scan().table_name(PAYMENTS_TABLE).send().await.unwrap().items.unwrap_or_default().remove(0);
    for number in 0..items {
        let mut item = item.clone();
        item.insert("id".to_owned(), AttributeValue::S(format!("old_{number}")));
        dynamodb.put_item().table_name(RESTORED).set_item(Some(item)).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_keeps_its_rate_and_goes_on_where_one_stopped() {
    let place = Place::start().await;
    old_items(&place, 300).await;
    let at = SystemClock.now();
    let recovery = Recovery { point: at.minus_ms(60_000), at };
    let begun = Instant::now();
    // Two writes are throttled at first, which the SDK's own repeats make up for whichever they are.
    place.system.embedded().faults().inject(&["PutItem"], Fault::Throttle, When::Next(2));
    let course = Course { from: Some(RESTORED), after: None, rate: 150 };
    let done = restore(&place.account, &recovery, &course).await.unwrap();
    assert_eq!((done.copied, done.left), (300, 0));
    assert!(begun.elapsed() >= Duration::from_millis(1_990), "300 at 150 a second take two: {:?}", begun.elapsed());

    let again = restore(&place.account, &recovery, &course).await.unwrap();
    assert_eq!((again.copied, again.left), (0, 300));
    // Where one stopped: after the hundredth in the table's own order.
    let dynamodb = &place.account.clients.dynamodb;
    let first = dynamodb.scan().table_name(RESTORED).limit(100).send().await.unwrap();
    let last = first.last_evaluated_key().and_then(|key| key["id"].as_s().ok()).expect("there is more").clone();
    let rest = Course { after: Some(&last), rate: 40_000, ..course };
    let begun = Instant::now();
    let done = restore(&place.account, &recovery, &rest).await.unwrap();
    assert_eq!((done.copied, done.left), (0, 200), "{last}");
    println!("{} items a second", 200_000 / begun.elapsed().as_millis().max(1));
}

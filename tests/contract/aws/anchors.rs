//! Each durable write leaves its history's head in the log, outside of the table.

use payments::history::{Anchor, Link, anchored, verify};
use payments::payment::Payment;
use payments::transition::Event;
use ports::{Store, claim, put};
use serde_json::Value;

use super::super::samples::{NOW, accepted, claim_of, full_order, history_keys, order, step};
use super::super::store::{Lossy, applied, stands};
use super::Aws;
use crate::flow::logs::{Kept, logging};

fn anchors(kept: &Kept, payment: &Payment) -> Vec<(Anchor, String)> {
    let events = kept.lines().into_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap());
    events
        .filter(|event| event["event"] == "payment_changed" && event["payment_id"] == payment.id.as_str())
        .map(|event| {
            let head = Link::parse(event["history_head"].as_str().unwrap()).unwrap();
            (Anchor { version: event["version"].as_u64().unwrap(), head }, event["state"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn each_durable_write_leaves_its_head_in_the_log_and_a_refused_one_does_not() {
    let aws = Aws::start().await;
    let store = aws.store();
    let kept = Kept::default();
    let guard = logging(&kept);
    let queued = accepted(full_order());
    // The SDK's own retry meets what its first try has written.
    aws.lose_next_answer();
    applied(put(&store, &queued).await);
    let send = claim_of(&queued);
    applied(claim(&store, &send).await);
    let sending = stands(&store, &queued.id).await;
    let asked = step(&sending, &Event::Cancel, NOW.plus_ms(5));
    applied(store.replace(&sending, &asked).await);
    // Too late: nothing is written.
    store.replace(&sending, &step(&sending, &Event::Heal { replaces: None }, NOW)).await.unwrap();
    drop(guard);

    let written: Vec<(u64, String, Link)> =
        anchors(&kept, &queued).into_iter().map(|(anchor, state)| (anchor.version, state, anchor.head)).collect();
    let head = |payment: &Payment| payment.history_head().unwrap();
    assert_eq!(
        written,
        [
            (1, "queued".to_owned(), head(&queued)),
            (2, "sending".to_owned(), head(&queued)),
            (3, "sending".to_owned(), head(&asked)),
        ]
    );
    assert_ne!(head(&asked), head(&queued), "a write that has read the claim's line links it");
    let stands = stands(&store, &queued.id).await;
    let anchors: Vec<Anchor> = anchors(&kept, &queued).into_iter().map(|(anchor, _)| anchor).collect();
    assert_eq!(anchored(&stands, &verify(&stands, &history_keys()), &anchors).findings, []);
}

/// What a real claim's update leaves behind is what the next write links.
#[tokio::test]
async fn a_history_written_through_the_table_holds_at_each_step() {
    let aws = Aws::start().await;
    let store = aws.store();
    let queued = accepted(order());
    applied(store.put(&queued).await);
    applied(store.claim(&claim_of(&queued)).await);
    let sending = stands(&store, &queued.id).await;
    let verification = verify(&sending, &history_keys());
    assert!(verification.holds() && verification.awaits_link, "{:?}", verification.findings);
    let healed = step(&sending, &Event::Heal { replaces: None }, NOW.plus_ms(60_000));
    applied(store.replace(&sending, &healed).await);
    let verification = verify(&stands(&store, &queued.id).await, &history_keys());
    assert!(verification.holds() && !verification.awaits_link, "{:?}", verification.findings);
    assert_eq!(verification.covered, 2);
}

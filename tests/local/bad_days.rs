//! Bad days of the AWS beneath us, and of those who send.

use std::time::Duration;

use cloud::embedded::{Fault, When};
use operator::merchants::revoke;
use payments::message::Message;
use payments::payment::State;
use payments::time::Timestamp;

use super::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_throttles_one_call_in_five_costs_time_and_no_payment() {
    let place = Place::start().await;
    let calls = ["GetItem", "PutItem", "UpdateItem", "Query", "TransactWriteItems"];
    place.system.embedded().faults().inject(&calls, Fault::Throttle, When::Every(5));
    let hits = place.charge(0..60).await;
    assert!(
        hits.iter().all(operator::load::sender::Hit::is_accepted),
        "the SDK's and the merchants' own repeats are enough"
    );
    place.all_succeed(0..60, Duration::from_mins(2)).await;
    for number in 0..60 {
        let attempts = place.payment(number).await.unwrap().attempts;
        assert_eq!(attempts, 1, "a throttle is no attempt");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_whose_answers_are_lost_charges_nobody_twice() {
    let place = Place::start().await;
    place.system.embedded().faults().inject(&["PutItem", "UpdateItem"], Fault::LoseAnswer, When::Every(7));
    place.charge(0..40).await;
    // A put whose answers were all lost has sent no message; its merchant was told so, and asks again.
    tokio::time::sleep(Duration::from_millis(payments::transition::REPEAT_HEAL_MS)).await;
    let hits = place.charge(0..40).await;
    assert!(hits.iter().all(|hit| hit.is_accepted() && hit.is_replay), "{hits:?}");
    place.all_succeed(0..40, Duration::from_mins(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_while_the_lanes_took_nothing_is_charged_when_its_merchant_asks_again() {
    let place = Place::start().await;
    place.system.embedded().faults().refuse_sends("standard");
    let hits = place.charge(0..10).await;
    assert!(place.provider.ledger().is_empty());
    for hit in &hits {
        let payment = place.payment(hit.index).await;
        assert_eq!(payment.map(|payment| payment.state), Some(State::Queued), "{hit:?}: it is written down");
    }
    place.system.embedded().faults().accept_sends("standard");
    // A repeat puts a message back for what was not touched for ten seconds; the sweep does after three minutes.
    tokio::time::sleep(Duration::from_millis(payments::transition::REPEAT_HEAL_MS)).await;
    let hits = place.charge(0..10).await;
    assert!(hits.iter().all(|hit| hit.is_accepted() && hit.is_replay), "{hits:?}");
    place.all_succeed(0..10, Duration::from_mins(2)).await;
}

/// Nobody's messages, in a lane and in the DLQ: none touches an item, and all of them end where people look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_foreign_messages_end_in_front_of_people_and_touch_nothing() {
    let place = Place::start().await;
    place.charge(0..1).await;
    place.all_succeed(0..1, Duration::from_mins(2)).await;
    let before = place.payment(0).await.unwrap();
    let merchant = payments::id::MerchantId::new("somebody-else").unwrap();
    let forged = Message::new(place.id(0), merchant, Timestamp::from_ms(1)).to_body();
    let foreign = ["not ours", "{}", "{\"version\":1}", &forged];
    let queues = place.account.queues.clone();
    // The standard lane takes the same way, and twice as long for its window.
    for url in [&queues.high, queues.dead_letter.as_ref().unwrap()] {
        for body in foreign {
            let send = place.account.clients.sqs.send_message().queue_url(url).message_body(body);
            send.message_group_id("somebody-else").send().await.unwrap();
        }
    }
    let mut parked = 0;
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        parked = depth(&place, &place.account.parked_url).await;
        if parked == 8 {
            break;
        }
    }
    assert_eq!(parked, 8);
    assert_eq!(place.payment(0).await.unwrap(), before);
    assert_eq!(place.provider.ledger().len(), 1);
}

async fn depth(place: &Place, url: &str) -> u64 {
    use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages as Visible;
    let ask = place.account.clients.sqs.get_queue_attributes().queue_url(url).attribute_names(Visible);
    ask.send().await.unwrap().attributes.unwrap()[&Visible].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_wherever_it_is_not_remembered() {
    let place = Place::start().await;
    assert!(revoke(&place.account, "sk_nobody_ever_had_this_key").await.is_err());
    assert_eq!(revoke(&place.account, &place.key).await.as_deref(), Ok("shop"));
    let hits = place.charge(0..3).await;
    assert!(hits.iter().all(|hit| hit.status == Ok(401)), "{hits:?}");
    assert!(revoke(&place.account, &place.key).await.is_err(), "it is taken back once");
}

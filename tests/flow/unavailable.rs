//! When the table or a queue fails, the answer says whether nothing was accepted or something may have been, and asking
//! again makes it true.

use simulator::Faults;
use simulator::memory::queue::Name;

use super::stage::{Stage, ask, cancel, charge, get, post, seconds};

#[tokio::test(start_paused = true)]
async fn a_throttled_table_accepts_nothing_and_says_so() {
    let stage = Stage::new(Faults { throttle: 1.0, ..Faults::none() });
    let ingest = stage.ingest();
    let answer = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((answer.status, answer.problem()), (503, "not-written"));
    assert!(answer.header("retry-after").is_some_and(|value| value.parse::<u32>().is_ok()));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (0, 0));
    let found = ask(&ingest, get("/v1/payments/pay_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")).await;
    assert_eq!(found.problem(), "not-read", "a payment that cannot be read is not said to be absent");
    stage.world.calm();
    assert_eq!(ask(&ingest, post(&charge("536365"))).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn an_unresolved_put_may_have_been_accepted_and_repeating_makes_it_true() {
    let stage = Stage::new(Faults { unresolved: 1.0, ..Faults::none() });
    let ingest = stage.ingest();
    let answer = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((answer.status, answer.problem()), (503, "may-be-accepted"));
    assert!(answer.header("retry-after").is_some());
    let stands = stage.table.payments().remove(0);
    assert_eq!(answer.text("payment_id"), stands.id.as_str());
    assert_eq!(stage.queues.depth(Name::Standard), 0, "nobody knew, so nothing was sent");

    stage.world.calm();
    seconds(11).await;
    let again = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((again.status, again.text("id")), (202, stands.id.as_str()));
    assert_eq!((stage.table.payments().len(), stage.queues.depth(Name::Standard)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_unresolved_put_can_be_canceled_for_sure() {
    let stage = Stage::new(Faults { unresolved: 1.0, ..Faults::none() });
    let ingest = stage.ingest();
    let id = ask(&ingest, post(&charge("536365"))).await.text("payment_id").to_owned();
    stage.world.calm();
    let answer = ask(&ingest, cancel(&id, Some(&charge("536365")))).await;
    assert_eq!((answer.status, answer.text("state")), (200, "canceled"));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_our_own_put_is_no_replay() {
    let stage = Stage::calm();
    let ingest = stage.ingest();
    stage.world.lose_next_answer();
    let answer = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (202, None));
    assert_eq!(stage.queues.depth(Name::Standard), 1);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_leaves_a_payment_that_a_repeated_request_puts_in_its_lane() {
    let stage = Stage::new(Faults { queue_refuses: 1.0, ..Faults::none() });
    let ingest = stage.ingest();
    let answer = ask(&ingest, post(&charge("536365"))).await;
    assert_eq!((answer.status, answer.problem()), (503, "may-be-accepted"));
    let id = stage.table.payments().remove(0).id;
    assert_eq!(answer.text("payment_id"), id.as_str());

    stage.world.calm();
    // At once it may still be on its way.
    assert_eq!(ask(&ingest, post(&charge("536365"))).await.status, 202);
    assert_eq!(stage.queues.depth(Name::Standard), 0);
    seconds(10).await;
    assert_eq!(ask(&ingest, post(&charge("536365"))).await.status, 202);
    assert_eq!(stage.queues.depth(Name::Standard), 1);
    // A merchant that asks again and again does not fill the queue.
    for _ in 0..5 {
        seconds(3).await;
        ask(&ingest, post(&charge("536365"))).await;
    }
    assert_eq!((stage.queues.depth(Name::Standard), stage.payment(&id).heal.unwrap().times), (1, 1));
}

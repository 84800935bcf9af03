//! Looks and cancelations are under a merchant's rate as payments are, and take no payment's place.

use http::Method;
use payments::limit::{LOOKS_PER_PAYMENT, Limit};
use serde_json::json;

use super::stage::{FRANCE, Stage, ask, cancel, charge, get, post, request, seconds};

const DEEP: u64 = 1_000_000;

#[tokio::test(start_paused = true)]
async fn a_merchant_that_looks_now_and_then_pays_no_call_for_its_rate() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::new(5, 10), DEEP);
    let id = ask(&ingest, post(&charge("1"))).await.text("id").to_owned();
    for _ in 0..10 {
        seconds(1).await;
        for path in [format!("/v1/payments/{id}"), format!("/v1/payments/{id}/history")] {
            let before = stage.world.ios();
            assert_eq!(ask(&ingest, get(&path)).await.status, 200);
            // Each five seconds the gate and the figure of the lanes are read, and each minute the merchant's record.
            assert!(stage.world.ios() - before <= 4, "{path}");
        }
    }
    assert_eq!(stage.buckets.taken(), 1, "the payment's lease");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_looks_is_told_when_to_come_again_and_starves_neither_its_payments_nor_others() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::new(5, 10), DEEP);
    let paid = ask(&ingest, post(&charge("1"))).await;
    let path = format!("/v1/payments/{}", paid.text("id"));
    let began = stage.now();
    let (mut seen, mut refused) = (0, 0);
    for _ in 0..600 {
        let answer = ask(&ingest, get(&path)).await;
        match answer.status {
            200 => seen += 1,
            429 => {
                refused += 1;
                assert_eq!(answer.problem(), "rate-limited");
                assert_eq!(answer.header("ratelimit-policy"), Some("\"looks\";q=40;w=2"));
                assert!(answer.header("ratelimit").is_some_and(|left| left.starts_with("\"looks\";r=0;t=")));
                assert!(answer.header("retry-after").is_some_and(|after| after == "1" || after == "2"));
                assert_eq!(answer.text("title"), "This merchant looks payments up faster than it may");
                assert_eq!(
                    answer.text("detail"),
                    "At most 40 looks and cancelations in 2 s. This request read and changed nothing; repeat it after the \
                     time in Retry-After."
                );
            }
            other => panic!("{other}"),
        }
    }
    let took_seconds = stage.now().since_ms(began).div_ceil(1_000);
    // The burst, the rate, and two free looks in each second.
    let most = u64::from(LOOKS_PER_PAYMENT) * (10 + 5 * took_seconds) + 2 * (took_seconds + 1);
    assert!(refused > 100 && seen <= most, "{seen} of {most} in {took_seconds} s, {refused} refused");
    assert_eq!(ask(&ingest, post(&charge("2"))).await.status, 202, "payments have a bucket of their own");
    let theirs = request(Method::GET, &path, FRANCE, None);
    assert_eq!(ask(&ingest, theirs).await.status, 404, "another merchant looks by its own rate");
    // Whoever waits as told sees again.
    seconds(2).await;
    assert_eq!(ask(&ingest, get(&path)).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_cancelation_of_an_order_that_is_not_here_counts_as_a_payment() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::new(1, 1), DEEP);
    let id = |order: &str| {
        let order = charge(order);
        async move { ask(&Stage::calm().ingest(), post(&order)).await.text("id").to_owned() }
    };
    let (one, other) = (id("1").await, id("2").await);
    let canceled = ask(&ingest, cancel(&one, Some(&charge("1")))).await;
    assert_eq!((canceled.status, canceled.text("state")), (200, "canceled"));
    assert_eq!(canceled.header("ratelimit-policy"), Some("\"merchant\";q=1;w=1"));
    let refused = ask(&ingest, cancel(&other, Some(&charge("2")))).await;
    assert_eq!((refused.status, refused.problem()), (429, "rate-limited"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(stage.table.payments().len(), 1, "nothing is written for it");
    // One that is here costs a look, and none of the payments' rate.
    assert_eq!(ask(&ingest, cancel(&one, None)).await.status, 200);
}

/// infra/docs/api.md: in every answer, good or bad, to a payment that was counted.
#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_rate_stands_in_refusals_too() {
    let stage = Stage::calm();
    let ingest = stage.admitting(Limit::usual(100), 2);
    assert_eq!(ask(&ingest, post(&charge("1"))).await.status, 202);
    let mut other = charge("1");
    other["amount"] = json!(1);
    let mut refund = charge("R1");
    refund["kind"] = json!("refund");
    refund["original_order_id"] = json!("nowhere");
    assert_eq!(ask(&ingest, post(&charge("2"))).await.status, 202);
    let mut high = refund.clone();
    high["priority"] = json!("high");
    for (body, status) in [(&other, 422), (&high, 409), (&charge("3"), 503)] {
        let answer = ask(&ingest, post(body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"merchant\";q=400;w=4"), "{status}");
        assert!(answer.header("ratelimit").is_some(), "{status}");
    }
    assert_eq!(ask(&ingest, get("/v1/payments/pay_1")).await.header("ratelimit"), None);
}

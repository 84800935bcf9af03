//! Merchants and their rates, as an operator sets them and a client meets them.

use std::time::{Duration, Instant};

use operator::merchants::set_limit;
use payments::limit::Limit;

use super::place::Place;

/// The client waits as it is told, and everything comes in: at the merchant's rate, and charged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_too_fast_is_told_to_come_later_and_is_taken_then() {
    let place = Place::start().await;
    assert_eq!(set_limit(&place.account, "shop", Some(Limit::new(20, 20))).await, Ok(1));
    let begun = Instant::now();
    let hits = place.charge(0..100).await;
    let took = begun.elapsed();
    assert!(hits.iter().all(operator::load::sender::Hit::is_accepted), "{hits:?}");
    assert!(hits.iter().map(|hit| hit.rate_limited).sum::<u32>() > 0);
    // Twenty at once, and eighty at twenty a second.
    assert!(took > Duration::from_millis(3_500), "{took:?}");
    place.all_succeed(0..100, Duration::from_mins(2)).await;
    assert!(set_limit(&place.account, "nobody", None).await.unwrap_err().to_string().contains("add-key nobody"));
}

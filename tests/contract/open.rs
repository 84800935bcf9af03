//! The contract of `OpenPayments` and `Depths`: what the sweep asks.

use pacing::admission::Depth;
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::id::PaymentId;
use payments::index::{OpenKey, Shard};
use payments::payment::{CASE_SHARD, Lane, OPEN_SHARDS, PARKED_SHARD, Payment, State, WAITING_SHARDS};
use payments::time::Timestamp;
use payments::transition::Event;
use ports::{Depths, Merged, OpenPayments, Queue, Store};

use super::queue::{Inspect, Place};
use super::samples::{NOW, accepted, claim_of, in_state, message, order, policy, step};
use super::store::applied;

/// Every promise of the index.
pub async fn open_contract<S: Store + OpenPayments>(store: &S) {
    each_state_is_listed_or_not(store).await;
    the_oldest_come_first_and_no_more_than_asked_for(store).await;
    what_ends_leaves_the_index(store).await;
    what_waits_for_people_stands_apart_until_they_are_done(store).await;
    what_waits_for_people_is_read_as_one(store).await;
}

async fn listed<S: OpenPayments>(store: &S, id: &PaymentId, before: Timestamp, most: u32) -> Vec<PaymentId> {
    let page = store.open(Shard::Open(id.shard(OPEN_SHARDS)), None, before, most).await.expect("the index answers");
    page.into_iter().map(|key| key.payment_id).collect()
}

async fn each_state_is_listed_or_not<S: Store + OpenPayments>(store: &S) {
    for &state in State::ALL {
        let payment = in_state(state);
        applied(store.put(&payment).await);
        let is_open = !state.is_terminal() && state != State::Parked;
        let found = listed(store, &payment.id, NOW.plus_ms(1), 1_000).await;
        assert_eq!(found.contains(&payment.id), is_open, "{state:?}");
        let found = listed(store, &payment.id, NOW, 1_000).await;
        assert!(!found.contains(&payment.id), "{state:?}: created at that time, not before it");
    }
}

async fn the_oldest_come_first_and_no_more_than_asked_for<S: Store + OpenPayments>(store: &S) {
    // Orders are drawn until three of them share a shard.
    let mut shards = std::collections::BTreeMap::<u32, Vec<_>>::new();
    let mut three = loop {
        let payment = accepted(order());
        let shard = shards.entry(payment.id.shard(OPEN_SHARDS)).or_default();
        shard.push(payment);
        if shard.len() == 3 {
            break std::mem::take(shard);
        }
    };
    // Older than anything that other cases have left there.
    for (age_ms, payment) in [(10_000, 0), (30_000, 1), (20_000, 2)] {
        three[payment].created_at = NOW.minus_ms(age_ms);
        applied(store.put(&three[payment]).await);
    }
    let before = NOW.minus_ms(5_000);
    let found = listed(store, &three[0].id, before, 1_000).await;
    assert_eq!(found, [three[1].id.clone(), three[2].id.clone(), three[0].id.clone()]);
    assert_eq!(listed(store, &three[0].id, before, 2).await, found[..2]);

    // Page by page, each beginning where the last one ended.
    let (shard, mut after, mut paged) = (Shard::Open(three[0].id.shard(OPEN_SHARDS)), None, Vec::new());
    loop {
        let page = store.open(shard, after.as_ref(), before, 1).await.expect("the index answers");
        let Some(last) = page.last() else { break };
        paged.push(last.payment_id.clone());
        after = Some(last.clone());
    }
    assert_eq!(paged, found);
}

async fn what_ends_leaves_the_index<S: Store + OpenPayments>(store: &S) {
    let payment = accepted(order());
    applied(store.put(&payment).await);
    let claim = claim_of(&payment);
    applied(store.claim(&claim).await);
    let found = listed(store, &payment.id, NOW.plus_ms(1), 1_000).await;
    assert!(found.contains(&payment.id), "a claim leaves it where it is");
    let claimed = claim.apply(&payment, &policy()).unwrap();
    let reference = super::samples::reference();
    let found = payments::answer::Found::Approved { reference };
    let ended = step(&claimed, &Event::CalledBack(&found), NOW);
    applied(store.replace(&claimed, &ended).await);
    let found = listed(store, &payment.id, NOW.plus_ms(1), 1_000).await;
    assert!(!found.contains(&payment.id));
}

async fn what_waits_for_people_stands_apart_until_they_are_done<S: Store + OpenPayments>(store: &S) {
    let stands = async |shard: Shard, id: &PaymentId| {
        let page = store.open(shard, None, NOW.plus_ms(1), 1_000).await.expect("the index answers");
        page.iter().any(|key| key.payment_id == *id)
    };
    let parked_in = |id: &PaymentId| Shard::Parked(Some(id.shard(WAITING_SHARDS)));
    let case_in = |id: &PaymentId| Shard::Case(Some(id.shard(WAITING_SHARDS)));
    let parked = in_state(State::Parked);
    applied(store.put(&parked).await);
    assert!(stands(parked_in(&parked.id), &parked.id).await && !stands(case_in(&parked.id), &parked.id).await);
    assert!(!stands(Shard::Parked(None), &parked.id).await);
    let declined = in_state(State::Declined);
    applied(store.put(&declined).await);
    let found = payments::answer::Found::Approved { reference: super::samples::reference() };
    let case = step(&declined, &Event::CalledBack(&found), NOW);
    applied(store.replace(&declined, &case).await);
    assert!(stands(case_in(&case.id), &case.id).await && !stands(parked_in(&case.id), &case.id).await);
    let owner = Operator::new("anna").unwrap();
    let taken = step(&case, &Event::TakeCase { owner: &owner }, NOW);
    applied(store.replace(&case, &taken).await);
    assert!(stands(case_in(&case.id), &case.id).await, "taken is not closed");
    let evidence = Evidence::new("rf-1", "anna", "given back in the console").unwrap();
    let close = Event::CloseCase { resolution: CaseResolution::Refund, evidence: &evidence };
    let closed = step(&taken, &close, NOW);
    applied(store.replace(&taken, &closed).await);
    assert!(!stands(case_in(&case.id), &case.id).await);
    // What a person wrote is read again as it was written.
    assert_eq!(store.get(&closed.id).await, Ok(Some(closed)));
}

/// What was parked before there were shards stands under one key, and is found with the rest, oldest first, whatever the page.
async fn what_waits_for_people_is_read_as_one<S: Store + OpenPayments>(store: &S) {
    for (shards, undivided, state) in [
        (Shard::all_parked().collect::<Vec<_>>(), PARKED_SHARD, State::Parked),
        (Shard::all_cases().collect(), CASE_SHARD, State::Declined),
    ] {
        assert_eq!(shards.len(), 17);
        let mut put = Vec::new();
        for nth in 0..40 {
            let waiting = in_state(state);
            let key = if nth % 4 == 0 {
                undivided.to_owned()
            } else {
                format!("{undivided}-{}", waiting.id.shard(WAITING_SHARDS))
            };
            // In no shard are they put in their order.
            let created_at = NOW.minus_ms(1_000_000 + 1_000 * ((nth * 17) % 40));
            let waiting = Payment { created_at, open_shard: Some(key), ..waiting };
            applied(store.put(&waiting).await);
            put.push((created_at, waiting.id));
        }
        put.sort();
        for page in [1, 3, 100] {
            let before = NOW.minus_ms(900_000);
            let mut merged = Merged::new(store, shards.clone(), before, page);
            let mut found = Vec::new();
            while let Some(OpenKey { created_at, payment_id }) = merged.next().await.unwrap() {
                found.push((created_at, payment_id));
            }
            assert_eq!(found, put, "{undivided}, {page} at a time");
        }
    }
}

/// Every promise of the depths: a message counts until it is deleted, wherever it is on its way.
pub async fn depth_contract<Q: Queue + Depths, I: Inspect>(queue: &Q, inspect: &I) {
    let place = Place::Lane(Lane::Standard);
    assert_eq!(queue.depth(Lane::Standard).await.map(Depth::all), Ok(0));
    queue.send(Lane::Standard, &message(), 0).await.unwrap();
    queue.send(Lane::Standard, &message(), 900).await.unwrap();
    assert_eq!(queue.depth(Lane::Standard).await.map(Depth::all), Ok(2), "visible and delayed");
    assert_eq!(queue.depth(Lane::High).await.map(Depth::all), Ok(0), "lanes are apart");
    let received = inspect.receive(place).await;
    assert_eq!(queue.depth(Lane::Standard).await.map(Depth::all), Ok(2), "in flight and delayed");
    inspect.delete(place, &received[0].receipt_handle).await;
    assert_eq!(queue.depth(Lane::Standard).await.map(Depth::all), Ok(1));
}

//! The sweep: it finds the payments whose message was lost, and leaves alone those that merely wait.

use std::time::Duration;

use ::reconcile::{Reconcile, Sweep};
use payments::id::Nonce;
use payments::payment::{Lane, OPEN_SHARDS, Payment, State};
use payments::time::Timestamp;
use simulator::memory::queue::Name;
use simulator::memory::{MemoryQueue, MemoryStore};
use simulator::run::policy;

use super::stage::Stage;
use crate::contract::samples::{accepted, in_state, order};

type TheReconcile = Reconcile<MemoryStore, MemoryQueue, simulator::world::Environment, simulator::world::Environment>;

fn reconcile(stage: &Stage, most_heals: u32) -> TheReconcile {
    Reconcile::new(
        MemoryStore::new(&stage.table, &stage.environment),
        MemoryQueue::new(&stage.queues, &stage.environment),
        stage.environment.clone(),
        stage.environment.clone(),
        policy(),
        most_heals,
    )
}

async fn sweep(stage: &Stage, most_heals: u32) -> Sweep {
    reconcile(stage, most_heals).handle(stage.now().plus_ms(60_000)).await
}

/// Puts a payment as if it had last been heard of at `at`.
fn put(stage: &Stage, payment: Payment, at: Timestamp) -> Payment {
    let payment = Payment { created_at: at, changed_at: at, due_at: None, ..payment };
    stage.table.set(payment.clone());
    payment
}

#[tokio::test(start_paused = true)]
async fn what_was_quiet_for_three_minutes_in_an_empty_lane_gets_a_message() {
    let stage = Stage::calm();
    let lost = put(&stage, accepted(order()), stage.now().minus_ms(200_000));
    put(&stage, accepted(order()), stage.now().minus_ms(100_000));
    let found = sweep(&stage, 10).await;
    assert_eq!((found.healed, found.failed), (1, 0));
    assert_eq!(stage.queues.depth(Name::Standard), 1);
    let healed = stage.table.payment(&lost.id).unwrap();
    assert_eq!((healed.state, healed.attempts), (State::Queued, 0), "its message comes back and nothing else changes");
    // A sweep a minute later leaves it alone: its lane holds a message, and it was heard of.
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(sweep(&stage, 10).await.healed, 0);
}

#[tokio::test(start_paused = true)]
async fn while_its_lane_holds_messages_a_payment_is_lost_after_an_hour_only() {
    let stage = Stage::calm();
    stage.queues.put(Name::Standard, "another payment's message".to_owned(), None, 0);
    put(&stage, accepted(order()), stage.now().minus_ms(59 * 60_000));
    assert_eq!(sweep(&stage, 10).await.healed, 0);
    put(&stage, accepted(order()), stage.now().minus_ms(61 * 60_000));
    assert_eq!(sweep(&stage, 10).await.healed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_or_is_parked_is_not_even_looked_at() {
    let stage = Stage::calm();
    for state in [State::Succeeded, State::Declined, State::Canceled, State::Expired, State::Parked] {
        put(&stage, in_state(state), stage.now().minus_ms(86_400_000));
    }
    assert_eq!(sweep(&stage, 10).await, Sweep::default());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_puts_back_no_more_than_it_may() {
    let stage = Stage::calm();
    for _ in 0..30 {
        put(&stage, accepted(order()), stage.now().minus_ms(200_000));
    }
    assert_eq!(sweep(&stage, 20).await.healed, 20);
    assert_eq!(stage.queues.depth(Name::Standard), 20);
}

#[tokio::test(start_paused = true)]
async fn what_merely_waits_does_not_hide_what_is_lost() {
    let stage = Stage::calm();
    let lost = put(&stage, accepted(order()), stage.now().minus_ms(200_000));
    let shard = lost.id.shard(OPEN_SHARDS);
    // Older payments of the same shard, more of them than a page holds, each due only tomorrow.
    let mut waiting = 0;
    while waiting < 250 {
        let pending = Payment { nonce: Nonce::from_bits(waiting), ..accepted(order()) };
        if pending.id.shard(OPEN_SHARDS) == shard {
            let pending = put(&stage, pending, stage.now().minus_ms(86_400_000));
            stage.table.set(Payment { due_at: Some(stage.now().plus_ms(86_400_000)), ..pending });
            waiting += 1;
        }
    }
    let found = sweep(&stage, 10).await;
    assert_eq!((found.looked_at, found.healed), (251, 1));
    assert!(stage.table.payment(&lost.id).unwrap().heal.is_some());
    assert_eq!(lost.order.lane, Lane::Standard);
}

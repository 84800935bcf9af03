//! The sweep: it finds the payments whose message was lost, and leaves alone those that merely wait.

use std::time::Duration;

use ::reconcile::{Oldest, Reconcile, Sweep, Watched};
use pacing::breaker::{Breaker, Mode};
use pacing::gate::{GateState, Note};
use payments::answer::Found;
use payments::case::CaseResolution;
use payments::evidence::Evidence;
use payments::id::Nonce;
use payments::payment::{Claim, Lane, OPEN_SHARDS, Order, Payment, Reason, State};
use payments::time::Timestamp;
use payments::transition::Event;
use ports::Wired;
use simulator::Faults;
use simulator::memory::queue::Name;
use simulator::memory::{MemoryGate, MemoryQueue, MemoryStore};
use simulator::run::policy;

use super::stage::{LedgerOver, Stage};
use crate::contract::samples::{NOW, accepted, charged, in_state, order, reference, refund, step};

type TheReconcile = Reconcile<LedgerOver<MemoryStore>, MemoryGate>;

fn reconcile(stage: &Stage, most_heals: u32) -> TheReconcile {
    Reconcile::new(
        stage.wired(stage.store()),
        Watched { gates: MemoryGate::new(&stage.gates, &stage.environment), provider: "sandbox".to_owned() },
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

fn note(stage: &Stage, ago_ms: u64) -> Note {
    Note::new(stage.now().minus_ms(ago_ms), "anna", "as planned").unwrap()
}

/// A gate in each way that it can stand, and what a sweep heals behind it: of a payment that was quiet for two hours, in an
/// empty lane and in one that holds a message.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_stopped_gate_is_not_lost() {
    let hour_ms = 3_600_000;
    let gate = GateState::new("sandbox", 10, 10);
    let breaker = |mode, ago_ms: u64, stage: &Stage| Breaker {
        mode,
        since_us: stage.now().minus_ms(ago_ms).us(),
        ..Breaker::default()
    };
    for (name, in_empty, in_busy) in [
        ("paused", 0, 0),
        ("waits for an operator", 0, 0),
        ("open", 1, 0),
        ("probing", 1, 0),
        ("resumed a moment ago", 1, 0),
        ("resumed an hour ago", 1, 1),
        ("closed a moment ago", 1, 0),
        ("ramping for an hour", 1, 1),
        ("never stopped", 1, 1),
        ("not there", 1, 1),
        ("unreadable", 1, 1),
    ] {
        for (is_empty, healed) in [(true, in_empty), (false, in_busy)] {
            let stage = Stage::new(Faults { throttle: if name == "unreadable" { 1.0 } else { 0.0 }, ..Faults::none() });
            let now_us = stage.now().us();
            let gate = match name {
                "paused" => GateState { paused: true, pause_note: Some(note(&stage, hour_ms)), ..gate.clone() },
                "waits for an operator" => {
                    GateState { breaker: breaker(Mode::Open { probe_at_us: None }, 0, &stage), ..gate.clone() }
                }
                "open" => {
                    let mode = Mode::Open { probe_at_us: Some(now_us) };
                    GateState { breaker: breaker(mode, hour_ms, &stage), ..gate.clone() }
                }
                "probing" => {
                    let mode = Mode::Probing { lease_until_us: now_us };
                    GateState { breaker: breaker(mode, hour_ms, &stage), ..gate.clone() }
                }
                "resumed a moment ago" => {
                    GateState { pause_note: Some(note(&stage, hour_ms - 10_000)), ..gate.clone() }
                }
                "resumed an hour ago" => GateState { pause_note: Some(note(&stage, hour_ms)), ..gate.clone() },
                "closed a moment ago" => {
                    GateState { breaker: breaker(Mode::Closed, hour_ms - 10_000, &stage), ..gate.clone() }
                }
                "ramping for an hour" => GateState { breaker: breaker(Mode::Ramp, hour_ms, &stage), ..gate.clone() },
                _ => gate.clone(),
            };
            match name {
                "not there" => stage.gates.set(GateState { provider: "another".to_owned(), paused: true, ..gate }),
                _ => stage.gates.set(gate),
            }
            if !is_empty {
                stage.queues.put(Name::Standard, "another payment's message".to_owned(), None, 0);
            }
            put(&stage, accepted(order()), stage.now().minus_ms(2 * hour_ms));
            // A payment's time goes on whatever the gate does.
            let mut over = accepted(order());
            over.order.expires_at = Some(stage.now().minus_ms(1));
            put(&stage, over, stage.now().minus_ms(2 * hour_ms));
            let late = sent_ago(&stage, State::Unknown, policy().park_overdue_ms());
            let found = reconcile_with_a_table_that_works(&stage).await;
            assert_eq!((found.healed, found.failed), (healed, 0), "{name}, the lane being empty: {is_empty}");
            assert_eq!((found.expired, found.overdue, found.parked), (1, 1, 1), "{name}");
            assert_eq!(stage.table.payment(&late.id).unwrap().state, State::Parked, "{name}");
        }
    }
}

/// A sweep whose gate alone fails as the stage says.
async fn reconcile_with_a_table_that_works(stage: &Stage) -> Sweep {
    let calm = Stage::calm();
    let gates = MemoryGate::new(&stage.gates, &stage.environment);
    let sweep = Reconcile::new(
        Wired {
            store: MemoryStore::new(&stage.table, &calm.environment),
            queue: MemoryQueue::new(&stage.queues, &calm.environment),
            clock: stage.environment.clone(),
            entropy: stage.environment.clone(),
            policy: policy(),
        },
        Watched { gates, provider: "sandbox".to_owned() },
        10,
    );
    sweep.handle(stage.now().plus_ms(60_000)).await
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
async fn a_sweep_that_may_put_back_no_more_still_ends_what_is_over_and_parks_what_is_late() {
    let stage = Stage::calm();
    for _ in 0..300 {
        put(&stage, accepted(order()), stage.now().minus_ms(200_000));
    }
    let late: Vec<Payment> = (0..20).map(|_| sent_ago(&stage, State::Unknown, policy().park_overdue_ms())).collect();
    for _ in 0..20 {
        let mut expired = accepted(order());
        expired.order.expires_at = Some(stage.now().minus_ms(1));
        put(&stage, expired, stage.now().minus_ms(3_600_000));
    }
    let found = sweep(&stage, 5).await;
    assert_eq!((found.healed, found.expired, found.parked, found.looked_at), (5, 20, 20, 340));
    assert!(late.iter().all(|payment| stage.table.payment(&payment.id).unwrap().state == State::Parked));
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

/// SQS forgets the age of what was received three times, and waiting is receiving here: the sweep says it instead.
#[tokio::test(start_paused = true)]
async fn a_sweep_says_how_old_the_oldest_is_in_each_state() {
    let stage = Stage::calm();
    assert_eq!(sweep(&stage, 10).await.oldest, Oldest::default());
    for minutes in [90, 70] {
        put(&stage, accepted(order()), stage.now().minus_ms(minutes * 60_000));
        sent_ago(&stage, State::Unknown, minutes * 30_000);
    }
    sent_ago(&stage, State::Pending, 3_600_000);
    // Of what has ended or is with people nobody waits for a message.
    for state in [State::Succeeded, State::Parked] {
        put(&stage, in_state(state), stage.now().minus_ms(86_400_000));
    }
    let oldest = sweep(&stage, 0).await.oldest;
    assert_eq!(
        oldest,
        Oldest { queued_seconds: 5_400, sending_seconds: 0, pending_seconds: 3_600, unknown_seconds: 2_700 }
    );
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_unsent_ends_and_gives_a_refund_back() {
    let stage = Stage::calm();
    let charge = charged(100);
    stage.table.set(Payment { refundable: Some(40), ..charge.clone() });
    let old = stage.now().minus_ms(3_600_000);
    let mut expired = refund(&charge, 60);
    expired.order.expires_at = Some(stage.now().minus_ms(1));
    let expired = put(&stage, expired, old);
    let mut waits = accepted(order());
    waits.order.expires_at = Some(stage.now().plus_ms(3_600_000));
    let waits = put(&stage, waits, old);
    let sent = sent_ago(&stage, State::Unknown, 3_600_000);
    let expires_at = Some(stage.now().minus_ms(1));
    stage.table.set(Payment { order: Order { expires_at, ..sent.order.clone() }, ..sent.clone() });
    let found = sweep(&stage, 10).await;
    assert_eq!((found.expired, found.failed), (1, 0));
    assert_eq!(stage.table.payment(&expired.id).unwrap().state, State::Expired);
    assert_eq!(stage.table.payment(&charge.id).unwrap().refundable, Some(100));
    assert_eq!(stage.table.payment(&waits.id).unwrap().state, State::Queued);
    assert_eq!(stage.table.payment(&sent.id).unwrap().state, State::Unknown, "it may have been done");
}

/// A payment in a state whose first request was written so long ago.
fn sent_ago(stage: &Stage, stands: State, ago_ms: u64) -> Payment {
    let at = stage.now().minus_ms(ago_ms);
    let payment = put(stage, in_state(stands), at);
    let claim = payment.claim.clone().map(|claim| Claim { lease_until: at.plus_ms(9_000), ..claim });
    let payment = Payment { first_sent_at: Some(at), written_until: Some(at.plus_ms(9_000)), claim, ..payment };
    stage.table.set(payment.clone());
    payment
}

#[tokio::test(start_paused = true)]
async fn what_is_pending_or_unknown_for_too_long_is_told_and_in_the_end_parked_but_never_ended() {
    let (told_ms, parked_ms) = (policy().overdue_after_ms, policy().park_overdue_ms());
    for (state, ago_ms, overdue, parked) in [
        (State::Unknown, told_ms - 10_000, 0, 0),
        (State::Unknown, told_ms, 1, 0),
        (State::Pending, told_ms, 1, 0),
        (State::Sending, told_ms, 1, 0),
        (State::Unknown, parked_ms - 10_000, 1, 0),
        (State::Unknown, parked_ms, 1, 1),
        (State::Pending, parked_ms, 1, 1),
        (State::Sending, parked_ms, 1, 1),
    ] {
        let stage = Stage::calm();
        let payment = sent_ago(&stage, state, ago_ms);
        let found = sweep(&stage, 10).await;
        assert_eq!((found.overdue, found.parked, found.failed), (overdue, parked, 0), "{state:?} {ago_ms}");
        let after = stage.table.payment(&payment.id).unwrap();
        assert_eq!(after.state == State::Parked, parked == 1, "{state:?} {ago_ms}");
        assert_eq!(found.stuck, u32::from(state == State::Sending && parked == 0));
        if parked == 1 {
            assert_eq!(after.reason, Reason::Overdue);
            // Its message goes where people look, and what they put back is queried.
            assert_eq!(stage.queues.depth(Name::High), 1);
            assert_eq!(sweep(&stage, 10).await, Sweep { cases: 0, ..Sweep::default() }, "once");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_lease_is_left_to_its_holder_however_old_the_payment_is() {
    let stage = Stage::calm();
    let payment = sent_ago(&stage, State::Sending, policy().park_overdue_ms());
    let claim = payment.claim.clone().map(|claim| Claim { lease_until: stage.now().plus_ms(60_000), ..claim });
    stage.table.set(Payment { claim, ..payment.clone() });
    let found = sweep(&stage, 10).await;
    assert_eq!((found.overdue, found.parked, found.healed), (1, 0, 0));
    assert_eq!(stage.table.payment(&payment.id).unwrap().state, State::Sending);
}

#[tokio::test(start_paused = true)]
async fn an_open_refund_whose_charge_is_gone_is_told_and_goes_on() {
    let stage = Stage::calm();
    let (here, gone) = (charged(100), charged(100));
    stage.table.set(here.clone());
    for charge in [&here, &gone] {
        put(&stage, refund(charge, 60), stage.now().minus_ms(policy().overdue_after_ms));
        put(&stage, refund(charge, 10), stage.now().minus_ms(200_000));
    }
    let found = sweep(&stage, 10).await;
    assert_eq!((found.without_charge, found.looked_at, found.failed), (1, 4, 0));
    assert!(stage.table.payments().iter().all(|payment| !payment.state.is_terminal() || payment.id == here.id));
}

#[tokio::test(start_paused = true)]
async fn open_cases_are_counted_until_they_are_closed() {
    let stage = Stage::calm();
    let approved = Found::Approved { reference: reference() };
    let cases: Vec<Payment> = (0..120)
        .map(|_| {
            put(&stage, step(&in_state(State::Declined), &Event::CalledBack(&approved), NOW), stage.now().minus_ms(1))
        })
        .collect();
    assert_eq!(sweep(&stage, 10).await.cases, 120, "more than a page");
    let evidence = Evidence::new("rf_1", "anna", "given back").unwrap();
    for case in &cases[20..] {
        let close = Event::CloseCase { resolution: CaseResolution::Refund, evidence: &evidence };
        stage.table.set(step(case, &close, stage.now()));
    }
    let found = sweep(&stage, 10).await;
    assert_eq!((found.cases, found.looked_at, found.healed), (20, 0, 0));
}

//! One consumer and a provider that fails: what it has is kept and waits, nothing is used up, and it goes on by itself
//! or when a person says so.

use aws_lambda_events::sqs::SqsEvent;
use pacing::breaker::{Cause, Mode};
use pacing::gate::{GateState, Note, Operation};
use payments::payment::{Payment, State};
use ports::operate;
use simulator::Faults;
use simulator::faults::ProviderFaults;
use simulator::memory::MemoryGate;
use simulator::memory::queue::Name;

use super::stage::{Stage, failed, message_for, seconds};
use crate::contract::samples::{accepted, order};

fn stage(provider: ProviderFaults) -> Stage {
    Stage::new(Faults { provider, ..Faults::none() })
}

fn payments(stage: &Stage, count: usize) -> (Vec<Payment>, Vec<String>) {
    let payments: Vec<Payment> = (0..count).map(|_| stage.payment(&stage.stands(accepted(order())))).collect();
    let bodies = payments.iter().map(|payment| message_for(stage, payment)).collect();
    (payments, bodies)
}

fn batch(stage: &Stage, count: usize) -> (Vec<Payment>, SqsEvent) {
    let (payments, bodies) = payments(stage, count);
    let event = stage.batch(Name::Standard, &bodies);
    (payments, event)
}

fn gate(stage: &Stage) -> GateState {
    stage.gates.state("sandbox").unwrap()
}

async fn operates(stage: &Stage, operation: Operation) {
    let note = Note::new(stage.now(), "ann", "a test").unwrap();
    operate(&MemoryGate::new(&stage.gates, &stage.environment), "sandbox", operation, &note).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn failed_connections_open_it_and_the_rest_of_the_batch_is_kept_and_uses_up_nothing() {
    let stage = stage(ProviderFaults { connect: 1.0, ..Faults::none().provider });
    let (payments, event) = batch(&stage, 50);
    let response = stage.consume(event.clone()).await;
    assert_eq!(failed(&event, &response).len(), 50);
    assert!(matches!(gate(&stage).breaker.mode, Mode::Open { .. } | Mode::Probing { .. }), "{:?}", gate(&stage));
    let untouched = payments.iter().filter(|payment| stage.payment(&payment.id) == **payment).count();
    assert!(untouched > 20, "only {untouched} were left alone");
    for payment in &payments {
        let after = stage.payment(&payment.id);
        assert_eq!((after.state, after.attempts, after.attempts_left), (State::Queued, 0, payment.attempts_left));
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_meets_an_open_breaker_waits_for_the_probe_and_then_goes_through() {
    let stage = Stage::calm();
    let mut gate = gate(&stage);
    let open = Mode::Open { probe_at_us: Some(stage.now().plus_ms(12_000).us()) };
    (gate.breaker.mode, gate.breaker.version, gate.rate_version) = (open, 2, 2);
    stage.gates.set(gate);
    let (payments, event) = batch(&stage, 6);
    let begin = tokio::time::Instant::now();
    let response = stage.consume(event).await;
    assert_eq!(response.batch_item_failures.len(), 0);
    assert!(payments.iter().all(|payment| stage.payment(&payment.id).state == State::Succeeded));
    let calls_us = stage.ledger.calls_us();
    // The probe alone, when it was due; the others only after its answer.
    assert!((12..20).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    assert!(calls_us[1] - calls_us[0] >= 200_000, "{calls_us:?}");
    assert_eq!(self::gate(&stage).breaker.cause, Cause::ProbeAnswered);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_stop_the_batch_at_once_until_an_operator_resumes() {
    let stage = stage(ProviderFaults { credentials_refused: 1.0, ..Faults::none().provider });
    let (payments, event) = batch(&stage, 50);
    stage.consume(event).await;
    let calls = stage.calls();
    // At 100 a second those of the first answer's 28 ms, and no more.
    assert!((1..=8).contains(&calls), "{calls} calls");
    assert_eq!(
        (gate(&stage).breaker.mode, gate(&stage).breaker.cause),
        (Mode::Open { probe_at_us: None }, Cause::CredentialsRefused)
    );
    assert!(payments.iter().all(|payment| stage.payment(&payment.id).attempts == 0));
    seconds(4_000).await;
    let (_, event) = batch(&stage, 1);
    stage.consume(event).await;
    assert_eq!(stage.calls(), calls, "no probe goes out by itself");
    stage.world.calm();
    operates(&stage, Operation::Resume).await;
    seconds(30).await;
    let (payments, event) = batch(&stage, 3);
    assert_eq!(stage.consume(event).await.batch_item_failures.len(), 0);
    assert!(payments.iter().all(|payment| stage.payment(&payment.id).state == State::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_429s_holds_the_rest_of_the_batch_as_long_as_it_asks_and_slows_the_pace() {
    let stage = stage(ProviderFaults { rate_limited: 1.0, ..Faults::none().provider });
    let (payments, event) = batch(&stage, 50);
    let calm_again = async {
        while stage.calls() == 0 {
            seconds(0).await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        stage.world.calm();
    };
    let (_, ()) = tokio::join!(stage.consume(event), calm_again);
    let calls_us = stage.ledger.calls_us();
    let gap_us = calls_us.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    let refused = calls_us.iter().take_while(|at_us| **at_us < calls_us[0] + 500_000).count();
    // Five make a storm, and their answers take 28 ms at 100 calls a second.
    assert!((5..=12).contains(&refused), "{refused} calls before it was heard");
    assert!(gap_us >= 1_000_000 - 50_000, "Retry-After was 1 s at least: {gap_us}");
    let brake = gate(&stage).brake;
    assert_eq!((brake.permille, brake.version), (650, 2), "once for all of them");
    // The next calls come at 65 % of the pace: 15 ms apart instead of 10.
    let after: Vec<u64> = calls_us.iter().filter(|at_us| **at_us >= brake.hold_until_us).copied().collect();
    assert!(after.len() > 5 && after[1] - after[0] > 14_000, "{after:?}");
    assert!(payments.iter().all(|payment| stage.payment(&payment.id).attempts <= 1));
}

/// Counts of one batch ride on the next one's reservation: whatever comes of the calls, a batch is one update.
#[tokio::test(start_paused = true)]
async fn what_a_batch_has_seen_costs_no_call_of_its_own() {
    let stage = Stage::calm();
    let consumer = stage.consumer();
    for number in 0..5_u64 {
        let (_, event) = batch(&stage, 10);
        let before = stage.world.ios();
        consumer.handle(event, stage.now().plus_ms(60_000)).await;
        // Of a payment's I/Os two are the table's and two the provider's.
        assert_eq!(stage.world.ios() - before, 4 * 10 + 1, "batch {number}");
        assert_eq!((gate(&stage).calls, gate(&stage).failures), (number * 10, 0));
        seconds(10).await;
    }
}

/// A rate that is lowered in the middle of a batch: the slots from before are used, the next ones are further apart.
#[tokio::test(start_paused = true)]
async fn a_new_rate_reaches_a_consumer_with_its_next_reservation() {
    let stage = Stage::calm();
    let consumer = stage.consumer();
    let (_, event) = batch(&stage, 50);
    let (_, ()) = tokio::join!(consumer.handle(event, stage.now().plus_ms(60_000)), async {
        seconds(0).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        operates(&stage, Operation::Rate(10)).await;
    });
    assert_eq!(stage.calls(), 50);
    let (_, event) = batch(&stage, 20);
    consumer.handle(event, stage.now().plus_ms(60_000)).await;
    let calls_us = &stage.ledger.calls_us()[50..];
    assert!(calls_us.len() == 20 && calls_us.windows(2).all(|pair| pair[1] - pair[0] >= 99_000), "{calls_us:?}");
}

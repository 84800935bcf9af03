//! One batch at the consumer: only what is ours and may be sent reaches the provider, and only what has ended is let go.

use payments::id::{ClaimId, MerchantId};
use payments::message::Message;
use payments::payment::{Claim, Order, Payment, Reason, State};
use payments::time::Timestamp;
use simulator::Faults;
use simulator::faults::ProviderFaults;
use simulator::memory::queue::Name;
use tokio::time::Instant;

use super::stage::{Stage, failed, message_for, seconds};
use crate::contract::samples::{accepted, in_state, order, sending};

fn new_payment(stage: &Stage) -> Payment {
    let id = stage.stands(accepted(order()));
    stage.payment(&id)
}

#[tokio::test(start_paused = true)]
async fn only_the_good_message_of_a_batch_reaches_the_provider() {
    let stage = Stage::calm();
    let good = new_payment(&stage);
    let disagrees = new_payment(&stage);
    let missing = accepted(order());
    let mut newer: serde_json::Value = serde_json::from_str(&message_for(&stage, &new_payment(&stage))).unwrap();
    newer["version"] = 2.into();
    let forged = Message::new(disagrees.id.clone(), MerchantId::new("france").unwrap(), stage.now());
    let bodies = [
        "hello".to_owned(),
        newer.to_string(),
        forged.to_body(),
        message_for(&stage, &missing),
        message_for(&stage, &good),
        "{\"version\":1}".to_owned(),
    ];
    let event = stage.batch(Name::Standard, &bodies);
    let response = stage.consume(event.clone()).await;
    assert_eq!(failed(&event, &response), [0, 1, 2, 3, 5]);
    assert_eq!(stage.calls(), 1);
    assert_eq!(stage.payment(&good.id).state, State::Succeeded);
    assert_eq!(stage.payment(&disagrees.id), disagrees);
    assert_eq!(stage.table.payments().len(), 3, "nothing was made up");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_done_ends_well_before_its_deadline() {
    for count in [1, 7, 50] {
        let stage = Stage::calm();
        let bodies: Vec<_> = (0..count).map(|_| message_for(&stage, &new_payment(&stage))).collect();
        let event = stage.batch(Name::Standard, &bodies);
        let begin = Instant::now();
        let response = stage.consume(event).await;
        assert_eq!(response.batch_item_failures.len(), 0);
        assert!(begin.elapsed().as_secs() < 5, "{count}: {:?}", begin.elapsed());
    }
    let stage = Stage::calm();
    let begin = Instant::now();
    let event = stage.batch(Name::Standard, &["hello".to_owned()]);
    assert_eq!(stage.consume(event).await.batch_item_failures.len(), 1);
    assert!(begin.elapsed().as_secs() < 1, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_empty_batch_is_answered_with_an_explicit_empty_list() {
    let stage = Stage::calm();
    let begin = Instant::now();
    let response = stage.consume(stage.batch(Name::Standard, &[])).await;
    assert_eq!(serde_json::to_value(response).unwrap(), serde_json::json!({ "batchItemFailures": [] }));
    assert!(begin.elapsed().as_millis() < 10);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_somebody_else_is_sending_is_hidden_until_that_lease_ends() {
    let stage = Stage::calm();
    let mut payment = sending(order());
    payment.claim.as_mut().unwrap().lease_until = stage.now().plus_ms(30_000);
    let id = stage.stands(payment);
    let before = stage.payment(&id);
    let bodies = [message_for(&stage, &before)];
    let event = stage.batch(Name::Standard, &bodies);
    let response = stage.consume(event.clone()).await;
    assert_eq!(failed(&event, &response), [0]);
    assert_eq!((stage.calls(), stage.payment(&id)), (0, before));
    seconds(28).await;
    assert_eq!(stage.queues.receive(Name::Standard, 10).len(), 0, "hidden, not deleted");
    seconds(3).await;
    let event = stage.receive(Name::Standard, &bodies);
    assert_eq!(event.records.len(), 1);
    // The lease is over: it is queried, never sent again.
    stage.consume(event).await;
    assert_eq!((stage.calls(), stage.ledger.effects().len()), (1, 0));
    assert_eq!((stage.payment(&id).state, stage.payment(&id).reason), (State::Unknown, Reason::NotFoundYet));
}

#[tokio::test(start_paused = true)]
async fn the_message_of_an_ended_payment_is_let_go_without_a_call() {
    let stage = Stage::calm();
    let ended: Vec<_> =
        State::ALL.iter().filter(|state| state.is_terminal()).map(|&state| stage.stands(in_state(state))).collect();
    let before = stage.table.payments();
    let bodies: Vec<_> = ended.iter().map(|id| message_for(&stage, &stage.payment(id))).collect();
    let event = stage.batch(Name::Standard, &bodies);
    assert_eq!(stage.consume(event).await.batch_item_failures.len(), 0);
    assert_eq!((stage.calls(), stage.table.payments()), (0, before));
}

/// Before its claim, between its claim and its slot, or right at the slot.
#[tokio::test(start_paused = true)]
async fn a_payment_whose_time_is_over_never_reaches_the_provider() {
    for before_slot_ms in [3_000, 1_000, 101, 99, 60, 30, 1, 0] {
        let stage = Stage::calm();
        let mut gate = stage.gates.state("sandbox").unwrap();
        let slot = stage.now().plus_ms(2_000);
        gate.next_us = slot.us();
        stage.gates.set(gate);
        let mut payment = new_payment(&stage);
        payment.order.expires_at = Some(slot.minus_ms(before_slot_ms));
        stage.table.set(payment.clone());
        let event = stage.batch(Name::Standard, &[message_for(&stage, &payment)]);
        let response = stage.consume(event).await;
        assert_eq!(
            (stage.calls(), stage.payment(&payment.id).state),
            (0, State::Expired),
            "{before_slot_ms} ms before"
        );
        assert_eq!(response.batch_item_failures.len(), 0, "{before_slot_ms} ms before");
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_gate_sends_nothing_and_the_batch_is_handed_back() {
    let stage = Stage::calm();
    let mut gate = stage.gates.state("sandbox").unwrap();
    gate.paused = true;
    stage.gates.set(gate.clone());
    let payment = new_payment(&stage);
    let bodies = [message_for(&stage, &payment)];
    let event = stage.batch(Name::Standard, &bodies);
    let begin = Instant::now();
    let response = stage.consume_within(event.clone(), 30_000).await;
    assert_eq!(failed(&event, &response), [0]);
    assert_eq!((stage.calls(), stage.payment(&payment.id)), (0, payment.clone()));
    // It kept the batch for as long as a call could still have been made, and hid it for a little while.
    assert!((15..30).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    gate.paused = false;
    stage.gates.set(gate);
    seconds(18).await;
    assert_eq!(stage.queues.receive(Name::Standard, 10).len(), 0, "hidden, or it would use up its receives");
    seconds(3).await;
    let event = stage.receive(Name::Standard, &bodies);
    assert_eq!(stage.consume(event).await.batch_item_failures.len(), 0);
    assert_eq!(stage.payment(&payment.id).state, State::Succeeded);
}

/// Of a payment's I/Os two are the table's, to claim and to settle, and two the provider's, to connect and to send.
#[tokio::test(start_paused = true)]
async fn an_ordinary_payment_is_two_writes_and_its_batchs_share_of_one() {
    for count in [1_u64, 10, 50] {
        let stage = Stage::calm();
        let bodies: Vec<_> = (0..count).map(|_| message_for(&stage, &new_payment(&stage))).collect();
        let event = stage.batch(Name::Standard, &bodies);
        stage.consume(event).await;
        assert_eq!(u64::try_from(stage.calls()).unwrap(), count);
        assert_eq!(stage.world.ios() - 2 * count, 2 * count + 1, "{count} payments");
        assert!(stage.table.payments().iter().all(|payment| payment.version == 3 && payment.state == State::Succeeded));
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_unknown_within_the_invocation() {
    let provider = ProviderFaults { lost: 1.0, ..Faults::none().provider };
    let stage = Stage::new(Faults { provider, ..Faults::none() });
    let payment = new_payment(&stage);
    let event = stage.batch(Name::Standard, &[message_for(&stage, &payment)]);
    let begin = Instant::now();
    let response = stage.consume_within(event.clone(), 15_000).await;
    assert!(begin.elapsed().as_secs() < 15, "{:?}", begin.elapsed());
    assert_eq!(failed(&event, &response), [0]);
    let after = stage.payment(&payment.id);
    assert_eq!((after.state, after.reason, after.attempts), (State::Unknown, Reason::TimedOut, 1));
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_is_too_short_for_a_call_begins_none() {
    let stage = Stage::calm();
    let payment = new_payment(&stage);
    let event = stage.batch(Name::Standard, &[message_for(&stage, &payment)]);
    let response = stage.consume_within(event.clone(), 5_000).await;
    assert_eq!(failed(&event, &response), [0]);
    assert_eq!((stage.calls(), stage.payment(&payment.id)), (0, payment));
}

fn parked(stage: &Stage, state_before: State) -> Payment {
    let mut payment = in_state(state_before);
    payment.state = State::Parked;
    payment.parked_at = Some(stage.now());
    payment.claim = None;
    payment.open_shard = Some(payments::payment::parked_shard(&payment.id));
    let id = stage.stands(payment);
    stage.payment(&id)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_person_put_back_takes_up_a_parked_payment_and_a_late_duplicate_does_not() {
    for (before, sent_again) in [(State::Queued, 1), (State::Unknown, 0)] {
        let stage = Stage::calm();
        let payment = parked(&stage, before);
        let written_at = stage.now();
        seconds(60).await;
        let body = Message::new(payment.id.clone(), payment.order.merchant.clone(), written_at).to_body();
        // Less than two minutes after it was written: nobody's hand, only a slow way to the queue.
        let event = stage.batch(Name::Standard, std::slice::from_ref(&body));
        let response = stage.consume(event.clone()).await;
        assert_eq!(failed(&event, &response), [0]);
        assert_eq!((stage.calls(), stage.payment(&payment.id)), (0, payment.clone()));

        seconds(120).await;
        stage.queues.delete(Name::Standard, event.records[0].receipt_handle.as_deref().unwrap());
        let event = stage.batch(Name::Standard, &[body]);
        stage.consume(event).await;
        assert_eq!(
            (stage.calls(), stage.ledger.effects().len()),
            (1, sent_again),
            "what was ever sent is queried first"
        );
        assert_ne!(stage.payment(&payment.id).state, State::Parked);
    }
}

/// A message that goes on is received until its lane's redrive policy takes it; here that is twelve times.
#[tokio::test(start_paused = true)]
async fn a_parked_payment_goes_on_without_a_slot_and_so_does_what_is_not_due() {
    let stage = Stage::calm();
    let payment = parked(&stage, State::Unknown);
    let bodies = [message_for(&stage, &payment)];
    stage.queues.put(Name::Standard, bodies[0].clone(), None, 0);
    let slots_from = |stage: &Stage| stage.gates.state("sandbox").unwrap().next_us;
    let mut reserved = 0;
    for receive in 1..=12 {
        let before = slots_from(&stage);
        let event = stage.receive(Name::Standard, &bodies);
        assert_eq!(event.records.len(), 1, "receive {receive}");
        assert_eq!(failed(&event, &stage.consume(event.clone()).await), [0]);
        reserved += u32::from(slots_from(&stage) != before);
        seconds(2).await;
    }
    assert_eq!(stage.receive(Name::Standard, &bodies).records.len(), 0, "it went on to the dead letters");
    assert_eq!((reserved, stage.calls()), (1, 0), "only the first receive asks for a slot");

    let mut waits = in_state(State::Unknown);
    waits.due_at = Some(stage.now().plus_ms(40_000));
    let id = stage.stands(waits);
    let bodies = [message_for(&stage, &stage.payment(&id))];
    stage.queues.put(Name::Standard, bodies[0].clone(), None, 0);
    // Received by somebody who died.
    stage.receive(Name::Standard, &bodies);
    seconds(361).await;
    let due_at = Some(stage.now().plus_ms(40_000));
    stage.table.set(Payment { due_at, ..stage.payment(&id) });
    let before = slots_from(&stage);
    let event = stage.receive(Name::Standard, &bodies);
    assert_eq!(failed(&event, &stage.consume(event.clone()).await), [0]);
    assert_eq!((slots_from(&stage), stage.calls()), (before, 0));
    seconds(38).await;
    assert_eq!(stage.receive(Name::Standard, &bodies).records.len(), 0, "hidden until it is due");
    seconds(3).await;
    let event = stage.receive(Name::Standard, &bodies);
    stage.consume(event).await;
    assert_eq!(stage.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_lease_was_taken_still_counts_when_it_is_a_success() {
    let stage = Stage::calm();
    let payment = new_payment(&stage);
    let event = stage.batch(Name::Standard, &[message_for(&stage, &payment)]);
    let thief = async {
        // Everything answers within 4 ms each way, the provider after 200 ms at least.
        while stage.calls() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let mut taken = stage.payment(&payment.id);
        taken.version += 1;
        taken.claim =
            Some(Claim { id: ClaimId::from_bits(7), from: State::Sending, lease_until: Timestamp::from_ms(u64::MAX) });
        stage.table.set(taken);
    };
    let (response, ()) = tokio::join!(stage.consume(event), thief);
    assert_eq!(response.batch_item_failures.len(), 0);
    assert_eq!(stage.payment(&payment.id).state, State::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_merchants_wish_to_cancel_is_kept_when_the_provider_refuses() {
    let provider = ProviderFaults { rate_limited: 1.0, ..Faults::none().provider };
    let stage = Stage::new(Faults { provider, ..Faults::none() });
    let mut payment = accepted(Order { ..order() });
    payment.cancel_requested_at = Some(stage.now());
    let id = stage.stands(payment);
    let event = stage.batch(Name::Standard, &[message_for(&stage, &stage.payment(&id))]);
    assert_eq!(stage.consume(event).await.batch_item_failures.len(), 0);
    assert_eq!((stage.calls(), stage.payment(&id).state), (0, State::Canceled));
}

/// A provider that asks for ten minutes is given ten minutes, though a backoff is never as long.
#[tokio::test(start_paused = true)]
async fn a_retry_after_of_ten_minutes_binds_every_message_of_its_payment() {
    let stage = Stage::calm();
    let mut payment = new_payment(&stage);
    let due = stage.now().plus_ms(600_000);
    (payment.reason, payment.due_at) = (Reason::RateLimited, Some(due));
    stage.table.set(payment.clone());
    let body = message_for(&stage, &payment);
    let event = stage.batch(Name::Standard, &[body.clone(), body]);
    let response = stage.consume(event.clone()).await;
    assert_eq!(failed(&event, &response), [0, 1]);
    assert_eq!((stage.calls(), stage.payment(&payment.id)), (0, payment.clone()));
    seconds(590).await;
    assert_eq!(stage.queues.receive(Name::Standard, 10).len(), 0, "hidden until it is due");
    seconds(12).await;
    let event = stage.receive(Name::Standard, &[message_for(&stage, &payment), message_for(&stage, &payment)]);
    stage.consume(event).await;
    assert_eq!(stage.payment(&payment.id).state, State::Succeeded);
}

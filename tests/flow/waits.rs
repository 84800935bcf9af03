//! How long a message waits, and for what: who waits too long costs a customer's patience, who waits too little uses up the
//! receives of a message.

use std::time::Duration;

use ::reconcile::{Reconcile, Watched};
use pacing::admission::Depth;
use payments::id::{ClaimId, PaymentId};
use payments::idempotency::{Binding, Bound};
use payments::message::Message;
use payments::payment::{Claim, Lane, Payment, State};
use payments::transition::PAYMENT_RETRY_AFTER_MAX_MS;
use payments::write::{SendClaim, Written};
use ports::{ConnectError, Depths, PortError, Provider, Queue, Source, Store, StoreError, Wired};
use serde_json::Value;
use simulator::memory::queue::Name;
use simulator::memory::{MemoryGate, MemoryProvider, MemoryQueue, MemoryStore};
use simulator::run::policy;

use super::failing::{Call, Failing, Fate};
use super::logs::{Kept, logging};
use super::stage::{LedgerOver, Stage, failed, message_for, seconds};
use crate::contract::samples::{accepted, in_state, order, sending};

/// The one message comes again in so many seconds, give or take one.
async fn comes_again(stage: &Stage, name: Name, bodies: &[String], after_seconds: u64) {
    seconds(after_seconds - 1).await;
    assert_eq!(stage.receive(name, bodies).records.len(), 0, "hidden for nearly {after_seconds} s");
    seconds(2).await;
    assert_eq!(stage.receive(name, bodies).records.len(), 1, "back after {after_seconds} s");
}

fn new_payment(stage: &Stage) -> Payment {
    let id = stage.stands(accepted(order()));
    stage.payment(&id)
}

fn provider(stage: &Stage) -> MemoryProvider {
    MemoryProvider::new(&stage.ledger, &stage.environment)
}

#[tokio::test(start_paused = true)]
async fn a_table_that_refuses_a_claim_costs_the_message_five_seconds() {
    let stage = Stage::calm();
    let payment = new_payment(&stage);
    let bodies = [message_for(&stage, &payment)];
    let event = stage.batch(Name::Standard, &bodies);
    let store = Failing::new(stage.store(), &[(Call::Claim, Fate::Refused)]);
    let consumer = stage.consumer_over(store, provider(&stage));
    let response = consumer.handle(event.clone(), stage.now().plus_ms(60_000)).await;
    assert_eq!((failed(&event, &response), stage.calls()), (vec![0], 0));
    comes_again(&stage, Name::Standard, &bodies, 5).await;
}

/// Lambda deletes what an answer does not name.
#[tokio::test(start_paused = true)]
async fn a_batch_that_runs_out_of_time_names_all_that_it_has_not_concluded() {
    let stage = Stage::calm();
    let bodies = [(); 3].map(|()| message_for(&stage, &new_payment(&stage)));
    let event = stage.batch(Name::Standard, &bodies);
    let store = Failing::new(stage.store(), &[(Call::Claim, Fate::Hangs)]);
    let consumer = stage.consumer_over(store, provider(&stage));
    let response = consumer.handle(event.clone(), stage.now().plus_ms(60_000)).await;
    assert_eq!((failed(&event, &response), stage.calls()), (vec![0, 1, 2], 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_overtook_its_item_comes_again_in_ten_seconds() {
    let stage = Stage::calm();
    let bodies = [message_for(&stage, &accepted(order()))];
    let event = stage.batch(Name::Standard, &bodies);
    assert_eq!(failed(&event, &stage.consume(event.clone()).await), [0]);
    comes_again(&stage, Name::Standard, &bodies, 10).await;
}

/// What the provider did is written down in the invocation that heard of it, though the table refuses twice.
#[tokio::test(start_paused = true)]
async fn an_answer_is_written_down_at_the_third_try() {
    for (refusals, state, open) in [(2, State::Succeeded, 0), (3, State::Sending, 1)] {
        let stage = Stage::calm();
        let payment = new_payment(&stage);
        let bodies = [message_for(&stage, &payment)];
        let event = stage.batch(Name::Standard, &bodies);
        let store = Failing::new(stage.store(), &[(Call::Replace, Fate::RefusedFirst(refusals))]);
        let consumer = stage.consumer_over(store, provider(&stage));
        let response = consumer.handle(event, stage.now().plus_ms(60_000)).await;
        assert_eq!((stage.payment(&payment.id).state, stage.ledger.effects().len()), (state, 1), "{refusals}");
        assert_eq!(response.batch_item_failures.len(), open, "{refusals} refusals");
        if open == 1 {
            let lease_until = stage.payment(&payment.id).claim.unwrap().lease_until;
            let left_seconds = lease_until.since_ms(stage.now()).div_ceil(1_000);
            comes_again(&stage, Name::Standard, &bodies, left_seconds.max(2)).await;
        }
    }
}

/// A way to the provider that takes so long to connect.
struct Slow(MemoryProvider, Duration);

impl Provider for Slow {
    type Connection = <MemoryProvider as Provider>::Connection;

    async fn connect(&self) -> Result<Self::Connection, ConnectError> {
        tokio::time::sleep(self.1).await;
        self.0.connect().await
    }
}

/// Within the lease there has to be time for the whole call and for writing its answer down.
#[tokio::test(start_paused = true)]
async fn a_missed_slot_is_replaced_only_by_one_that_leaves_time_to_settle() {
    let spare_ms = policy().lease_ms() - policy().call_timeout_ms - policy().settle_allowance_ms;
    for (next_after_ms, calls) in [(spare_ms - 100, 1), (spare_ms + 100, 0), (spare_ms + 4_900, 0)] {
        let stage = Stage::calm();
        let payment = new_payment(&stage);
        let bodies = [message_for(&stage, &payment)];
        let event = stage.batch(Name::Standard, &bodies);
        let consumer = stage.consumer_over(stage.store(), Slow(provider(&stage), Duration::from_millis(700)));
        let somebody = async {
            while stage.payment(&payment.id).state != State::Sending {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let claim = stage.payment(&payment.id).claim.unwrap();
            let slot = claim.lease_until.minus_ms(policy().lease_ms());
            let mut gate = stage.gates.state("sandbox").unwrap();
            gate.next_us = slot.plus_ms(next_after_ms).us();
            stage.gates.set(gate);
            claim
        };
        let handling = consumer.handle(event, stage.now().plus_ms(60_000));
        let (_, claim) = tokio::join!(handling, somebody);
        let in_time = stage.ledger.calls_us().into_iter().filter(|at| *at < claim.lease_until.us()).count();
        assert_eq!(in_time, calls, "the next slot {next_after_ms} ms later");
        for at_us in stage.ledger.calls_us() {
            let held_us = stage.payment(&payment.id).written_until.unwrap().us();
            assert!(at_us + policy().call_timeout_ms * 1_000 < held_us, "its answer is written under its lease");
        }
    }
}

/// The margin is ten milliseconds: what is later by more has no slot.
#[tokio::test(start_paused = true)]
async fn a_slot_is_used_within_its_margin_and_not_after_it() {
    let stage = Stage::calm();
    let payment = new_payment(&stage);
    let event = stage.batch(Name::Standard, &[message_for(&stage, &payment)]);
    // Connecting begins when the claim is written, a tenth of a second before the slot at the most.
    let consumer = stage.consumer_over(stage.store(), Slow(provider(&stage), Duration::from_millis(145)));
    let begins_us = stage.gates.state("sandbox").unwrap().next_us;
    consumer.handle(event, stage.now().plus_ms(60_000)).await;
    let gate = stage.gates.state("sandbox").unwrap();
    assert!(gate.next_us > begins_us);
    let one_us = gate.span_us(1);
    assert_eq!(stage.calls(), 1);
    // It went out in the last slot that was handed out, and not in the one that it had missed.
    let last_us = gate.next_us - one_us;
    let at_us = stage.ledger.calls_us()[0];
    let margin_us = u64::from(gate.margin_ms) * 1_000;
    // On the wire it takes some milliseconds more.
    assert!((last_us..=last_us + margin_us + 10_000).contains(&at_us), "{last_us} {at_us}");
}

#[tokio::test(start_paused = true)]
async fn what_is_due_in_an_hour_is_hidden_for_a_quarter_of_one() {
    let stage = Stage::calm();
    let id = stage.stands(in_state(State::Unknown));
    let bodies = [message_for(&stage, &stage.payment(&id))];
    stage.queues.put(Name::Standard, bodies[0].clone(), None, 0);
    // Received by somebody who died.
    stage.receive(Name::Standard, &bodies);
    seconds(361).await;
    let due_at = Some(stage.now().plus_ms(3_600_000));
    stage.table.set(Payment { due_at, ..stage.payment(&id) });
    let event = stage.receive(Name::Standard, &bodies);
    assert_eq!(failed(&event, &stage.consume(event.clone()).await), [0]);
    comes_again(&stage, Name::Standard, &bodies, PAYMENT_RETRY_AFTER_MAX_MS / 1_000).await;
}

/// A store that answers a claim with what somebody else holds.
struct Mistaken(MemoryStore);

impl Store for Mistaken {
    async fn put(&self, payment: &Payment) -> Result<Written, StoreError> {
        self.0.put(payment).await
    }

    async fn claim(&self, claim: &SendClaim) -> Result<Written, StoreError> {
        let others = Claim { id: ClaimId::from_bits(7), ..claim.kept() };
        match self.0.claim(claim).await? {
            Written::Applied(payment) => Ok(Written::Applied(Box::new(Payment { claim: Some(others), ..*payment }))),
            other => Ok(other),
        }
    }

    async fn replace(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        self.0.replace(before, after).await
    }

    async fn get(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        self.0.get(id).await
    }

    async fn bind(&self, binding: &Binding) -> Result<Bound, StoreError> {
        self.0.bind(binding).await
    }
}

/// Whatever a store says was done: a call is made under our own claim only.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_under_anothers_claim() {
    let stage = Stage::calm();
    let payment = new_payment(&stage);
    let bodies = [message_for(&stage, &payment)];
    let event = stage.batch(Name::Standard, &bodies);
    let consumer = stage.consumer_over(Mistaken(stage.store()), provider(&stage));
    let response = consumer.handle(event.clone(), stage.now().plus_ms(60_000)).await;
    assert_eq!((failed(&event, &response), stage.calls()), (vec![0], 0));
}

/// When its lease has ended, what it comes again for is a question.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_comes_again_when_it_is_worth_a_look() {
    let stage = Stage::calm();
    let missing = message_for(&stage, &accepted(order()));
    let newer = {
        let mut body: Value = serde_json::from_str(&missing).unwrap();
        body["version"] = 2.into();
        body.to_string()
    };
    for (body, after_seconds) in [(missing, 30), (newer, 900)] {
        let stage = Stage::calm();
        let bodies = [body];
        let event = stage.batch(Name::DeadLetter, &bodies);
        assert_eq!(failed(&event, &stage.triage(event.clone()).await), [0]);
        comes_again(&stage, Name::DeadLetter, &bodies, after_seconds).await;
    }
    let payment = new_payment(&stage);
    let bodies = [message_for(&stage, &payment)];
    let event = stage.batch(Name::DeadLetter, &bodies);
    let store = Failing::new(stage.store(), &[(Call::Get, Fate::Refused)]);
    let response = stage.dead_letter_over(store).handle(event.clone(), stage.now().plus_ms(60_000)).await;
    assert_eq!(failed(&event, &response), [0]);
    comes_again(&stage, Name::DeadLetter, &bodies, 60).await;
}

/// Queues whose depth nobody can read.
struct Unmeasured(MemoryQueue);

impl Queue for Unmeasured {
    async fn send(&self, lane: Lane, message: &Message, delay_seconds: u32) -> Result<(), PortError> {
        self.0.send(lane, message, delay_seconds).await
    }

    fn source_of(&self, event_source_arn: &str) -> Option<Source> {
        self.0.source_of(event_source_arn)
    }

    async fn hide(&self, source: Source, receipt_handle: &str, seconds: u32) -> Result<(), PortError> {
        self.0.hide(source, receipt_handle, seconds).await
    }
}

impl Depths for Unmeasured {
    async fn depth(&self, _: Lane) -> Result<Depth, PortError> {
        Err(PortError::throttled("throttled"))
    }
}

async fn healed<Q: Queue + Depths>(stage: &Stage, queue: Q) -> u32 {
    let watched = Watched { gates: MemoryGate::new(&stage.gates, &stage.environment), provider: "sandbox".to_owned() };
    let LedgerOver { store, clock, entropy, policy, .. } = stage.wired(stage.store());
    let reconcile = Reconcile::new(Wired { store, queue, clock, entropy, policy }, watched, 10);
    reconcile.handle(stage.now().plus_ms(60_000)).await.healed
}

/// A message that somebody is working at may be the payment's own, and so may one that is delayed.
#[tokio::test(start_paused = true)]
async fn a_lane_is_empty_only_if_nothing_is_visible_delayed_or_under_way_and_somebody_has_looked() {
    let queue = |stage: &Stage| MemoryQueue::new(&stage.queues, &stage.environment);
    let quiet = |stage: &Stage, ago_ms: u64| {
        let at = stage.now().minus_ms(ago_ms);
        stage.table.set(Payment { created_at: at, changed_at: at, ..accepted(order()) });
    };
    for (what, delay_seconds, is_received) in [("visible", 0, false), ("delayed", 600, false), ("in flight", 0, true)] {
        let stage = Stage::calm();
        stage.queues.put(Name::Standard, "another's".to_owned(), None, delay_seconds);
        if is_received {
            assert_eq!(stage.queues.receive(Name::Standard, 1).len(), 1);
        }
        quiet(&stage, 240_000);
        assert_eq!(healed(&stage, queue(&stage)).await, 0, "{what}");
    }
    let stage = Stage::calm();
    quiet(&stage, 240_000);
    assert_eq!(healed(&stage, Unmeasured(queue(&stage))).await, 0, "nobody knows");
    quiet(&stage, 3_660_000);
    assert_eq!(healed(&stage, Unmeasured(queue(&stage))).await, 1, "an hour is enough");
    assert_eq!(healed(&stage, queue(&stage)).await, 0, "the message that was put back");
    stage.empty(Name::Standard);
    assert_eq!(healed(&stage, queue(&stage)).await, 1);
}

/// "CloudWatch Logs quotas": an event has 256 KB at the most, and a person reads no thousand ids.
#[tokio::test(start_paused = true)]
async fn a_log_line_names_fifty_payments_and_counts_them_all() {
    let stage = Stage::calm();
    let at = stage.now().minus_ms(policy().overdue_after_ms + 60_000);
    for _ in 0..70 {
        let payment = in_state(State::Unknown);
        stage.table.set(Payment { created_at: at, changed_at: at, first_sent_at: Some(at), ..payment });
    }
    let kept = Kept::default();
    let guard = logging(&kept);
    healed(&stage, MemoryQueue::new(&stage.queues, &stage.environment)).await;
    drop(guard);
    let lines: Vec<Value> = kept.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["event"] == "payments_overdue").collect();
    assert_eq!((told.len(), &told[0]["overdue"]), (1, &70.into()));
    assert_eq!(told[0]["payment_ids"].as_str().unwrap().split(' ').count(), 50);
}

/// What is being sent when its dead letter comes is looked at when that lease has ended.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_what_is_being_sent_waits_for_the_lease() {
    let stage = Stage::calm();
    let mut payment = sending(order());
    payment.claim.as_mut().unwrap().lease_until = stage.now().plus_ms(45_000);
    let id = stage.stands(payment);
    let bodies = [message_for(&stage, &stage.payment(&id))];
    let event = stage.batch(Name::DeadLetter, &bodies);
    assert_eq!(failed(&event, &stage.triage(event.clone()).await), [0]);
    comes_again(&stage, Name::DeadLetter, &bodies, 45).await;
}

/// Whoever has no time left looks at nothing more, and says what it has found before Lambda ends it.
#[tokio::test(start_paused = true)]
async fn a_sweep_whose_time_is_over_looks_at_nothing_more() {
    let stage = Stage::calm();
    for _ in 0..20 {
        let at = stage.now().minus_ms(3_700_000);
        stage.table.set(Payment { created_at: at, changed_at: at, ..accepted(order()) });
    }
    let watched = Watched { gates: MemoryGate::new(&stage.gates, &stage.environment), provider: "sandbox".to_owned() };
    let reconcile = Reconcile::new(stage.wired(stage.store()), watched, 50);
    assert_eq!(reconcile.handle(stage.now().plus_ms(2_000)).await.looked_at, 0);
    assert_eq!(reconcile.handle(stage.now().plus_ms(60_000)).await.looked_at, 20);
}

/// A refund is told as without its charge once it is long in coming, and not before: by then the charge could be there.
#[tokio::test(start_paused = true)]
async fn a_refund_without_its_charge_is_told_when_it_is_old() {
    for (age_ms, told) in [(policy().overdue_after_ms - 60_000, 0), (policy().overdue_after_ms, 1)] {
        let stage = Stage::calm();
        let at = stage.now().minus_ms(age_ms);
        let gone = crate::contract::samples::refund(&crate::contract::samples::charged(100), 60);
        stage.table.set(Payment { created_at: at, changed_at: at, ..gone });
        let watched =
            Watched { gates: MemoryGate::new(&stage.gates, &stage.environment), provider: "sandbox".to_owned() };
        let reconcile = Reconcile::new(stage.wired(stage.store()), watched, 50);
        let found = reconcile.handle(stage.now().plus_ms(60_000)).await;
        assert_eq!((found.looked_at, found.without_charge), (1, told), "{age_ms} ms old");
    }
}

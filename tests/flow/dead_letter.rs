//! The triage of what was received too often: the item alone decides, in each of its states.

use payments::id::MerchantId;
use payments::message::Message;
use payments::payment::{Payment, Reason, State, parked_shard};
use payments::time::Timestamp;
use payments::transition::HEAL_WAITED_MS;
use simulator::Faults;
use simulator::memory::queue::Name;

use super::logs::{Kept, logging};
use super::stage::{Stage, failed, message_for, seconds};
use crate::contract::samples::{accepted, in_state, order, sending};

/// What became of a payment's dead-lettered message.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Healed,
    Dropped,
    /// Comes again here, until the DLQ's own redrive policy takes it to where people look.
    Kept,
}

async fn fate(stage: &Stage, body: String) -> Fate {
    let event = stage.batch(Name::DeadLetter, &[body]);
    let lanes = || stage.queues.depth(Name::High) + stage.queues.depth(Name::Standard);
    let before = lanes();
    let response = stage.triage(event.clone()).await;
    match (failed(&event, &response).as_slice(), lanes() - before) {
        ([], 1) => Fate::Healed,
        ([], 0) => Fate::Dropped,
        ([0], 0) => Fate::Kept,
        other => panic!("{other:?}"),
    }
}

fn parked(stage: &Stage, ever_sent: bool, parked_at: Timestamp) -> Payment {
    let mut payment = in_state(if ever_sent { State::Unknown } else { State::Queued });
    payment.state = State::Parked;
    payment.due_at = None;
    payment.parked_at = Some(parked_at);
    payment.open_shard = Some(parked_shard(&payment.id));
    payment.attempts_left = 0;
    let id = stage.stands(payment);
    stage.payment(&id)
}

#[tokio::test(start_paused = true)]
async fn each_state_has_its_own_fate() {
    for &state in State::ALL {
        let stage = Stage::calm();
        let id = stage.stands(in_state(state));
        let before = stage.payment(&id);
        let expected = match state {
            // The lease of the one that is being sent has ended long ago.
            State::Queued | State::Sending | State::Pending | State::Unknown => Fate::Healed,
            State::Parked => Fate::Kept,
            State::Succeeded | State::Declined | State::Canceled | State::Expired => Fate::Dropped,
        };
        assert_eq!(fate(&stage, message_for(&stage, &before)).await, expected, "{state:?}");
        let after = stage.payment(&id);
        assert_eq!((after.state, after.attempts, after.attempts_left), (state, before.attempts, before.attempts_left));
        assert_eq!(after.heal.is_some(), expected == Fate::Healed, "{state:?}");
        assert_eq!(stage.calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_being_sent_is_hidden_until_that_lease_ends() {
    let stage = Stage::calm();
    let mut payment = sending(order());
    payment.claim.as_mut().unwrap().lease_until = stage.now().plus_ms(30_000);
    let id = stage.stands(payment);
    let body = message_for(&stage, &stage.payment(&id));
    assert_eq!(fate(&stage, body.clone()).await, Fate::Kept);
    seconds(28).await;
    assert_eq!(stage.queues.receive(Name::DeadLetter, 10).len(), 0, "hidden, not deleted");
    seconds(3).await;
    let event = stage.receive(Name::DeadLetter, &[body]);
    assert_eq!(stage.triage(event).await.batch_item_failures.len(), 0);
    assert_eq!(stage.queues.depth(Name::Standard), 1);
}

#[tokio::test(start_paused = true)]
async fn what_has_nothing_left_to_try_is_parked_with_its_reason() {
    type Change = fn(&mut Payment, Timestamp);
    let cases: [(Change, State, Reason, Fate); 3] = [
        (|payment, _| payment.attempts_left = 0, State::Parked, Reason::AttemptsUsedUp, Fate::Kept),
        (|payment, now| payment.order.expires_at = Some(now), State::Expired, Reason::ExpiryOver, Fate::Dropped),
        (
            |payment, now| payment.cancel_requested_at = Some(now),
            State::Canceled,
            Reason::CanceledByMerchant,
            Fate::Dropped,
        ),
    ];
    for (change, state, reason, expected) in cases {
        let stage = Stage::calm();
        let mut payment = accepted(order());
        change(&mut payment, stage.now());
        stage.table.set(payment.clone());
        assert_eq!(fate(&stage, message_for(&stage, &payment)).await, expected, "{state:?}");
        let after = stage.payment(&payment.id);
        assert_eq!((after.state, after.reason), (state, reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_ours_is_passed_on_and_touches_no_item() {
    let stage = Stage::calm();
    let payment = accepted(order());
    stage.table.set(payment.clone());
    let before = stage.table.payments();
    let forged = Message::new(payment.id.clone(), MerchantId::new("france").unwrap(), stage.now());
    let missing = message_for(&stage, &accepted(order()));
    let newer = message_for(&stage, &payment).replace("\"version\":1", "\"version\":2");
    for body in ["hello".to_owned(), forged.to_body(), missing, newer] {
        assert_eq!(fate(&stage, body.clone()).await, Fate::Kept, "{body}");
        assert_eq!(stage.table.payments(), before, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_version_waits_for_its_code_and_a_missing_item_for_its_put() {
    // How long each is left alone before it goes on: a second is as long as what goes on is hidden.
    let looks_after = async |stage: &Stage, body: &str, age_s: u64| {
        let bodies = [body.to_owned()];
        stage.queues.put(Name::DeadLetter, body.to_owned(), None, 0);
        seconds(age_s).await;
        let event = stage.receive(Name::DeadLetter, &bodies);
        assert_eq!(stage.triage(event).await.batch_item_failures.len(), 1);
        seconds(2).await;
        stage.queues.receive(Name::DeadLetter, 10).len()
    };
    let (stage, payment) = (Stage::calm(), accepted(order()));
    let newer = message_for(&stage, &payment).replace("\"version\":1", "\"version\":2");
    assert_eq!(looks_after(&stage, &newer, 10).await, 0, "a newer version is hidden");
    let stage = Stage::calm();
    assert_eq!(looks_after(&stage, &newer, 3_601).await, 1, "after an hour it goes on");
    let stage = Stage::calm();
    assert_eq!(looks_after(&stage, &message_for(&stage, &payment), 10).await, 0, "its item may be on its way");
    let stage = Stage::calm();
    assert_eq!(looks_after(&stage, &message_for(&stage, &payment), 61).await, 1, "there is none");
}

/// Twelve receives of the lane's, and as many here: whichever way the count goes, it is seen here first.
#[tokio::test(start_paused = true)]
async fn what_goes_on_is_said_once_and_not_at_each_receive() {
    let kept = Kept::default();
    let _logging = logging(&kept);
    let stage = Stage::calm();
    let payment = parked(&stage, true, stage.now());
    let bodies = [message_for(&stage, &payment), "not ours".to_owned()];
    for body in &bodies {
        stage.queues.put(Name::Standard, body.clone(), None, 0);
    }
    let (consumer_of, dead_letter) = (stage.consumer(), stage.dead_letter());
    for _ in 0..12 {
        let event = stage.receive(Name::Standard, &bodies);
        consumer_of.handle(event, stage.now().plus_ms(60_000)).await;
        seconds(2).await;
    }
    stage.receive(Name::Standard, &bodies);
    let mut receives = 0;
    while stage.queues.depth(Name::Parked) < 2 {
        let event = stage.receive(Name::DeadLetter, &bodies);
        receives += u32::from(!event.records.is_empty());
        dead_letter.handle(event, stage.now().plus_ms(60_000)).await;
        seconds(2).await;
    }
    assert_eq!(receives, 12, "a dead letter is looked at though its count went on");
    let said = |event: &str| {
        let name = format!("\"event\":\"{event}\"");
        kept.lines().iter().filter(|line| line.contains(&name)).count()
    };
    assert_eq!((said("payment_parked"), said("message_triaged"), said("message_parked")), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_same_dead_message_twice_is_one_heal() {
    let stage = Stage::calm();
    let id = stage.stands(accepted(order()));
    let event = stage.batch(Name::DeadLetter, &[message_for(&stage, &stage.payment(&id))]);
    for _ in 0..3 {
        assert_eq!(stage.triage(event.clone()).await.batch_item_failures.len(), 0);
        assert_eq!(stage.payment(&id).heal.unwrap().times, 1);
        seconds(1).await;
    }
    // Two of them at the same time, written before that heal: the one that was put back does for both.
    let body = Message::new(id.clone(), stage.payment(&id).order.merchant, stage.now().minus_ms(60_000)).to_body();
    assert_eq!(fate(&stage, body).await, Fate::Dropped);
    assert_eq!(stage.payment(&id).heal.unwrap().times, 1);
}

/// A dead letter that is delivered twice is healed twice, and the first delivery deletes it: what that one has put back is
/// then the only message whose sending is sure.
#[tokio::test(start_paused = true)]
async fn what_a_heal_put_back_is_healed_in_its_turn_though_the_heal_was_done_again() {
    let stage = Stage::calm();
    let id = stage.stands(accepted(order()));
    let event = stage.batch(Name::DeadLetter, &[message_for(&stage, &stage.payment(&id))]);
    stage.triage(event.clone()).await;
    let put_back = Message::new(id.clone(), stage.payment(&id).order.merchant, stage.now()).to_body();
    seconds(1).await;
    stage.triage(event).await;
    assert_eq!(fate(&stage, put_back).await, Fate::Healed);
}

#[tokio::test(start_paused = true)]
async fn a_heal_whose_send_fails_is_done_again_by_the_same_message() {
    let stage = Stage::new(Faults { queue_refuses: 1.0, ..Faults::none() });
    let id = stage.stands(accepted(order()));
    let event = stage.batch(Name::DeadLetter, &[message_for(&stage, &stage.payment(&id))]);
    assert_eq!(failed(&event, &stage.triage(event.clone()).await), [0]);
    assert_eq!(stage.queues.depth(Name::Standard), 0);
    stage.world.calm();
    assert_eq!(stage.triage(event).await.batch_item_failures.len(), 0);
    assert_eq!((stage.queues.depth(Name::Standard), stage.payment(&id).heal.unwrap().times), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn at_the_heals_bound_the_message_is_dropped_and_nothing_is_parked() {
    let stage = Stage::calm();
    let mut payment = accepted(order());
    // Healed a while ago, and not so long that its message has merely waited in the lane.
    let at = stage.now().minus_ms(HEAL_WAITED_MS - 60_000);
    payment.heal = Some(payments::payment::Heal { at, message_id: Some("m".to_owned()), times: 100 });
    stage.table.set(payment.clone());
    assert_eq!(fate(&stage, message_for(&stage, &payment)).await, Fate::Dropped);
    assert_eq!(stage.payment(&payment.id), payment);
}

#[tokio::test(start_paused = true)]
async fn what_waits_comes_back_when_it_is_due() {
    let stage = Stage::calm();
    let mut payment = in_state(State::Unknown);
    payment.due_at = Some(stage.now().plus_ms(40_000));
    let id = stage.stands(payment);
    assert_eq!(fate(&stage, message_for(&stage, &stage.payment(&id))).await, Fate::Healed);
    let lane = Name::from(stage.payment(&id).order.lane);
    seconds(38).await;
    assert_eq!(stage.queues.receive(lane, 10).len(), 0);
    seconds(3).await;
    assert_eq!(stage.queues.receive(lane, 10).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_move_by_a_person_takes_up_a_parked_payment() {
    for (ever_sent, state) in [(false, State::Queued), (true, State::Unknown)] {
        let stage = Stage::calm();
        seconds(3_600).await;
        let payment = parked(&stage, ever_sent, stage.now().minus_ms(300_000));
        // Written before it was parked, and in the queue only now.
        let written_at = stage.now().minus_ms(600_000);
        let body = Message::new(payment.id.clone(), payment.order.merchant.clone(), written_at).to_body();
        assert_eq!(fate(&stage, body.clone()).await, Fate::Healed);
        let after = stage.payment(&payment.id);
        assert_eq!((after.state, after.reason, after.attempts_left), (state, Reason::Replayed, 1));
        // Moved again, it changes nothing more.
        assert_eq!(fate(&stage, body).await, Fate::Dropped);
        let again = stage.payment(&payment.id);
        assert_eq!((again.state, again.attempts_left, again.version), (after.state, 1, after.version));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_duplicate_leaves_a_parked_payment_parked() {
    let stage = Stage::calm();
    seconds(3_600).await;
    for (what, parked_ago_ms, written_ago_ms) in [
        ("in the queue since before it was parked", 0, 600_000),
        ("written a moment ago, long after it was parked", 300_000, 1_000),
        ("written just under two minutes ago", 300_000, 120_000),
    ] {
        let payment = parked(&stage, true, stage.now().minus_ms(parked_ago_ms));
        let written_at = stage.now().minus_ms(written_ago_ms);
        let body = Message::new(payment.id.clone(), payment.order.merchant.clone(), written_at).to_body();
        assert_eq!(fate(&stage, body).await, Fate::Kept, "{what}");
        assert_eq!(stage.payment(&payment.id), payment, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_decides_nothing() {
    let stage = Stage::new(Faults { throttle: 1.0, ..Faults::none() });
    for &state in State::ALL {
        let id = stage.stands(in_state(state));
        let before = stage.payment(&id);
        assert_eq!(fate(&stage, message_for(&stage, &before)).await, Fate::Kept, "{state:?}");
        assert_eq!(stage.payment(&id), before);
    }
}

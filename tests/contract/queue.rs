//! The contract of `Queue`, and of what SQS does to messages on its own.

use std::future::Future;

use payments::message::Message;
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::{Queue, Source};

use super::samples::message;

/// A place where a message can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A lane's queue.
    Lane(Lane),
    /// The dead-letter queue.
    DeadLetter,
    /// In front of people.
    Parked,
}

/// A message as a receiver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// SQS's id.
    pub message_id: String,
    /// To delete or hide it.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// The `MessageGroupId`, if it has one.
    pub group: Option<String>,
    /// The `SentTimestamp`.
    pub sent_timestamp: Timestamp,
    /// The `ApproximateReceiveCount`: in this queue, or, after a redrive, since it was sent.
    pub receive_count: u32,
}

/// What the suite needs besides the port: the other side of the queues. They start empty, hide what was received for
/// [`VISIBILITY_SECONDS`], and redrive after [`RECEIVES_MAX`] receives from a lane to the DLQ, and after
/// [`DEAD_LETTER_RECEIVES_MAX`] from there to parked.
pub trait Inspect {
    /// Receives up to ten messages without waiting.
    fn receive(&self, place: Place) -> impl Future<Output = Vec<Received>>;
    /// Deletes a received message.
    fn delete(&self, place: Place, receipt_handle: &str) -> impl Future<Output = ()>;
    /// Moves what is visible, as `StartMessageMoveTask` does; to where each message came from when `to` is `None`.
    fn move_all(&self, from: Place, to: Option<Place>) -> impl Future<Output = usize>;
    /// Lets time pass.
    fn wait_ms(&self, ms: u64) -> impl Future<Output = ()>;
    /// The ARN that an event from this place would name.
    fn arn(&self, place: Place) -> String;
}

/// How long every queue hides what was received.
pub const VISIBILITY_SECONDS: u32 = 1;
/// How often a message is received before it is redriven.
pub const RECEIVES_MAX: u32 = 2;
/// The same of the DLQ: the lane's, because the count may go on from there, and as many again.
pub const DEAD_LETTER_RECEIVES_MAX: u32 = 2 * RECEIVES_MAX;

const STANDARD: Place = Place::Lane(Lane::Standard);
const HIGH: Place = Place::Lane(Lane::High);

/// Every promise of the queues.
pub async fn queue_contract<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    an_arn_names_its_queue(queue, inspect);
    what_is_sent_is_received(queue, inspect).await;
    a_delay_is_kept(queue, inspect).await;
    what_is_hidden_comes_back_in_time(queue, inspect).await;
    a_delay_that_is_too_long_is_refused(queue, inspect).await;
    hiding_for_too_long_is_refused(queue, inspect).await;
    the_longest_time_counts_from_the_receive(queue, inspect).await;
    hiding_by_another_handle_is_refused(queue, inspect).await;
    hiding_what_nobody_holds_is_refused(queue, inspect).await;
    // A redrive comes before each move.
    a_move_is_a_new_send(queue, inspect).await;
}

pub(super) fn an_arn_names_its_queue<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    assert_eq!(queue.source_of(&inspect.arn(STANDARD)), Some(Source::Lane(Lane::Standard)));
    assert_eq!(queue.source_of(&inspect.arn(HIGH)), Some(Source::Lane(Lane::High)));
    assert_eq!(queue.source_of(&inspect.arn(Place::DeadLetter)), Some(Source::DeadLetter));
    for foreign in ["", "arn:aws:sqs:eu-central-1:123456789012:", "arn:aws:sqs:eu-central-1:123456789012:other"] {
        assert_eq!(queue.source_of(foreign), None, "{foreign:?}");
    }
}

pub(super) async fn what_is_sent_is_received<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    for (lane, place, other) in [(Lane::Standard, STANDARD, HIGH), (Lane::High, HIGH, STANDARD)] {
        let sent = message();
        queue.send(lane, &sent, 0).await.unwrap();
        assert_eq!(inspect.receive(other).await, [], "lanes are apart");
        let received = only(inspect.receive(place).await);
        assert_eq!(Message::parse(&received.body), Ok(sent.clone()));
        assert_eq!(received.group.as_deref(), Some(sent.merchant.as_str()));
        assert_eq!(received.receive_count, 1);
        assert_eq!(inspect.receive(place).await, [], "hidden while somebody has it");
        inspect.delete(place, &received.receipt_handle).await;
    }
    inspect.wait_ms(u64::from(VISIBILITY_SECONDS) * 1_000 + 100).await;
    assert_eq!(inspect.receive(STANDARD).await, [], "deleted is gone");
}

pub(super) async fn a_delay_is_kept<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    queue.send(Lane::Standard, &message(), 1).await.unwrap();
    assert_eq!(inspect.receive(STANDARD).await, []);
    inspect.wait_ms(1_100).await;
    let received = only(inspect.receive(STANDARD).await);
    inspect.delete(STANDARD, &received.receipt_handle).await;
}

pub(super) async fn what_is_hidden_comes_back_in_time<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    let source = Source::Lane(Lane::Standard);
    queue.send(Lane::Standard, &message(), 0).await.unwrap();
    let first = only(inspect.receive(STANDARD).await);
    queue.hide(source, &first.receipt_handle, 0).await.unwrap();
    let second = only(inspect.receive(STANDARD).await);
    assert_eq!((&second.message_id, second.receive_count), (&first.message_id, 2));
    queue.hide(source, &second.receipt_handle, 2).await.unwrap();
    inspect.wait_ms(1_200).await;
    assert_eq!(inspect.receive(STANDARD).await, [], "hidden for longer than the queue's own time");
    inspect.delete(STANDARD, &second.receipt_handle).await;
}

pub(super) async fn a_delay_that_is_too_long_is_refused<Q: Queue, I: Inspect>(queue: &Q, _: &I) {
    assert!(queue.send(Lane::Standard, &message(), 901).await.is_err(), "SQS delays 900 s at most");
}

pub(super) async fn hiding_for_too_long_is_refused<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    let received = sent_and_received(queue, inspect).await;
    let hidden = queue.hide(Source::Lane(Lane::Standard), &received.receipt_handle, 43_201).await;
    assert!(hidden.is_err(), "SQS hides 12 h at most");
    inspect.delete(STANDARD, &received.receipt_handle).await;
}

pub(super) async fn the_longest_time_counts_from_the_receive<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    let source = Source::Lane(Lane::Standard);
    let received = sent_and_received(queue, inspect).await;
    queue.hide(source, &received.receipt_handle, 10).await.unwrap();
    inspect.wait_ms(1_100).await;
    let hidden = queue.hide(source, &received.receipt_handle, 43_199).await;
    assert!(hidden.is_err(), "over a second of the 12 h has gone by");
    queue.hide(source, &received.receipt_handle, 43_190).await.unwrap();
    inspect.delete(STANDARD, &received.receipt_handle).await;
}

pub(super) async fn hiding_by_another_handle_is_refused<Q: Queue, I: Inspect>(queue: &Q, _: &I) {
    assert!(queue.hide(Source::Lane(Lane::Standard), "no receipt handle", 10).await.is_err());
}

pub(super) async fn hiding_what_nobody_holds_is_refused<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    let received = sent_and_received(queue, inspect).await;
    inspect.wait_ms(u64::from(VISIBILITY_SECONDS) * 1_000 + 100).await;
    let late = queue.hide(Source::Lane(Lane::Standard), &received.receipt_handle, 10).await;
    assert!(late.is_err(), "nobody holds it any more");
    let received = only(inspect.receive(STANDARD).await);
    inspect.delete(STANDARD, &received.receipt_handle).await;
}

async fn sent_and_received<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) -> Received {
    queue.send(Lane::Standard, &message(), 0).await.unwrap();
    only(inspect.receive(STANDARD).await)
}

/// Leaves the message in the `parked` queue.
pub(super) async fn a_redrive_keeps_the_time_of_sending<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) -> Received {
    queue.send(Lane::High, &message(), 0).await.unwrap();
    let first = received_often(queue, inspect, HIGH).await;
    assert_eq!(inspect.receive(HIGH).await, [], "received too often");
    let dead = received_often(queue, inspect, Place::DeadLetter).await;
    assert_eq!((&dead.message_id, dead.sent_timestamp), (&first.message_id, first.sent_timestamp));
    assert_eq!(inspect.receive(Place::DeadLetter).await, [], "the DLQ has a redrive policy of its own");
    first
}

pub(super) async fn a_move_is_a_new_send<Q: Queue, I: Inspect>(queue: &Q, inspect: &I) {
    let first = a_redrive_keeps_the_time_of_sending(queue, inspect).await;
    inspect.wait_ms(20).await;
    assert_eq!(inspect.move_all(Place::Parked, None).await, 1);
    assert_eq!(inspect.receive(Place::Parked).await, []);
    let replayed = only(inspect.receive(Place::DeadLetter).await);
    assert_eq!(replayed.body, first.body);
    assert_eq!(replayed.group, first.group);
    assert_ne!(replayed.message_id, first.message_id);
    assert!(replayed.sent_timestamp > first.sent_timestamp, "a move is a new send");
    assert_eq!(replayed.receive_count, 1);

    queue.hide(Source::DeadLetter, &replayed.receipt_handle, 0).await.unwrap();
    assert_eq!(inspect.move_all(Place::DeadLetter, Some(STANDARD)).await, 1);
    let back = only(inspect.receive(STANDARD).await);
    assert_eq!(back.body, first.body);
    inspect.delete(STANDARD, &back.receipt_handle).await;
}

/// Receives a message as often as its queue allows, and gives it back each time. In the DLQ the count may begin anew or go
/// on: AWS's pages do not say which, so neither is promised, and what is allowed there has to be enough for both.
async fn received_often<Q: Queue, I: Inspect>(queue: &Q, inspect: &I, place: Place) -> Received {
    let (source, most, may_begin_with) = match place {
        Place::Lane(lane) => (Source::Lane(lane), RECEIVES_MAX, [1, 1]),
        Place::DeadLetter => (Source::DeadLetter, DEAD_LETTER_RECEIVES_MAX, [1, RECEIVES_MAX + 1]),
        Place::Parked => panic!("nothing is redriven from where people look"),
    };
    let mut last = only(inspect.receive(place).await);
    assert!(may_begin_with.contains(&last.receive_count), "{place:?} begins with {}", last.receive_count);
    loop {
        queue.hide(source, &last.receipt_handle, 0).await.unwrap();
        if last.receive_count == most {
            return last;
        }
        let next = only(inspect.receive(place).await);
        assert_eq!(next.receive_count, last.receive_count + 1, "{place:?}");
        last = next;
    }
}

#[track_caller]
fn only(mut received: Vec<Received>) -> Received {
    assert_eq!(received.len(), 1, "{received:?}");
    received.remove(0)
}

//! What every function behind a queue does with a batch: read its records, judge each by itself, and always answer
//! with an explicit list of those that are to come again.
//!
//! "An empty or null response, or a null list, deletes the whole batch" ("Handling errors for an SQS event source in
//! Lambda"), so the list is built from verdicts, and a record without a verdict counts as failed.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use payments::time::Timestamp;
use ports::{EventName, Queue, Source, StoreError};
use tracing::warn;

/// Longest time for which a message is hidden, in seconds. SQS counts its 12 hours from the receive ("Amazon SQS visibility
/// timeout"): a mapping may have waited for 5 minutes to fill its batch, and the invocation may have run for 15 ("Lambda
/// quotas").
pub const HIDE_SECONDS_MAX: u64 = 43_200 - 300 - 900;

/// A message as its function sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The message's id, by which it is named when it fails.
    pub message_id: String,
    /// What hides it.
    pub receipt_handle: String,
    /// The queue that it came from; `None` when it is not one of ours.
    pub source: Option<Source>,
    /// What it says.
    pub body: String,
    /// When it was sent: kept by a redrive, new after a move.
    pub sent_timestamp: Timestamp,
    /// Whether it was received before. What says nothing about it counts as received for the first time.
    pub came_before: bool,
}

impl Record {
    fn of<Q: Queue>(message: SqsMessage, queue: &Q) -> Self {
        // A message without its time of sending counts as old: it is never taken for a replay.
        let sent_ms = message.attributes.get("SentTimestamp").and_then(|text| text.parse().ok()).unwrap_or(0);
        let receives = message.attributes.get("ApproximateReceiveCount").and_then(|text| text.parse().ok());
        Self {
            came_before: receives.is_some_and(|receives: u32| receives > 1),
            sent_timestamp: Timestamp::from_ms(sent_ms),
            source: message.event_source_arn.as_deref().and_then(|arn| queue.source_of(arn)),
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }

    /// Whether it was sent less than this long ago, in ms: what it names, an item or newer code, may be on its way.
    pub fn is_younger_than(&self, grace_ms: u64, now: Timestamp) -> bool {
        now.since_ms(self.sent_timestamp) < grace_ms
    }
}

/// The records of a batch.
pub fn records<Q: Queue>(event: SqsEvent, queue: &Q) -> Vec<Record> {
    event.records.into_iter().map(|message| Record::of(message, queue)).collect()
}

/// What is to become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What made it needless is durable: it may be deleted.
    Done,
    /// It is to come again, not before this time is over.
    Again {
        /// Seconds from now.
        seconds: u32,
    },
    /// It is not for this queue: it goes on to where its redrive policy leads, soon.
    PassOn,
}

/// How long a message that goes on is hidden between its receives, in seconds: it has to be received as often as its
/// redrive policy says, and nobody waits for it in between.
const PASS_ON_SECONDS: u32 = 1;

impl Verdict {
    /// Of a message whose table or queue gave no answer: it comes again after this time. One whose item cannot be read goes on
    /// to people, because no time mends that.
    pub const fn port_down(error: &StoreError, seconds: u32) -> Self {
        match error {
            StoreError::Refused(_) | StoreError::Unresolved(_) => Self::Again { seconds },
            StoreError::Corrupt(_) => Self::PassOn,
        }
    }

    /// To come again at `at`, as well as SQS can do it: in whole seconds, rounded up, at least one.
    pub fn again_at(at: Timestamp, now: Timestamp) -> Self {
        let seconds = at.since_ms(now).div_ceil(1_000).clamp(1, HIDE_SECONDS_MAX);
        Self::Again { seconds: u32::try_from(seconds).unwrap_or(1) }
    }
}

/// Carries a verdict out. Returns the message's id if it is to be reported as failed.
pub async fn conclude<Q: Queue>(queue: &Q, record: &Record, verdict: Verdict) -> Option<String> {
    let seconds = match verdict {
        Verdict::Done => return None,
        Verdict::Again { seconds } => seconds,
        Verdict::PassOn => PASS_ON_SECONDS,
    };
    // "ChangeMessageVisibility" holds although the message is reported as failed afterwards. Where it fails, the
    // queue's own visibility timeout brings the message back, only later.
    if let Some(source) = record.source
        && let Err(error) = queue.hide(source, &record.receipt_handle, seconds).await
    {
        warn!(event = EventName::MessageHideFailed.as_str(), message_id = record.message_id, %error);
    }
    Some(record.message_id.clone())
}

/// The answer to a batch: what came again, and nothing else, in an explicit list.
pub fn response(failed: impl IntoIterator<Item = String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message_id in failed {
        response.add_failure(message_id);
    }
    response
}

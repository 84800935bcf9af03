//! An event source mapping of a sale, in standard mode: it begins with five batches at a time and grows by 300 a minute
//! up to its MaximumConcurrency ("Configuring scaling behavior for SQS event source mappings").

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use payments::payment::Lane;

use crate::sale::queue::Letter;
use crate::sale::world::{Services, arn, lane_index, receipt};
use crate::world::lock;

/// Batches at a time at first.
pub(super) const BEGINS_WITH: u64 = 5;
/// More of them each second.
pub(super) const GROWS_BY_PER_SECOND: u64 = 5;
/// How long a batch gathers at most.
const WINDOW: Duration = Duration::from_secs(1);
/// Between two receives of a batch that gathers.
const GATHERS_EVERY: Duration = Duration::from_millis(100);
/// How long a poll of an empty lane waits before the next.
const LONG_POLL: Duration = Duration::from_secs(1);

/// When this one of a mapping's batches may begin, in microseconds after the first message.
pub(super) const fn begins_us(index: u64) -> u64 {
    (index + 1).saturating_sub(BEGINS_WITH) * 1_000_000 / GROWS_BY_PER_SECOND
}

/// A message that was received, and what deletes it.
type Received = (u32, Letter);

/// Gathers a batch: full, or a second after its first message.
pub(super) async fn gather(services: &Services, lane: Lane, most: usize) -> Vec<Received> {
    let mut batch = Vec::new();
    let mut ends_us = u64::MAX;
    loop {
        let now_us = services.place.elapsed_us();
        let next_us = {
            let mut lane = lock(&services.lanes[lane_index(lane)]);
            lane.receive(most, now_us, &mut batch);
            lane.next_again_us()
        };
        if batch.is_empty() {
            let again = next_us.map_or(LONG_POLL, |at_us| Duration::from_micros(at_us.saturating_sub(now_us)));
            // Whichever comes first; either leads to another look.
            let _ = tokio::time::timeout(again.min(LONG_POLL), services.sent[lane_index(lane)].notified()).await;
            continue;
        }
        if ends_us == u64::MAX {
            ends_us = now_us + u64::try_from(WINDOW.as_micros()).unwrap_or(0);
        }
        if batch.len() >= most || now_us >= ends_us {
            return batch;
        }
        tokio::time::sleep(GATHERS_EVERY).await;
    }
}

/// The batch as the function gets it.
pub(super) fn event(services: &Services, lane: Lane, batch: &[Received]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = batch
        .iter()
        .map(|&(place, letter)| {
            let mut message = SqsMessage::default();
            message.message_id = Some(letter.number.to_string());
            message.receipt_handle = Some(receipt(place, letter));
            message.body = Some(services.message(letter).to_body());
            message.event_source_arn = Some(arn(lane));
            message.attributes = [
                ("SentTimestamp".to_owned(), letter.sent_ms.to_string()),
                ("ApproximateReceiveCount".to_owned(), letter.receives.to_string()),
            ]
            .into();
            message
        })
        .collect();
    event
}

/// Deletes what the function's answer does not name.
pub(super) fn conclude(services: &Services, lane: Lane, batch: &[Received], response: SqsBatchResponse) {
    let failed: std::collections::HashSet<String> =
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    let mut queue = lock(&services.lanes[lane_index(lane)]);
    for &(place, letter) in batch {
        if !failed.contains(&letter.number.to_string()) {
            queue.delete(place, letter);
        }
    }
}

/// Runs one of a mapping's batches after the other.
pub(super) async fn run<F>(services: Arc<Services>, lane: Lane, index: u64, most: usize, mut invoke: F)
where
    F: AsyncFnMut(SqsEvent) -> Option<SqsBatchResponse>,
{
    services.place.until_us(begins_us(index)).await;
    loop {
        let batch = gather(&services, lane, most).await;
        if let Some(response) = invoke(event(&services, lane, &batch)).await {
            conclude(&services, lane, &batch, response);
        }
    }
}

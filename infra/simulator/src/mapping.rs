//! Event source mappings in virtual time: they receive, invoke and delete by the answer, as AWS documents it
//! ("Using Lambda with Amazon SQS", "Handling errors for an SQS event source in Lambda").

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use payments::time::Timestamp;
use tokio::sync::Semaphore;

use crate::memory::queue::{Name, Queues, Stored};
use crate::world::World;

/// A mapping's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    /// Messages a batch.
    pub batch_size: usize,
    /// Invocations at once.
    pub maximum_concurrency: usize,
    /// The function's time-out.
    pub function_timeout_ms: u64,
}

/// Told before each deletion, so that I4 can be checked.
pub trait Deletions: Send + Sync {
    /// A message is about to be deleted.
    fn deleting(&self, name: Name, message: &Stored);
}

/// Runs one mapping for ever. `invoke` returns `None` when the environment died.
pub async fn run<I, F>(
    world: Arc<World>,
    queues: Arc<Queues>,
    name: Name,
    numbers: Numbers,
    deletions: Arc<dyn Deletions>,
    invoke: I,
) where
    I: Fn(SqsEvent, u64) -> F + Clone + Send + 'static,
    F: Future<Output = Option<SqsBatchResponse>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(numbers.maximum_concurrency));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        queues.ready(name).await;
        let received = queues.receive(name, numbers.batch_size);
        // Somebody else was quicker, or all of it was received too often and is redriven: nothing to invoke for.
        if received.is_empty() {
            continue;
        }
        // At least once: now and then the same messages reach a second invocation at the same time.
        let copies = if world.fails(world.faults.duplicate) { 2 } else { 1 };
        let mut permit = Some(permit);
        for _ in 0..copies {
            let event = event(name, &received);
            let (queues, deletions) = (Arc::clone(&queues), Arc::clone(&deletions));
            let (invoke, received, permit) = (invoke.clone(), received.clone(), permit.take());
            tokio::spawn(async move {
                let within = Duration::from_millis(numbers.function_timeout_ms);
                let answered = tokio::time::timeout(within, invoke(event, numbers.function_timeout_ms));
                // Dead or overrun: nothing is deleted, everything comes again.
                if let Ok(Some(response)) = answered.await {
                    let failed: Vec<String> =
                        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
                    for message in received.iter().filter(|m| !failed.contains(&m.message_id)) {
                        deletions.deleting(name, message);
                        queues.delete(name, &message.receipt_handle);
                    }
                }
                drop(permit);
            });
        }
    }
}

fn event(name: Name, received: &[Stored]) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = received
        .iter()
        .map(|stored| {
            let mut message = SqsMessage::default();
            message.message_id = Some(stored.message_id.clone());
            message.receipt_handle = Some(stored.receipt_handle.clone());
            message.body = Some(stored.body.clone());
            message.event_source_arn = Some(name.arn());
            message.attributes = [
                ("SentTimestamp".to_owned(), milliseconds(stored.sent_timestamp)),
                ("ApproximateReceiveCount".to_owned(), stored.receive_count.to_string()),
            ]
            .into();
            message
        })
        .collect();
    event
}

fn milliseconds(at: Timestamp) -> String {
    at.ms().to_string()
}

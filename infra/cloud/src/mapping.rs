//! An event source mapping: polls one queue, invokes a function with batches, deletes what the function finished.
//!
//! It behaves as AWS documents it in "Using Lambda with Amazon SQS", "Handling errors for an SQS event source in
//! Lambda" and "Configuring scaling behavior for SQS event source mappings". It polls with one receiver, because here
//! one is fast enough; AWS runs several. What is left to a message's visibility is left to it: a failed message is not
//! touched, so that what the handler set with `ChangeMessageVisibility` holds.
//!
//! Kinder than AWS it is in one thing: the list of failures is read without `FunctionResponseTypes`, without which Lambda deletes
//! the whole batch. That each mapping has it is the template's to say (`tests/layout/template.rs`).

mod response;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use payments::time::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::runtime_api::Function;
pub use response::{Judgement, judge};

/// Most messages that one `ReceiveMessage` or `DeleteMessageBatch` takes ("Amazon SQS message quotas").
const MESSAGES_A_CALL_MAX: usize = 10;
/// Longest long poll ("Amazon SQS short and long polling").
const LONG_POLL_SECONDS: i32 = 20;
/// How long a poller pauses after a failed poll, in ms.
const PAUSE_AFTER_FAILED_POLL_MS: u64 = 200;
/// How often a failed deletion is tried; what then remains is delivered again, as everywhere in SQS.
const DELETE_TRIES: u32 = 3;

/// A mapping's settings, by the names of the developer guide.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For progress and errors.
    pub name: &'static str,
    /// `BatchSize`.
    pub batch_size: usize,
    /// `MaximumBatchingWindow`, from a batch's first message on.
    pub window_ms: u64,
    /// `MaximumConcurrency`: invocations side by side, 2 at least.
    pub maximum_concurrency: u32,
    /// The function's time-out.
    pub function_timeout_ms: u64,
    /// Share of the messages that are delivered twice, to two invocations side by side: SQS delivers at least once.
    pub duplicate_share: f64,
    /// Decides which.
    pub seed: u64,
}

/// The queue to poll.
#[derive(Clone, Debug)]
pub struct QueueAddress {
    /// Where to poll.
    pub url: String,
    /// What the event says.
    pub arn: String,
    /// What the event says.
    pub region: String,
}

/// What a mapping has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages received.
    pub received: AtomicU64,
    /// Messages that were delivered twice on purpose.
    pub duplicated: AtomicU64,
    /// Invocations begun.
    pub invocations: AtomicU64,
    /// Invocations running now.
    pub running: AtomicU64,
    /// Messages deleted.
    pub deleted: AtomicU64,
    /// Messages reported as failed, to come again.
    pub kept: AtomicU64,
    /// Batches that failed as a whole.
    pub failed_batches: AtomicU64,
    /// Polls and deletions that the queue did not answer.
    pub queue_errors: AtomicU64,
}

/// A mapping at work.
pub struct Mapping {
    stop: watch::Sender<bool>,
    poller: JoinHandle<()>,
    counts: Arc<Counts>,
}

impl Mapping {
    /// Begins to poll, and to invoke `handler` with each batch and the invocation's deadline. A handler answers with
    /// its response, or with `None` for null.
    pub fn start<H, F>(client: Client, queue: QueueAddress, settings: Settings, handler: H) -> Self
    where
        H: Fn(SqsEvent, Timestamp) -> F + Send + Sync + 'static,
        F: Future<Output = Option<SqsBatchResponse>> + Send + 'static,
    {
        Self::begin(client, queue, settings, move |event, deadline| {
            let answer = handler(event, deadline);
            async move { serde_json::to_value(answer.await).ok() }
        })
    }

    /// Begins to poll, and to invoke a function's real binary with each batch. Its time-out is the function's own.
    pub fn to_function(client: Client, queue: QueueAddress, settings: Settings, function: Function) -> Self {
        Self::begin(client, queue, settings, move |event, _| {
            let function = function.clone();
            async move { function.invoke(&event).await.ok() }
        })
    }

    /// A handler answers with its response, or with `None` when it failed.
    fn begin<H, F>(client: Client, queue: QueueAddress, settings: Settings, handler: H) -> Self
    where
        H: Fn(SqsEvent, Timestamp) -> F + Send + Sync + 'static,
        F: Future<Output = Option<Value>> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let concurrency = settings.maximum_concurrency.max(2);
        let poller = Poller {
            client,
            queue,
            handler: Arc::new(handler),
            counts: Arc::clone(&counts),
            slots: Arc::new(Semaphore::new(usize::try_from(concurrency).unwrap_or(2))),
            concurrency,
            random: fastrand::Rng::with_seed(settings.seed),
            settings,
        };
        Self { stop, poller: tokio::spawn(poller.run(stopped)), counts }
    }

    /// What it has done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Stops polling and waits for the invocations that run.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.poller.await;
    }
}

struct Poller<H> {
    client: Client,
    queue: QueueAddress,
    settings: Settings,
    handler: Arc<H>,
    counts: Arc<Counts>,
    slots: Arc<Semaphore>,
    concurrency: u32,
    random: fastrand::Rng,
}

impl<H, F> Poller<H>
where
    H: Fn(SqsEvent, Timestamp) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Value>> + Send + 'static,
{
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            let turn = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                turn = async {
                    let slot = self.slot().await?;
                    Some((slot, self.gather().await))
                } => turn,
            };
            let Some((slot, batch)) = turn else { break };
            if batch.is_empty() {
                continue;
            }
            add(&self.counts.received, batch.len());
            let share = self.settings.duplicate_share;
            let twice: Vec<_> = batch.iter().filter(|_| self.random.f64() < share).cloned().collect();
            add(&self.counts.duplicated, twice.len());
            if !twice.is_empty() {
                // Both have their room before either begins, so that they do run side by side.
                let Some(second) = self.slot().await else { break };
                self.invoke(twice, second);
            }
            self.invoke(batch, slot);
        }
        let _ = self.slots.acquire_many(self.concurrency).await;
    }

    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// A batch: everything until it is full or its window is over. The window opens with the first message.
    async fn gather(&self) -> Vec<Message> {
        let mut batch: Vec<Message> = Vec::new();
        let mut closes = None;
        while batch.len() < self.settings.batch_size {
            let left = closes.map(|closes: Instant| closes.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            // Inside the window short polls do: a long poll waits for whole seconds.
            let wait_seconds = if batch.is_empty() { LONG_POLL_SECONDS } else { 0 };
            let room = (self.settings.batch_size - batch.len()).min(MESSAGES_A_CALL_MAX);
            let received = self.receive(room, wait_seconds).await;
            let nothing = received.is_empty();
            batch.extend(received);
            if batch.is_empty() {
                break;
            }
            let closes = *closes.get_or_insert(Instant::now() + Duration::from_millis(self.settings.window_ms));
            if nothing {
                let pause = Duration::from_millis((self.settings.window_ms / 10).clamp(5, 100));
                tokio::time::sleep_until(closes.min(Instant::now() + pause)).await;
            }
        }
        batch
    }

    async fn receive(&self, room: usize, wait_seconds: i32) -> Vec<Message> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(i32::try_from(room).unwrap_or(10))
            .wait_time_seconds(wait_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await;
        if let Ok(answer) = answer {
            return answer.messages.unwrap_or_default();
        }
        add(&self.counts.queue_errors, 1);
        tokio::time::sleep(Duration::from_millis(PAUSE_AFTER_FAILED_POLL_MS)).await;
        Vec::new()
    }

    /// Runs one invocation on its own, and deletes what it finished.
    fn invoke(&self, batch: Vec<Message>, slot: OwnedSemaphorePermit) {
        let timeout = Duration::from_millis(self.settings.function_timeout_ms);
        let event = event(&batch, &self.queue);
        let handler = Arc::clone(&self.handler);
        let counts = Arc::clone(&self.counts);
        let client = self.client.clone();
        let url = self.queue.url.clone();
        tokio::spawn(async move {
            counts.invocations.fetch_add(1, Ordering::Relaxed);
            counts.running.fetch_add(1, Ordering::Relaxed);
            let deadline = now().plus_ms(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
            // In a task of its own, so that a panic is the invocation's and not ours. At its time-out the future is
            // dropped, as Lambda ends an environment.
            let invocation = tokio::spawn(async move { tokio::time::timeout(timeout, handler(event, deadline)).await });
            let response = match invocation.await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) | Err(_) => None,
            };
            settle(&client, &url, &batch, response.as_ref(), &counts).await;
            counts.running.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
}

async fn settle(client: &Client, url: &str, batch: &[Message], response: Option<&Value>, counts: &Counts) {
    let ids: BTreeSet<String> = batch.iter().filter_map(|message| message.message_id.clone()).collect();
    let failed = match judge(response, &ids) {
        Judgement::DeleteAllBut(failed) => failed,
        Judgement::KeepAll(_) => {
            counts.failed_batches.fetch_add(1, Ordering::Relaxed);
            ids
        }
    };
    add(&counts.kept, failed.len());
    let done: Vec<&Message> =
        batch.iter().filter(|message| !failed.contains(message.message_id().unwrap_or_default())).collect();
    for chunk in done.chunks(MESSAGES_A_CALL_MAX) {
        delete(client, url, chunk, counts).await;
    }
}

async fn delete(client: &Client, url: &str, messages: &[&Message], counts: &Counts) {
    let entries: Vec<_> = messages
        .iter()
        .enumerate()
        .filter_map(|(index, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(message.receipt_handle()?)
                .build()
                .ok()
        })
        .collect();
    for _ in 0..DELETE_TRIES {
        let request = client.delete_message_batch().queue_url(url).set_entries(Some(entries.clone()));
        if let Ok(answer) = request.send().await {
            add(&counts.deleted, answer.successful.len());
            return;
        }
        counts.queue_errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// The event as the developer guide shows it ("Example Amazon SQS message event").
fn event(batch: &[Message], queue: &QueueAddress) -> SqsEvent {
    let records: Vec<Value> = batch.iter().map(|message| record(message, queue)).collect();
    // What is sent to Lambda is JSON; reading it back is what its runtime does.
    serde_json::from_value(json!({ "Records": records })).unwrap_or_default()
}

fn record(message: &Message, queue: &QueueAddress) -> Value {
    let attributes: BTreeMap<&str, &String> =
        message.attributes.iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    let message_attributes: BTreeMap<&String, Value> = message
        .message_attributes
        .iter()
        .flatten()
        .map(|(name, value)| (name, json!({ "stringValue": value.string_value, "dataType": value.data_type })))
        .collect();
    json!({
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "md5OfBody": message.md5_of_body,
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": queue.region,
    })
}

fn now() -> Timestamp {
    let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_us(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[cfg(test)]
#[path = "mapping/tests.rs"]
mod tests;

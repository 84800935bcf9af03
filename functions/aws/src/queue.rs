//! SQS behind the core's `Queue`.

use aws_sdk_sqs::Client;
use payments::message::Message;
use payments::payment::Lane;
use ports::{PortError, Queue, Source};

use crate::verdict::port_error;

/// Longest delay of a message, in seconds ("Amazon SQS delay queues").
const DELAY_SECONDS_MAX: u32 = 900;
/// Longest time that a message can be hidden, from its receive on, in seconds ("Amazon SQS visibility timeout").
const HIDE_SECONDS_MAX: u32 = 43_200;

/// Where the queues are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrls {
    /// The `high` lane's.
    pub high: String,
    /// The `standard` lane's.
    pub standard: String,
    /// The dead-letter queue's, for a function that is fed by it.
    pub dead_letter: Option<String>,
}

/// The lanes' queues and the dead-letter queue.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    pub(crate) client: Client,
    urls: QueueUrls,
}

impl SqsQueue {
    /// These queues.
    pub fn new(client: Client, urls: QueueUrls) -> Self {
        Self { client, urls }
    }

    pub(crate) fn lane_url(&self, lane: Lane) -> &str {
        match lane {
            Lane::High => &self.urls.high,
            Lane::Standard => &self.urls.standard,
        }
    }

    fn url(&self, source: Source) -> Result<&str, PortError> {
        match source {
            Source::Lane(lane) => Ok(self.lane_url(lane)),
            Source::DeadLetter => self.urls.dead_letter.as_deref().ok_or_else(|| {
                PortError::denied("this function was given no dead-letter queue: set DEAD_LETTER_QUEUE_URL")
            }),
        }
    }
}

impl Queue for SqsQueue {
    /// The merchant is the message's group, so that one merchant's backlog is its own ("Amazon SQS fair queues").
    async fn send(&self, lane: Lane, message: &Message, delay_seconds: u32) -> Result<(), PortError> {
        let delay_seconds = seconds("a delay", delay_seconds, DELAY_SECONDS_MAX)?;
        self.client
            .send_message()
            .queue_url(self.lane_url(lane))
            .message_group_id(message.merchant.as_str())
            .delay_seconds(delay_seconds)
            .message_body(message.to_body())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| port_error("SendMessage", &error))
    }

    /// By the queue's name, which both an ARN and a URL end in.
    fn source_of(&self, event_source_arn: &str) -> Option<Source> {
        let name = last_part(event_source_arn, ':')?;
        [
            (Some(&self.urls.high), Source::Lane(Lane::High)),
            (Some(&self.urls.standard), Source::Lane(Lane::Standard)),
            (self.urls.dead_letter.as_ref(), Source::DeadLetter),
        ]
        .into_iter()
        .find(|(url, _)| url.is_some_and(|url| last_part(url, '/') == Some(name)))
        .map(|(_, source)| source)
    }

    async fn hide(&self, source: Source, receipt_handle: &str, seconds_from_now: u32) -> Result<(), PortError> {
        let visibility_seconds = seconds("a visibility timeout", seconds_from_now, HIDE_SECONDS_MAX)?;
        self.client
            .change_message_visibility()
            .queue_url(self.url(source)?)
            .receipt_handle(receipt_handle)
            .visibility_timeout(visibility_seconds)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| port_error("ChangeMessageVisibility", &error))
    }
}

fn seconds(what: &str, seconds: u32, max: u32) -> Result<i32, PortError> {
    i32::try_from(seconds)
        .ok()
        .filter(|_| seconds <= max)
        .ok_or_else(|| PortError::denied(format!("{what} is at most {max} s; {seconds} s were asked for")))
}

fn last_part(text: &str, separator: char) -> Option<&str> {
    text.rsplit(separator).next().filter(|part| !part.is_empty())
}

//! SQS, with what `winterbaume-sqs` 0.2.0 does not check or show. What it gets wrong inside is in `queues`.
//! - A delay over 900 s, a visibility timeout over 43,200 s and more than 10 messages a receive are taken;
//! - so are an empty body, one over 1 MiB, and a group of other characters than SQS takes;
//! - a queue may lead to a dead-letter queue that is not there;
//! - a receive with `VisibilityTimeout` 0 hides the message for the queue's own time;
//! - the visibility of a message that nobody holds can be changed (`MessageNotInflight`);
//! - `MessageGroupId` is not shown, and the other attributes also to whoever did not ask for them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use winterbaume_core::{MockRequest, MockResponse, MockService};
use winterbaume_sqs::SqsService;

use super::connector::failure;
use super::queues::Backend;

/// Longest time that a message is hidden, from its receive on, in seconds.
const VISIBILITY_SECONDS_MAX: u64 = 43_200;

/// The queues.
pub(super) struct Messages {
    service: SqsService,
    backend: Arc<Backend>,
}

impl Messages {
    pub(super) fn new() -> Self {
        let backend = Arc::new(Backend::default());
        let shared: Arc<dyn winterbaume_sqs::SqsBackend> = backend.clone();
        Self { service: SqsService::with_backend(shared), backend }
    }

    pub(super) fn move_all(&self, from: &str, to: Option<&str>) -> Result<usize, String> {
        self.backend.move_all(name_of(from), to.map(name_of)).map_err(|error| error.to_string())
    }

    pub(super) async fn answer(&self, operation: &str, request: MockRequest) -> MockResponse {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match operation {
            "CreateQueue" | "SetQueueAttributes" => match self.leads_nowhere(&body) {
                None => self.service.handle(request).await,
                Some(refusal) => refusal,
            },
            "SendMessage" => match beyond(&body, "DelaySeconds", 0, 900).or_else(|| not_sendable(&body)) {
                None => self.service.handle(request).await,
                Some(refusal) => refusal,
            },
            "ChangeMessageVisibility" => self.change_visibility(request, &body).await,
            "ReceiveMessage" => self.receive(request, &body).await,
            _ => self.service.handle(request).await,
        }
    }

    /// The refusal of a redrive policy without a queue at its end, or with a count beyond 1 to 1,000
    /// ("`SetQueueAttributes`").
    fn leads_nowhere(&self, body: &Value) -> Option<MockResponse> {
        let policy = body.get("Attributes")?.get("RedrivePolicy")?.as_str()?;
        let policy: Value = serde_json::from_str(policy).unwrap_or_default();
        let target = name_of(text(&policy, "deadLetterTargetArn"));
        let count = policy.get("maxReceiveCount").and_then(Value::as_u64);
        let reason = if !self.backend.exists(target) {
            "Dead letter target does not exist."
        } else if !count.is_some_and(|count| (1..=1_000).contains(&count)) {
            "maxReceiveCount must be 1 to 1000."
        } else {
            return None;
        };
        let message = format!("Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}");
        Some(failure(400, "InvalidParameterValue", &message))
    }

    async fn change_visibility(&self, request: MockRequest, body: &Value) -> MockResponse {
        if let Some(refusal) = beyond(body, "VisibilityTimeout", 0, 43_200) {
            return refusal;
        }
        match self.backend.is_in_flight(name_of(text(body, "QueueUrl")), text(body, "ReceiptHandle")) {
            Some(false) => {
                failure(400, "com.amazonaws.sqs#MessageNotInflight", "the message referred to is not in flight")
            }
            Some(true) if self.is_beyond_the_total(body) => {
                let seconds = body.get("VisibilityTimeout").and_then(Value::as_i64).unwrap_or_default();
                let message = format!(
                    "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the \
                     message is beyond the limit [{VISIBILITY_SECONDS_MAX} seconds]"
                );
                failure(400, "InvalidParameterValue", &message)
            }
            Some(true) | None => self.service.handle(request).await,
        }
    }

    /// SQS counts the 12 hours from the receive ("Amazon SQS visibility timeout").
    fn is_beyond_the_total(&self, body: &Value) -> bool {
        let seconds = body.get("VisibilityTimeout").and_then(Value::as_u64).unwrap_or_default();
        let held = self.backend.held_for(name_of(text(body, "QueueUrl")), text(body, "ReceiptHandle"));
        let limit = Duration::from_secs(VISIBILITY_SECONDS_MAX);
        // To hide it no longer is always possible.
        seconds > 0 && held.is_some_and(|held| held.saturating_add(Duration::from_secs(seconds)) > limit)
    }

    pub(super) fn begin_counts_anew(&self) {
        self.backend.begin_counts_anew();
    }

    async fn receive(&self, request: MockRequest, body: &Value) -> MockResponse {
        for (name, min, max) in
            [("MaxNumberOfMessages", 1, 10), ("VisibilityTimeout", 0, 43_200), ("WaitTimeSeconds", 0, 20)]
        {
            if let Some(refusal) = beyond(body, name, min, max) {
                return refusal;
            }
        }
        let response = self.service.handle(request).await;
        let Ok(mut answer) = serde_json::from_slice::<Value>(&response.body) else {
            return response;
        };
        let queue = name_of(text(body, "QueueUrl"));
        let show_at_once = body.get("VisibilityTimeout").and_then(Value::as_i64) == Some(0);
        for message in answer.get_mut("Messages").and_then(Value::as_array_mut).into_iter().flatten() {
            if show_at_once {
                self.backend.show(queue, text(message, "ReceiptHandle"));
            }
            let group = self.backend.group_of(text(message, "MessageId"));
            if let Some(Value::Object(attributes)) = message.get_mut("Attributes") {
                if let Some(group) = group {
                    attributes.insert("MessageGroupId".to_owned(), Value::String(group));
                }
                attributes.retain(|name, _| asked_for(body, name));
            }
        }
        MockResponse::json(response.status, answer.to_string())
    }
}

/// Most bytes of a message ("Amazon SQS message quotas").
const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// Most characters of a message's group ("`SendMessage`").
const GROUP_CHARS_MAX: usize = 128;

/// The refusal of a message that SQS does not take as it is.
fn not_sendable(body: &Value) -> Option<MockResponse> {
    let message = text(body, "MessageBody");
    if message.is_empty() {
        return Some(failure(400, "MissingParameter", "the request must contain the parameter MessageBody"));
    }
    if message.len() > MESSAGE_BYTES_MAX {
        return Some(failure(400, "InvalidParameterValue", "the message must be shorter than 1048576 bytes"));
    }
    let group = body.get("MessageGroupId").and_then(Value::as_str)?;
    let fits = (1..=GROUP_CHARS_MAX).contains(&group.len()) && group.chars().all(|c| c.is_ascii_graphic());
    (!fits).then(|| {
        failure(
            400,
            "InvalidParameterValue",
            "MessageGroupId can only include alphanumeric and punctuation characters, 1 to 128 of them",
        )
    })
}

fn asked_for(body: &Value, attribute: &str) -> bool {
    ["MessageSystemAttributeNames", "AttributeNames"]
        .into_iter()
        .filter_map(|list| body.get(list)?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .any(|name| name == "All" || name == attribute)
}

/// The refusal of a number that is beyond its bounds.
fn beyond(body: &Value, name: &str, min: i64, max: i64) -> Option<MockResponse> {
    let value = body.get(name).and_then(Value::as_i64)?;
    (!(min..=max).contains(&value)).then(|| {
        let message = format!("value {value} for parameter {name} is invalid: must be between {min} and {max}");
        failure(400, "InvalidParameterValue", &message)
    })
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn name_of(url: &str) -> &str {
    url.rsplit(['/', ':']).next().unwrap_or_default()
}

//! The `parked` queue, looked at without taking anything out of it.

use std::collections::BTreeSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use payments::message::{Message, NotOurs};

use crate::account::{Account, why};

/// How long what was looked at stays hidden if this process dies in between, in seconds.
const LOOK_SECONDS: i32 = 60;
/// Looks in a row that find nothing before the queue counts as empty: one look asks some of SQS's servers only.
const EMPTY_LOOKS: u32 = 3;

/// What a message says.
pub(super) enum Content {
    /// It is one of ours.
    Ours(Message),
    /// It is none, and this is what happens to it.
    NotOurs(String),
}

/// The queue.
pub(super) struct Parked<'a> {
    sqs: &'a Client,
    url: &'a str,
}

impl<'a> Parked<'a> {
    pub(super) fn of(account: &'a Account) -> Self {
        Self { sqs: &account.clients.sqs, url: &account.parked_url }
    }

    /// The queue's ARN.
    pub(super) async fn arn(&self) -> Result<String, String> {
        let request = self.sqs.get_queue_attributes().queue_url(self.url).attribute_names(QueueAttributeName::QueueArn);
        let output = request.send().await;
        let output = output.map_err(|error| format!("cannot ask the parked queue: {}", why(&error)))?;
        let arn = output.attributes.unwrap_or_default().remove(&QueueAttributeName::QueueArn);
        arn.ok_or_else(|| "the parked queue has no ARN".to_owned())
    }

    /// Every message, each once, visible again afterwards. No redrive policy counts how often it was looked at.
    pub(super) async fn peek(&self) -> Result<Vec<(String, Content)>, String> {
        let mut seen = BTreeSet::new();
        let (mut found, mut handles) = (Vec::new(), Vec::new());
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            let request = self.sqs.receive_message().queue_url(self.url).max_number_of_messages(10);
            let output = request.visibility_timeout(LOOK_SECONDS).send().await;
            let output = output.map_err(|error| format!("cannot look into the parked queue: {}", why(&error)))?;
            let messages = output.messages.unwrap_or_default();
            empty = if messages.is_empty() { empty + 1 } else { 0 };
            for message in messages {
                handles.extend(message.receipt_handle);
                let id = message.message_id.unwrap_or_default();
                if seen.insert(id.clone()) {
                    found.push((id, content(&message.body.unwrap_or_default())));
                }
            }
        }
        for handle in handles {
            let show = self.sqs.change_message_visibility().queue_url(self.url).receipt_handle(handle);
            let shown = show.visibility_timeout(0).send().await;
            shown.map_err(|error| {
                format!("what was looked at stays hidden for {LOOK_SECONDS} s, then try again: {}", why(&error))
            })?;
        }
        Ok(found)
    }
}

fn content(body: &str) -> Content {
    match Message::parse(body) {
        Ok(message) => Content::Ours(message),
        Err(NotOurs::Foreign) => Content::NotOurs("not one of our messages: it is parked again".to_owned()),
        Err(NotOurs::NewerVersion(version)) => Content::NotOurs(format!(
            "its version is {version}, newer than this code's: deploy that code first, else it is parked again"
        )),
    }
}

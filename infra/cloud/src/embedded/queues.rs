//! The queues themselves: `winterbaume-sqs`'s own state behind its backend trait, with what is wrong in it put right.
//! - `ApproximateNumberOfMessages` leaves out what was received once and is visible again;
//! - `StartMessageMoveTask` stays RUNNING and moves nothing;
//! - a message's group is dropped;
//! - the handles of deleted messages are kept for ever;
//! - a message may be hidden for 12 hours from now, and not from its receive;
//! - a redrive by policy begins a message's receive count anew. AWS's pages do not say; in accounts it was seen to go on, so
//!   it does here, unless [`Backend::begin_counts_anew`] was told otherwise.
//!
//! Right as it is: visibility, delays, and a redrive by policy that keeps message id and `SentTimestamp`.

mod backend;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use winterbaume_sqs::state::SqsError;
use winterbaume_sqs::types::{Message, MessageAttribute};
use winterbaume_sqs::{SendMessageOutput, SqsState};

/// Handles of deleted messages that a queue remembers; deleting one again succeeds as long as it does.
const DELETED_HANDLES_MAX: usize = 50_000;

/// What `winterbaume` does not keep with a message.
#[derive(Debug, Default)]
struct Travel {
    group: Option<String>,
    /// The queue that it was last sent to or received from, and the one before that.
    last: String,
    previous: Option<String>,
    /// When it was last received.
    received: Option<Instant>,
}

impl Travel {
    fn passes(&mut self, queue: &str) {
        if self.last != queue {
            self.previous = Some(std::mem::replace(&mut self.last, queue.to_owned()));
        }
    }
}

/// What a queue's redrive policy is about to move.
struct Due {
    /// The dead-letter queue's ARN.
    target: String,
    /// Receive counts, by message id.
    counts: HashMap<String, u32>,
}

#[derive(Debug, Default)]
struct Inner {
    sqs: SqsState,
    travels: HashMap<String, Travel>,
    /// Whether a redrive by policy begins a message's receive count anew.
    begins_anew: bool,
}

/// The queues of one account and Region.
#[derive(Debug, Default)]
pub(super) struct Backend {
    inner: Mutex<Inner>,
}

impl Inner {
    fn send(
        &mut self,
        queue: &str,
        body: &str,
        delay_seconds: Option<u32>,
        attributes: HashMap<String, MessageAttribute>,
        group: Option<String>,
    ) -> Result<SendMessageOutput, SqsError> {
        let sent = self.sqs.send_message(queue, body, delay_seconds, attributes, group.as_deref(), None)?;
        let travel = Travel { group, last: queue.to_owned(), previous: None, received: None };
        self.travels.insert(sent.message_id.clone(), travel);
        Ok(SendMessageOutput { message_id: sent.message_id, body_md5: sent.body_md5 })
    }

    fn receive(&mut self, queue: &str, max: usize, visibility_seconds: Option<u32>) -> Result<Vec<Message>, SqsError> {
        let due = self.due_to_move(queue);
        let messages = self.sqs.receive_message(queue, max, visibility_seconds)?;
        for message in &messages {
            let travel = self.travels.entry(message.message_id.clone()).or_default();
            travel.passes(queue);
            travel.received = Some(Instant::now());
        }
        if let Some(Due { target, counts }) = due {
            let targets = self.sqs.queues.values_mut().filter(|state| state.queue.arn == target);
            for message in targets.flat_map(|state| &mut state.messages) {
                let Some(count) = counts.get(&message.message_id) else { continue };
                // Also where it is passed on unseen, because its count is over this queue's as well.
                self.travels.entry(message.message_id.clone()).or_default().passes(queue);
                if !self.begins_anew {
                    message.approximate_receive_count = *count;
                }
            }
        }
        Ok(messages)
    }

    /// What the next receive moves on, with the counts that it takes along.
    fn due_to_move(&self, queue: &str) -> Option<Due> {
        let state = self.sqs.queues.get(queue)?;
        let target = state.dead_letter_target_arn.clone()?;
        let policy: serde_json::Value = serde_json::from_str(state.redrive_policy.as_deref()?).ok()?;
        let most = u32::try_from(policy["maxReceiveCount"].as_u64()?).ok()?;
        let over = state.messages.iter().filter(|message| message.approximate_receive_count >= most);
        let counts = over.map(|message| (message.message_id.clone(), message.approximate_receive_count)).collect();
        Some(Due { target, counts })
    }

    fn delete(&mut self, queue: &str, handle: &str) -> Result<(), SqsError> {
        let id = self.find(queue, handle).map(|message| message.message_id.clone());
        self.sqs.delete_message(queue, handle)?;
        if let Some(id) = id {
            self.travels.remove(&id);
        }
        if let Some(state) = self.sqs.queues.get_mut(queue)
            && state.deleted_handles.len() > DELETED_HANDLES_MAX
        {
            state.deleted_handles.clear();
        }
        Ok(())
    }

    fn find(&self, queue: &str, handle: &str) -> Option<&Message> {
        let messages = &self.sqs.queues.get(queue)?.messages;
        messages.iter().find(|message| message.receipt_handle.as_deref() == Some(handle))
    }

    fn attributes(&self, queue: &str) -> Result<HashMap<String, String>, SqsError> {
        let mut attributes = self.sqs.get_queue_attributes(queue)?;
        let messages = self.sqs.queues.get(queue).map(|state| &state.messages);
        let visible = messages.into_iter().flatten().filter(|message| message.is_visible()).count();
        attributes.insert("ApproximateNumberOfMessages".to_owned(), visible.to_string());
        Ok(attributes)
    }

    /// Only a dead-letter queue can be moved from ("`StartMessageMoveTask`").
    fn move_all(&mut self, from: &str, to: Option<&str>) -> Result<usize, SqsError> {
        let arn = self.sqs.queues.get(from).map(|state| state.queue.arn.clone());
        let is_target =
            |arn: &String| self.sqs.queues.values().any(|state| state.dead_letter_target_arn.as_ref() == Some(arn));
        if !arn.as_ref().is_some_and(is_target) {
            return Err(SqsError::SourceArnNotFound { source_arn: from.to_owned() });
        }
        if to.is_some_and(|to| !self.sqs.queues.contains_key(to)) {
            return Err(SqsError::NonExistentQueue);
        }
        let Some(state) = self.sqs.queues.get_mut(from) else {
            return Err(SqsError::NonExistentQueue);
        };
        let (moving, staying) = std::mem::take(&mut state.messages).into_iter().partition(Message::is_visible);
        state.messages = staying;
        let moving: Vec<Message> = moving;
        let count = moving.len();
        for message in moving {
            let travel = self.travels.remove(&message.message_id).unwrap_or_default();
            let origin = if travel.last == from { travel.previous } else { Some(travel.last) };
            // What was sent straight to a dead-letter queue has no source to return to, and stays.
            let target = to.map(str::to_owned).or(origin).unwrap_or_else(|| from.to_owned());
            self.send(&target, &message.body, None, message.message_attributes, travel.group)?;
        }
        Ok(count)
    }
}

impl Backend {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group that a message was sent with.
    pub(super) fn group_of(&self, message_id: &str) -> Option<String> {
        self.inner().travels.get(message_id)?.group.clone()
    }

    /// Whether there is a queue of this name.
    pub(super) fn exists(&self, queue: &str) -> bool {
        self.inner().sqs.queues.contains_key(queue)
    }

    /// Whether the holder of this handle still holds the message; `None` for a handle that is not known.
    pub(super) fn is_in_flight(&self, queue: &str, handle: &str) -> Option<bool> {
        self.inner().find(queue, handle).map(|message| !message.is_visible())
    }

    /// How long ago the holder of this handle received its message.
    pub(super) fn held_for(&self, queue: &str, handle: &str) -> Option<Duration> {
        let inner = self.inner();
        let id = inner.find(queue, handle)?.message_id.clone();
        Some(inner.travels.get(&id)?.received?.elapsed())
    }

    /// From here on a redrive by policy begins a message's receive count anew.
    pub(super) fn begin_counts_anew(&self) {
        self.inner().begins_anew = true;
    }

    /// Makes a message visible at once.
    pub(super) fn show(&self, queue: &str, handle: &str) {
        // It was received a moment ago by the caller, so it is there.
        let _ = self.inner().sqs.change_message_visibility(queue, handle, 0);
    }

    /// Moves every visible message of `from` to `to`, or to where each came from.
    pub(super) fn move_all(&self, from: &str, to: Option<&str>) -> Result<usize, SqsError> {
        self.inner().move_all(from, to)
    }
}

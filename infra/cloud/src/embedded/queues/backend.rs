//! The trait through which `winterbaume-sqs` reaches its queues: one account, one Region, everything at once.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::Pin;

use winterbaume_sqs::state::{QueueState, SqsError};
use winterbaume_sqs::types::{Message, MessageAttribute, MessageMoveTask, Queue};
use winterbaume_sqs::{SendMessageOutput, SqsBackend, SqsState, SqsStateView, StateViewError};

use super::{Backend, Inner};

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

fn now<T: Send + 'static>(value: T) -> Answer<T> {
    Box::pin(ready(value))
}

fn not_offered<T: Send + 'static>(what: &str) -> Answer<Result<T, SqsError>> {
    now(Err(SqsError::InternalError(format!("the embedded AWS does not offer {what}"))))
}

fn name_of_arn(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

impl SqsBackend for Backend {
    fn create_queue(
        &self,
        account: String,
        region: String,
        name: String,
        attributes: HashMap<String, String>,
        tags: Option<HashMap<String, String>>,
    ) -> Answer<Result<Queue, SqsError>> {
        let mut inner = self.inner();
        now(inner.sqs.create_queue(&name, &region, &account, &attributes, tags.as_ref()).cloned())
    }

    fn delete_queue(&self, _: String, _: String, queue: String) -> Answer<Result<(), SqsError>> {
        now(self.inner().sqs.delete_queue(&queue))
    }

    fn get_queue_url(&self, _: String, _: String, queue: String) -> Answer<Result<String, SqsError>> {
        now(self.inner().sqs.get_queue_url(&queue).map(str::to_owned))
    }

    fn get_queue_attributes(
        &self,
        _: String,
        _: String,
        queue: String,
    ) -> Answer<Result<HashMap<String, String>, SqsError>> {
        now(self.inner().attributes(&queue))
    }

    fn set_queue_attributes(
        &self,
        _: String,
        _: String,
        queue: String,
        attributes: HashMap<String, String>,
    ) -> Answer<Result<(), SqsError>> {
        now(self.inner().sqs.set_queue_attributes(&queue, &attributes))
    }

    fn list_queues(&self, _: String, _: String, prefix: Option<String>) -> Answer<Result<Vec<Queue>, SqsError>> {
        now(Ok(self.inner().sqs.list_queues(prefix.as_deref()).into_iter().cloned().collect()))
    }

    fn send_message(
        &self,
        _: String,
        _: String,
        queue: String,
        body: String,
        delay_seconds: Option<u32>,
        attributes: HashMap<String, MessageAttribute>,
        group: Option<String>,
        _: Option<String>,
    ) -> Answer<Result<SendMessageOutput, SqsError>> {
        now(self.inner().send(&queue, &body, delay_seconds, attributes, group))
    }

    fn receive_messages(
        &self,
        _: String,
        _: String,
        queue: String,
        max: usize,
        visibility_seconds: Option<u32>,
    ) -> Answer<Result<Vec<Message>, SqsError>> {
        now(self.inner().receive(&queue, max, visibility_seconds))
    }

    fn delete_message(&self, _: String, _: String, queue: String, handle: String) -> Answer<Result<(), SqsError>> {
        now(self.inner().delete(&queue, &handle))
    }

    fn purge_queue(&self, _: String, _: String, queue: String) -> Answer<Result<(), SqsError>> {
        now(self.inner().sqs.purge_queue(&queue))
    }

    fn change_message_visibility(
        &self,
        _: String,
        _: String,
        queue: String,
        handle: String,
        seconds: u32,
    ) -> Answer<Result<(), SqsError>> {
        now(self.inner().sqs.change_message_visibility(&queue, &handle, seconds))
    }

    fn change_message_visibility_batch(
        &self,
        _: String,
        _: String,
        queue: String,
        entries: Vec<(String, String, u32)>,
    ) -> Answer<Result<Vec<String>, SqsError>> {
        now(self.inner().sqs.change_message_visibility_batch(&queue, &entries))
    }

    fn list_queue_tags(&self, _: String, _: String, _: String) -> Answer<Result<HashMap<String, String>, SqsError>> {
        not_offered("tags")
    }

    fn tag_queue(&self, _: String, _: String, _: String, _: HashMap<String, String>) -> Answer<Result<(), SqsError>> {
        not_offered("tags")
    }

    fn untag_queue(&self, _: String, _: String, _: String, _: Vec<String>) -> Answer<Result<(), SqsError>> {
        not_offered("tags")
    }

    fn add_permission(
        &self,
        _: String,
        _: String,
        _: String,
        _: String,
        _: Vec<String>,
        _: Vec<String>,
    ) -> Answer<Result<(), SqsError>> {
        not_offered("permissions")
    }

    fn remove_permission(&self, _: String, _: String, _: String, _: String) -> Answer<Result<(), SqsError>> {
        not_offered("permissions")
    }

    fn list_dead_letter_source_queues(
        &self,
        _: String,
        _: String,
        queue: String,
    ) -> Answer<Result<Vec<String>, SqsError>> {
        now(self.inner().sqs.list_dead_letter_source_queues(&queue))
    }

    fn start_message_move_task(
        &self,
        _: String,
        _: String,
        source_arn: String,
        destination_arn: Option<String>,
        max_per_second: Option<i32>,
    ) -> Answer<Result<String, SqsError>> {
        let mut inner = self.inner();
        let moved = inner.move_all(name_of_arn(&source_arn), destination_arn.as_deref().map(name_of_arn));
        let started = moved.and_then(|moved| {
            let handle = inner.sqs.start_message_move_task(&source_arn, destination_arn.as_deref(), max_per_second)?;
            if let Some(task) = inner.sqs.message_move_tasks.last_mut() {
                "COMPLETED".clone_into(&mut task.status);
                task.approximate_number_of_messages_moved = i64::try_from(moved).unwrap_or(i64::MAX);
            }
            Ok(handle)
        });
        now(started)
    }

    fn cancel_message_move_task(&self, _: String, _: String, handle: String) -> Answer<Result<i64, SqsError>> {
        now(self.inner().sqs.cancel_message_move_task(&handle))
    }

    fn list_message_move_tasks(
        &self,
        _: String,
        _: String,
        source_arn: String,
    ) -> Answer<Result<Vec<MessageMoveTask>, SqsError>> {
        now(Ok(self.inner().sqs.list_message_move_tasks(&source_arn).into_iter().cloned().collect()))
    }

    fn scopes_with_state(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn snapshot(&self, _: String, _: String) -> Answer<SqsStateView> {
        now(SqsStateView::from(&self.inner().sqs))
    }

    fn restore(&self, _: String, _: String, view: SqsStateView) -> Answer<Result<(), StateViewError>> {
        *self.inner() = Inner { sqs: SqsState::from(view), ..Inner::default() };
        now(Ok(()))
    }

    fn merge(&self, _: String, _: String, view: SqsStateView) -> Answer<Result<(), StateViewError>> {
        let queues = view.queues.into_iter().map(|(name, queue)| (name, QueueState::from(queue)));
        self.inner().sqs.queues.extend(queues);
        now(Ok(()))
    }
}

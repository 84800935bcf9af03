//! The queues.

use std::future::Future;

use pacing::admission::Depth;
use payments::message::Message;
use payments::payment::Lane;

use crate::PortError;

/// Which queue a message was received from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A lane's queue.
    Lane(Lane),
    /// The dead-letter queue.
    DeadLetter,
}

/// The queues.
pub trait Queue: Sync {
    /// Sends a message to a lane, to be seen `delay_seconds` from now (0 to 900).
    fn send(
        &self,
        lane: Lane,
        message: &Message,
        delay_seconds: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Which of our queues this ARN names, if any.
    fn source_of(&self, event_source_arn: &str) -> Option<Source>;

    /// Hides a received message for `seconds` from now: 0 to 43,200, less what has gone by since it was received.
    fn hide(
        &self,
        source: Source,
        receipt_handle: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// How full the lanes are.
pub trait Depths: Sync {
    /// Messages in a lane's queue, as far as the queue knows.
    fn depth(&self, lane: Lane) -> impl Future<Output = Result<Depth, PortError>> + Send;
}

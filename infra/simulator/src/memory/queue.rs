//! The queues: at least once, in any order, hidden for a while, and moved by their redrive policies.
//!
//! As SQS is documented: "Amazon SQS visibility timeout", "Using dead-letter queues in Amazon SQS" (a redrive keeps the
//! message's id and SentTimestamp), "StartMessageMoveTask" (a move gives both anew).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pacing::admission::Depth;
use payments::id::PaymentId;
use payments::message::Message;
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::{Depths, PortError, Queue, Source};
use tokio::sync::Notify;

use crate::world::{Environment, World, lock};

/// The queues of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// The `high` lane.
    High,
    /// The `standard` lane.
    Standard,
    /// The dead-letter queue.
    DeadLetter,
    /// Where people look.
    Parked,
}

impl Name {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::High, Self::Standard, Self::DeadLetter, Self::Parked];

    /// The end of the queue's ARN.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Standard => "standard",
            Self::DeadLetter => "dead-letter",
            Self::Parked => "parked",
        }
    }

    /// The queue's ARN.
    pub fn arn(self) -> String {
        format!("arn:aws:sqs:eu-central-1:123456789012:{}", self.as_str())
    }

    const fn redrives_to(self) -> Option<Self> {
        match self {
            Self::High | Self::Standard => Some(Self::DeadLetter),
            Self::DeadLetter => Some(Self::Parked),
            Self::Parked => None,
        }
    }
}

impl From<Lane> for Name {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::High => Self::High,
            Lane::Standard => Self::Standard,
        }
    }
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Stored {
    /// New with a send or a move, kept by a redrive.
    pub message_id: String,
    /// What it says.
    pub body: String,
    /// New with a send or a move, kept by a redrive.
    pub sent_timestamp: Timestamp,
    /// How often it was received: from this queue, or since it was sent ([`Count`]).
    pub receive_count: u32,
    /// The message's group: its merchant.
    pub group: Option<String>,
    /// The newest receipt; an older one neither hides nor deletes here, as a careful reader of the guide expects.
    pub receipt_handle: String,
    visible_at_us: u64,
    received_at_us: u64,
    /// Where a redrive took it from.
    came_from: Option<Name>,
}

/// Longest delay of a message, in seconds ("Amazon SQS delay queues").
const DELAY_SECONDS_MAX: u32 = 900;
/// Longest time that a message can be hidden, from its receive on, in seconds ("Amazon SQS visibility timeout").
const HIDE_SECONDS_MAX: u32 = 43_200;

/// What a redrive by policy makes of a message's `ApproximateReceiveCount`. AWS's pages do not say; in accounts it was seen
/// to go on, and emulators begin it anew. Both have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The next queue counts from one.
    BeginsAnew,
    /// The next queue goes on counting.
    GoesOn,
}

impl Count {
    /// Either, by a run's seed.
    pub const fn of_seed(seed: u64) -> Self {
        if seed.is_multiple_of(2) { Self::BeginsAnew } else { Self::GoesOn }
    }
}

/// What the queues hold.
#[derive(Debug)]
pub struct Queues {
    world: Arc<World>,
    stored: Mutex<BTreeMap<Name, Vec<Stored>>>,
    sent: Notify,
    visibility_ms: u64,
    max_receive_count: u32,
    redrive: Count,
    /// When somebody moved messages by hand, in microseconds since the epoch.
    moves_us: Mutex<Vec<u64>>,
}

impl Queues {
    /// Empty queues with their numbers.
    ///
    /// The dead-letter queue allows as many receives again as a lane, beside the lane's own, as the template does.
    pub fn new(world: &Arc<World>, visibility_ms: u64, max_receive_count: u32, redrive: Count) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            stored: Mutex::default(),
            sent: Notify::new(),
            visibility_ms,
            max_receive_count,
            redrive,
            moves_us: Mutex::default(),
        })
    }

    /// Puts a body into a queue, as anybody with the permission can.
    pub fn put(&self, name: Name, body: String, group: Option<String>, delay_seconds: u32) {
        let now_us = self.world.now_us();
        let message = Stored {
            message_id: format!("m-{:032x}", self.world.bits()),
            body,
            sent_timestamp: Timestamp::from_us(now_us),
            receive_count: 0,
            group,
            came_from: None,
            receipt_handle: String::new(),
            received_at_us: 0,
            visible_at_us: now_us + u64::from(delay_seconds) * 1_000_000,
        };
        lock(&self.stored).entry(name).or_default().push(message);
        self.sent.notify_waiters();
    }

    /// Receives up to `most` messages, in no particular order, hiding them; moves on what came too often.
    pub fn receive(&self, name: Name, most: usize) -> Vec<Stored> {
        let now_us = self.world.now_us();
        let mut queues = lock(&self.stored);
        let mut received = Vec::new();
        let mut redriven = Vec::new();
        let queue = queues.entry(name).or_default();
        loop {
            let visible: Vec<usize> = (0..queue.len())
                .filter(|&index| queue[index].visible_at_us <= now_us)
                .filter(|&index| !received.iter().any(|m: &Stored| m.message_id == queue[index].message_id))
                .collect();
            if visible.is_empty() || received.len() >= most {
                break;
            }
            let last = u64::try_from(visible.len() - 1).unwrap_or(0);
            let drawn = usize::try_from(self.world.between(0, last)).unwrap_or(0);
            let index = visible[drawn];
            let message = &mut queue[index];
            message.receive_count += 1;
            if message.receive_count > self.receives_max(name) && name.redrives_to().is_some() {
                redriven.push(queue.remove(index));
                continue;
            }
            message.received_at_us = now_us;
            message.visible_at_us = now_us + self.visibility_ms * 1_000;
            message.receipt_handle = format!("r-{:032x}", self.world.bits());
            received.push(message.clone());
        }
        if let Some(next) = name.redrives_to() {
            for message in redriven {
                self.world.note(&format!("{} redrives {} to {}", name.as_str(), message.body, next.as_str()));
                let came_from = Some(name);
                let receive_count = match self.redrive {
                    Count::BeginsAnew => 0,
                    // The receive that was refused is none.
                    Count::GoesOn => message.receive_count.saturating_sub(1),
                };
                let moved = Stored { receive_count, visible_at_us: now_us, came_from, ..message };
                queues.entry(next).or_default().push(moved);
            }
            self.sent.notify_waiters();
        }
        received
    }

    fn receives_max(&self, name: Name) -> u32 {
        match name {
            Name::High | Name::Standard | Name::Parked => self.max_receive_count,
            Name::DeadLetter => self.max_receive_count.saturating_mul(2),
        }
    }

    /// Hides a received message that is still in flight; says whether it was.
    pub fn hide(&self, name: Name, receipt_handle: &str, seconds: u32) -> bool {
        let now_us = self.world.now_us();
        let mut queues = lock(&self.stored);
        let in_flight = queues
            .entry(name)
            .or_default()
            .iter_mut()
            .find(|message| message.receipt_handle == receipt_handle && message.visible_at_us > now_us);
        let hidden = match in_flight {
            Some(message) => {
                let until_us = now_us + u64::from(seconds) * 1_000_000;
                let is_allowed = until_us - message.received_at_us <= u64::from(HIDE_SECONDS_MAX) * 1_000_000;
                if is_allowed {
                    message.visible_at_us = until_us;
                }
                is_allowed
            }
            None => false,
        };
        drop(queues);
        self.sent.notify_waiters();
        hidden
    }

    /// Deletes a received message.
    pub fn delete(&self, name: Name, receipt_handle: &str) {
        lock(&self.stored).entry(name).or_default().retain(|message| message.receipt_handle != receipt_handle);
    }

    /// Moves everything that is visible, as StartMessageMoveTask does: to a queue, or to where each message was redriven
    /// from. Returns how many.
    pub fn move_all(&self, from: Name, to: Option<Name>) -> usize {
        let now_us = self.world.now_us();
        let mut queues = lock(&self.stored);
        let (moved, kept): (Vec<Stored>, Vec<Stored>) = std::mem::take(queues.entry(from).or_default())
            .into_iter()
            .partition(|message| message.visible_at_us <= now_us && (to.is_some() || message.came_from.is_some()));
        queues.insert(from, kept);
        let count = moved.len();
        lock(&self.moves_us).push(now_us);
        for message in moved {
            // Taken out above only if it has somewhere to go.
            let Some(target) = to.or(message.came_from) else { continue };
            queues.entry(target).or_default().push(Stored {
                message_id: format!("m-{:032x}", self.world.bits()),
                sent_timestamp: Timestamp::from_us(now_us),
                receive_count: 0,
                visible_at_us: now_us,
                came_from: None,
                ..message
            });
        }
        drop(queues);
        self.sent.notify_waiters();
        count
    }

    /// When somebody moved messages by hand, in microseconds since the epoch.
    pub(crate) fn moves_us(&self) -> Vec<u64> {
        lock(&self.moves_us).clone()
    }

    /// Messages in a queue, visible, in flight and delayed.
    pub fn depth(&self, name: Name) -> usize {
        lock(&self.stored).get(&name).map_or(0, Vec::len)
    }

    /// The same, told apart as SQS does.
    pub fn measure(&self, name: Name) -> Depth {
        let now_us = self.world.now_us();
        let is_in_flight = |message: &&Stored| message.receive_count > 0 && message.visible_at_us > now_us;
        let in_flight = lock(&self.stored).get(&name).map_or(0, |queue| queue.iter().filter(is_in_flight).count());
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Depth { waiting: count(self.depth(name) - in_flight), in_flight: count(in_flight) }
    }

    /// Whether any queue holds another message of this payment than this one.
    pub fn holds_beside(&self, id: &PaymentId, but: &Stored) -> bool {
        let queues = lock(&self.stored);
        queues
            .values()
            .flatten()
            .filter(|stored| stored.message_id != but.message_id)
            .any(|stored| Message::parse(&stored.body).is_ok_and(|message| message.payment_id == *id))
    }

    /// The most messages that any payment has in all queues.
    pub fn most_of_one_payment(&self) -> u64 {
        let mut counts: BTreeMap<PaymentId, u64> = BTreeMap::new();
        for stored in lock(&self.stored).values().flatten() {
            if let Ok(message) = Message::parse(&stored.body) {
                *counts.entry(message.payment_id).or_default() += 1;
            }
        }
        counts.into_values().max().unwrap_or(0)
    }

    /// Waits until a queue has something to receive.
    pub async fn ready(&self, name: Name) {
        loop {
            let sent = self.sent.notified();
            let now_us = self.world.now_us();
            let next_us =
                lock(&self.stored).get(&name).and_then(|queue| queue.iter().map(|message| message.visible_at_us).min());
            match next_us {
                Some(at_us) if at_us <= now_us => return,
                Some(at_us) => {
                    let wait = Duration::from_micros(at_us - now_us);
                    // Whichever comes first; both lead to another look.
                    let _ = tokio::time::timeout(wait, sent).await;
                }
                None => sent.await,
            }
        }
    }
}

/// The queues as one environment reaches them.
#[derive(Clone, Debug)]
pub struct MemoryQueue {
    queues: Arc<Queues>,
    environment: Environment,
}

impl MemoryQueue {
    /// The queues, reached from an environment.
    pub fn new(queues: &Arc<Queues>, environment: &Environment) -> Self {
        Self { queues: Arc::clone(queues), environment: environment.clone() }
    }
}

impl Queue for MemoryQueue {
    async fn send(&self, lane: Lane, message: &Message, delay_seconds: u32) -> Result<(), PortError> {
        let world = self.environment.world();
        let refuses = world.fails(world.faults.queue_refuses);
        // It comes beside the one that is sent for want of an answer.
        let is_lost = !refuses && world.fails(world.faults.send_answer_lost);
        self.environment
            .io("send message", || {
                if refuses {
                    return Err(PortError::throttled("unavailable"));
                }
                if delay_seconds > DELAY_SECONDS_MAX {
                    return Err(PortError::denied(format!("a delay is at most {DELAY_SECONDS_MAX} s")));
                }
                self.environment.note(&format!("message sent for {}", message.payment_id));
                let group = Some(message.merchant.as_str().to_owned());
                self.queues.put(lane.into(), message.to_body(), group, delay_seconds);
                if is_lost { Err(PortError::lost("send message")) } else { Ok(()) }
            })
            .await
    }

    fn source_of(&self, event_source_arn: &str) -> Option<Source> {
        let name = Name::ALL.into_iter().find(|name| name.arn() == event_source_arn)?;
        match name {
            Name::High => Some(Source::Lane(Lane::High)),
            Name::Standard => Some(Source::Lane(Lane::Standard)),
            Name::DeadLetter => Some(Source::DeadLetter),
            Name::Parked => None,
        }
    }

    async fn hide(&self, source: Source, receipt_handle: &str, seconds: u32) -> Result<(), PortError> {
        let name = match source {
            Source::Lane(lane) => lane.into(),
            Source::DeadLetter => Name::DeadLetter,
        };
        let world = self.environment.world();
        let refuses = world.fails(world.faults.queue_refuses);
        self.environment
            .io("hide message", || {
                if refuses || !self.queues.hide(name, receipt_handle, seconds) {
                    return Err(PortError::denied("the receipt handle is not valid"));
                }
                Ok(())
            })
            .await
    }
}

impl Depths for MemoryQueue {
    async fn depth(&self, lane: Lane) -> Result<Depth, PortError> {
        let world = self.environment.world();
        let refuses = world.fails(world.faults.queue_refuses);
        let unavailable = || PortError::throttled("depth");
        let depth = || if refuses { Err(unavailable()) } else { Ok(self.queues.measure(lane.into())) };
        self.environment.io("depth", depth).await
    }
}

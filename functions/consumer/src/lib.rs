//! Takes payments from their lane to the provider, at the gate's pace, and never acknowledges what is not durable.
//!
//! One batch: reserve slots, claim each payment shortly before its slot, look once more, call, settle, and only then
//! let the message go. What cannot be settled now waits; waiting uses up no attempt.

mod job;
mod pace;
#[cfg(feature = "lambda")]
pub mod wiring;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use batch::{Record, Verdict};
use futures_util::stream::{FuturesUnordered, StreamExt};
use pace::{Slot, Turn};
use pacing::gate::{GateSettings, GateState, GateView};
use payments::message::{Message, NotOurs};
use payments::policy::{ANSWER_ALLOWANCE_MS, NEWER_VERSION_LOOK_SECONDS};
use payments::time::Timestamp;
use ports::{EventName, GateStore, Ledger, Provider};
use tracing::{error, info, warn};

/// How much one invocation does side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls under way at once in one environment. This bounds the calls of all of them: Lambda runs no more
    /// environments than are reserved, each has one invocation at a time, and what an invocation leaves is dropped.
    pub max_in_flight: u32,
    /// The numbers that pace and breaker go by.
    pub gate: GateSettings,
}

/// The consumer function over its ports.
#[derive(Debug)]
pub struct Consumer<L, G, P> {
    ledger: L,
    gate: G,
    provider: P,
    limits: Limits,
    /// The gate as this environment saw it last.
    seen: Mutex<GateView>,
}

/// What is to be done about a message.
#[derive(Debug)]
enum Plan {
    /// See first whether there is a call to make: it came before, and most of what comes again waits or is parked.
    Look(Message),
    /// Make its payment's call.
    Call(Job),
    /// Nothing but this.
    Conclude(Verdict),
}

/// A message's payment and the slot for its call.
#[derive(Debug)]
struct Job {
    message: Message,
    slot: Slot,
}

/// What became of a message in this invocation.
enum Carried {
    /// This is to be done about it.
    Concluded(Verdict),
    /// Nothing was done yet, and its payment may have a call to make: it waits for a slot, here.
    Kept(Message),
}

/// What is left of a message.
enum Ran {
    /// It is over with; its id, and again if it failed.
    Concluded(String, Option<String>),
    /// It waits on.
    Kept(Record, Message),
}

impl<L: Ledger, G: GateStore, P: Provider> Consumer<L, G, P> {
    /// A consumer over these ports. `gate_settings` is what the gate is created with if there is none yet.
    pub fn new(ledger: L, gate: G, provider: P, limits: Limits, gate_settings: GateState) -> Self {
        let seen = Mutex::new(GateView::new(gate_settings, limits.gate));
        Self { ledger, gate, provider, limits, seen }
    }

    /// Works through one batch. It ends before `deadline`, whatever the provider does: what is not settled by then
    /// is dropped (its connection reset) and comes again.
    pub async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> SqsBatchResponse {
        let records = batch::records(event, self.ledger.queue());
        let mut open: Vec<String> = records.iter().map(|record| record.message_id.clone()).collect();
        let mut failed = Vec::new();
        let end = deadline.minus_ms(ANSWER_ALLOWANCE_MS);
        let within = Duration::from_millis(end.since_ms(self.ledger.now()));
        let finished = tokio::time::timeout(
            within,
            self.work(records, end, |message_id, failure| {
                open.retain(|id| *id != message_id);
                failed.extend(failure);
            }),
        )
        .await;
        if finished.is_err() {
            error!(event = EventName::BatchRanOutOfTime.as_str(), messages = open.len());
        }
        batch::response(failed.into_iter().chain(open))
    }

    async fn work(&self, records: Vec<Record>, end: Timestamp, mut concluded: impl FnMut(String, Option<String>)) {
        let mut waiting = VecDeque::new();
        // Calls, reservations and conclusions go on side by side: whoever waits for one would miss another's slot.
        let mut running = FuturesUnordered::new();
        for record in records {
            match read(&record) {
                Ok(message) if record.came_before => running.push(self.run(record, Plan::Look(message), end)),
                Ok(message) => waiting.push_back((record, message)),
                Err(verdict) => running.push(self.run(record, Plan::Conclude(verdict), end)),
            }
        }
        let mut reserving = None;
        loop {
            if reserving.is_none() {
                let room = self.room(running.len(), waiting.len());
                if room > 0 {
                    reserving = Some(Box::pin(self.slots(room, end, Duration::ZERO)));
                }
            }
            tokio::select! {
                // In this order each time: a run of the simulator repeats to the letter.
                biased;
                next = wait_for(&mut reserving), if reserving.is_some() => {
                    reserving = None;
                    match next {
                        Turn::Slots(slots) => {
                            for index in 0..slots.count {
                                let Some(slot) = Slot::of(&slots, index) else { break };
                                let Some((record, message)) = waiting.pop_front() else { break };
                                let plan = Plan::Call(Job { message, slot });
                                running.push(self.run(record, plan, end));
                            }
                        }
                        Turn::Pause(pause) => {
                            // Keeping the batch costs a little of Lambda's time; handing it back would fill the
                            // queue's in-flight limit ("Amazon SQS standard queue quotas": about 120,000).
                            let room = self.room(running.len(), waiting.len()).max(1);
                            reserving = Some(Box::pin(self.slots(room, end, pause)));
                        }
                        Turn::Over(verdict) => {
                            for (record, _) in waiting.drain(..) {
                                running.push(self.run(record, Plan::Conclude(verdict), end));
                            }
                        }
                    }
                }
                Some(ran) = running.next() => match ran {
                    Ran::Concluded(message_id, failure) => concluded(message_id, failure),
                    Ran::Kept(record, message) => waiting.push_back((record, message)),
                },
                else => return,
            }
        }
    }

    /// How many slots to reserve now: all that can start, but not one by one, so that a batch costs few reservations.
    fn room(&self, running: usize, waiting: usize) -> u32 {
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let free = self.limits.max_in_flight.max(1).saturating_sub(running);
        let worth_it = waiting.min(self.limits.max_in_flight.div_ceil(2).max(1));
        if waiting > 0 && free >= worth_it { free.min(waiting) } else { 0 }
    }

    async fn run(&self, record: Record, plan: Plan, end: Timestamp) -> Ran {
        let carried = match plan {
            Plan::Look(message) => self.look(&record, message).await,
            Plan::Call(job) => self.carry(&record, job, end).await,
            Plan::Conclude(verdict) => Carried::Concluded(verdict),
        };
        match carried {
            Carried::Concluded(verdict) => {
                let failure = batch::conclude(self.ledger.queue(), &record, verdict).await;
                Ran::Concluded(record.message_id, failure)
            }
            Carried::Kept(message) => Ran::Kept(record, message),
        }
    }
}

/// Whether a message is one for us, and what becomes of it if not.
fn read(record: &Record) -> Result<Message, Verdict> {
    match Message::parse(&record.body) {
        Ok(message) => Ok(message),
        Err(NotOurs::NewerVersion(version)) => {
            // Its code is on its way; it comes again until the redrive policy takes it to `dead_letter`.
            info!(event = EventName::MessageNewer.as_str(), message_id = record.message_id, version);
            Err(Verdict::Again { seconds: NEWER_VERSION_LOOK_SECONDS })
        }
        Err(NotOurs::Foreign) => {
            warn!(event = EventName::MessageForeign.as_str(), message_id = record.message_id);
            Err(Verdict::PassOn)
        }
    }
}

/// The answer of the reservation under way; for ever nothing if there is none.
async fn wait_for<F: Future<Output = Turn> + Unpin>(reserving: &mut Option<F>) -> Turn {
    match reserving {
        Some(reserving) => reserving.await,
        None => std::future::pending().await,
    }
}

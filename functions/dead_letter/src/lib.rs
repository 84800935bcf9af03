//! Looks at what the redrive policy took out of a lane, and asks the payment's item what to do: put it back, wait,
//! drop it, or leave it for a person. The message never decides.
//!
//! A message that goes on is failed on, so that the DLQ's own redrive policy takes it to the `parked` queue: a message
//! that was sent straight there would have no source to be moved back to.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use batch::{Record, Verdict};
use payments::message::{Message, NotOurs};
use payments::payment::Payment;
use payments::policy::{MISSING_ITEM_LOOK_SECONDS, OPERATION_TIMEOUT_MS};
use payments::time::Timestamp;
use payments::transition::triage::{Triage, delay_seconds, triage};
use payments::transition::{Event, Kept, Replaced};
use ports::{EventName, Ledger, Outcome, Queue, Store, StoreError};
use tracing::{error, info, warn};

/// How long a message waits when the table or a queue does not answer, in seconds.
const PORT_DOWN_SECONDS: u32 = 60;
/// How long a message of a newer version waits between looks, in seconds.
const NEWER_VERSION_SECONDS: u64 = 900;
/// Operations of one message that may run into their time-out: the first that does ends it, and then it is hidden.
const TIME_OUTS_MAX: u64 = 2;
/// Time that one message may take while a table or a queue answers nothing; with less left, the rest of the batch comes again.
/// A function that is ended in the middle of a message answers for none of its batch.
pub const MESSAGE_ALLOWANCE_MS: u64 = TIME_OUTS_MAX.saturating_mul(OPERATION_TIMEOUT_MS);

/// Messages that an environment remembers to have spoken of.
const SAID_MAX: usize = 1_000;

/// The dead_letter function over its ports.
#[derive(Debug)]
pub struct DeadLetter<L> {
    ledger: L,
    /// Messages of which this environment has said that they go on. Each comes until the redrive policy takes it, and is one
    /// line for the people who read why.
    said: Mutex<VecDeque<String>>,
}

impl<L: Ledger> DeadLetter<L> {
    /// A triage over these ports.
    pub fn new(ledger: L) -> Self {
        Self { ledger, said: Mutex::default() }
    }

    /// Judges one batch of the DLQ, one message after the other.
    pub async fn handle(&self, event: SqsEvent, deadline: Timestamp) -> SqsBatchResponse {
        let mut failed = Vec::new();
        for record in batch::records(event, self.ledger.queue()) {
            let left_ms = deadline.since_ms(self.ledger.now());
            if left_ms < MESSAGE_ALLOWANCE_MS {
                failed.push(record.message_id);
                continue;
            }
            let verdict = self.judge(&record).await;
            failed.extend(batch::conclude(self.ledger.queue(), &record, verdict).await);
        }
        batch::response(failed)
    }

    async fn judge(&self, record: &Record) -> Verdict {
        let message = match Message::parse(&record.body) {
            Ok(message) => message,
            Err(NotOurs::NewerVersion(version)) => return self.newer(record, version),
            Err(NotOurs::Foreign) => {
                if self.is_first(record) {
                    warn!(event = EventName::MessageParked.as_str(), message_id = record.message_id, why = "foreign");
                }
                return Verdict::PassOn;
            }
        };
        let payment = match self.ledger.store().get(&message.payment_id).await {
            Ok(Some(payment)) => payment,
            Ok(None) => return self.missing(record, &message),
            Err(error) => return port_down(record, &error),
        };
        if payment.order.merchant != message.merchant {
            if self.is_first(record) {
                warn!(event = EventName::MessageParked.as_str(), message_id = record.message_id, why = "disagrees");
            }
            return Verdict::PassOn;
        }
        match self.decide(payment, &Event::DeadLettered).await {
            Ok(Outcome::Changed(payment) | Outcome::Kept(payment, _)) => self.follow(record, &message, *payment).await,
            Ok(Outcome::Missing) => self.missing(record, &message),
            Err(error) => port_down(record, &error),
        }
    }

    /// Does what the item says.
    async fn follow(&self, record: &Record, message: &Message, payment: Payment) -> Verdict {
        let now = self.ledger.now();
        let is_replay = payment.parked_at.is_some_and(|at| message.is_replay(record.sent_timestamp, at));
        let decided = triage(&payment, is_replay, now);
        let is_said = decided == Triage::PassOn && !self.is_first(record);
        if !is_said {
            info!(
                event = EventName::MessageTriaged.as_str(),
                message_id = record.message_id,
                payment_id = payment.id.as_str(),
                state = payment.state.as_str(),
                reason = payment.reason.as_str(),
                triage = decided.as_str(),
            );
        }
        match decided {
            Triage::Heal => self.heal(record, message, payment).await,
            Triage::Hide { until } => Verdict::again_at(until, now),
            Triage::Drop => Verdict::Done,
            Triage::PassOn if is_said => Verdict::PassOn,
            Triage::PassOn => {
                error!(
                    event = EventName::PaymentParked.as_str(),
                    payment_id = payment.id.as_str(),
                    reason = payment.reason.as_str(),
                    attempt = payment.attempts,
                );
                Verdict::PassOn
            }
            Triage::Replay => match self.decide(payment, &Event::Replay).await {
                Ok(Outcome::Changed(payment)) => {
                    info!(event = EventName::PaymentReplayedByOperator.as_str(), payment_id = payment.id.as_str());
                    self.heal(record, message, *payment).await
                }
                Ok(Outcome::Kept(_, Kept::Ended)) => Verdict::Done,
                // Somebody else has just taken it up, and may die before it has put the message back.
                Ok(Outcome::Kept(payment, _)) => self.heal(record, message, *payment).await,
                Ok(Outcome::Missing) => Verdict::PassOn,
                Err(error) => port_down(record, &error),
            },
        }
    }

    /// Puts the message back in its lane: first written down, then sent, then dropped here.
    async fn heal(&self, record: &Record, message: &Message, payment: Payment) -> Verdict {
        let replaces = Some(Replaced { message_id: &record.message_id, sent_at: message.sent_at });
        let event = Event::Heal { replaces };
        match self.decide(payment, &event).await {
            Ok(Outcome::Changed(payment)) => {
                let now = self.ledger.now();
                let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), now);
                let delay_seconds = delay_seconds(payment.due_at, now);
                match self.ledger.queue().send(payment.order.lane, &message, delay_seconds).await {
                    Ok(()) => {
                        info!(
                            event = EventName::PaymentHealed.as_str(),
                            payment_id = payment.id.as_str(),
                            delay_seconds
                        );
                        Verdict::Done
                    }
                    Err(error) => {
                        error!(event = EventName::MessageSendFailed.as_str(), payment_id = payment.id.as_str(), %error);
                        Verdict::Again { seconds: PORT_DOWN_SECONDS }
                    }
                }
            }
            Ok(Outcome::Kept(payment, kept)) => match kept {
                // It was parked in the meantime: so should this message be.
                Kept::Parked => Verdict::PassOn,
                Kept::HealsUsedUp => {
                    warn!(event = EventName::HealsUsedUp.as_str(), payment_id = payment.id.as_str());
                    Verdict::Done
                }
                Kept::HealedElsewhere
                | Kept::Ended
                | Kept::LeaseHeld { .. }
                | Kept::NotParked
                | Kept::ClaimLost
                | Kept::NotDue
                | Kept::NotCancelable
                | Kept::NoOpenCase
                | Kept::HistoryDoubted => Verdict::Done,
            },
            Ok(Outcome::Missing) => Verdict::PassOn,
            Err(error) => port_down(record, &error),
        }
    }

    async fn decide(&self, payment: Payment, event: &Event<'_>) -> Result<Outcome, StoreError> {
        self.ledger.decide(payment, event).await
    }

    /// Whether this environment speaks of this message for the first time, as far as it remembers.
    fn is_first(&self, record: &Record) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.contains(&record.message_id) {
            return false;
        }
        if said.len() >= SAID_MAX {
            said.pop_front();
        }
        said.push_back(record.message_id.clone());
        true
    }

    fn newer(&self, record: &Record, version: u64) -> Verdict {
        let now = self.ledger.now();
        let waits_until = record.sent_timestamp.plus_ms(self.ledger.policy().newer_version_grace_ms);
        if now < waits_until {
            let look = now.plus_ms(NEWER_VERSION_SECONDS.saturating_mul(1_000));
            return Verdict::again_at(waits_until.min(look), now);
        }
        if self.is_first(record) {
            warn!(event = EventName::MessageParked.as_str(), message_id = record.message_id, why = "newer", version);
        }
        Verdict::PassOn
    }

    fn missing(&self, record: &Record, message: &Message) -> Verdict {
        if record.is_younger_than(self.ledger.policy().missing_item_grace_ms, self.ledger.now()) {
            return Verdict::Again { seconds: MISSING_ITEM_LOOK_SECONDS };
        }
        if self.is_first(record) {
            warn!(
                event = EventName::MessageParked.as_str(),
                message_id = record.message_id,
                payment_id = message.payment_id.as_str(),
                why = "no_item",
            );
        }
        Verdict::PassOn
    }
}

fn port_down(record: &Record, error: &StoreError) -> Verdict {
    error!(event = EventName::TriageFailed.as_str(), message_id = record.message_id, %error);
    Verdict::port_down(error, PORT_DOWN_SECONDS)
}

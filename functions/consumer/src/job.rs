//! One payment's call: claim, connect, look once more, call, settle.

use std::time::Duration;

use batch::{Record, Verdict};
use pacing::breaker::Health;
use pacing::gate::Reservation;
use payments::answer::{NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::id::{ClaimId, Nonce};
use payments::message::Message;
use payments::payment::{Claim, Payment, State};
use payments::time::Timestamp;
use payments::transition::{Event, Kept, PAYMENT_RETRY_AFTER_MAX_MS, may_be_written};
use payments::write::{SendClaim, Written};
use ports::{Connection, EventName, GateStore, Ledger, Outcome, Provider, Store, StoreError, Trace};
use tracing::{error, info, warn};

use crate::pace::Slot;
use crate::{Carried, Consumer, Job};

/// How long a message waits when the table does not answer, in seconds.
const STORE_DOWN_SECONDS: u32 = 5;
/// How long a message waits for an item that is not there yet, in seconds.
const MISSING_ITEM_SECONDS: u32 = 10;
/// How often a write that settles is tried, beyond the SDK's own retries.
const SETTLE_TRIES: u32 = 3;
/// Between those tries.
const SETTLE_PAUSE: Duration = Duration::from_millis(100);
/// How often a missed slot is replaced by another one before the claim is given back.
const SLOT_TRIES: u32 = 3;

/// A payment that this call may be made for.
struct Held {
    payment: Payment,
    claim: Claim,
}

/// What a call brought.
enum Answer {
    Send(SendAnswer),
    Query(QueryAnswer),
}

impl<L: Ledger, G: GateStore, P: Provider> Consumer<L, G, P> {
    /// Looks at the payment of a message that came before, which costs a read and no slot. A parked payment's message comes
    /// some sixty times on its way to the people: with a slot each time, a thousand of them would take the whole rate for
    /// a minute.
    pub(crate) async fn look(&self, record: &Record, message: Message) -> Carried {
        let payment = match self.ledger.store().get(&message.payment_id).await {
            Ok(Some(payment)) => payment,
            Ok(None) => return Carried::Concluded(self.missing(record, &message)),
            Err(error) => return Carried::Concluded(store_down(record, &message, &error)),
        };
        if payment.order.merchant != message.merchant {
            warn!(event = EventName::MessageDisagrees.as_str(), message_id = record.message_id);
            return Carried::Concluded(Verdict::PassOn);
        }
        let now = self.ledger.now();
        let has_a_call = match payment.state {
            State::Queued | State::Pending | State::Unknown => payment.due_at.is_none_or(|due| due <= now),
            State::Sending => payment.claim.as_ref().is_none_or(|claim| claim.lease_until <= now),
            State::Parked => payment.parked_at.is_some_and(|at| message.is_replay(record.sent_timestamp, at)),
            State::Succeeded | State::Declined | State::Canceled | State::Expired => false,
        };
        if has_a_call { Carried::Kept(message) } else { Carried::Concluded(self.verdict(&payment, None)) }
    }

    /// Makes one payment's call in its slot and says what becomes of its message.
    pub(crate) async fn carry(&self, record: &Record, job: Job, end: Timestamp) -> Carried {
        let Job { message, mut slot } = job;
        let lead_us = self.ledger.policy().claim_lead_ms.saturating_mul(1_000);
        self.sleep_until_us(slot.start_us.saturating_sub(lead_us)).await;
        self.look_at_the_gate().await;
        let is_used = self.seen().is_used(&slot.of, slot.index, self.ledger.now_us());
        if !is_used || !self.may_send(&slot) {
            return Carried::Kept(message);
        }
        let lease_until = Timestamp::from_us(slot.start_us).plus_ms(self.ledger.policy().lease_ms());
        let held = match self.claim(record, &message, lease_until).await {
            Ok(held) => held,
            Err(verdict) => {
                if slot.of.is_probe {
                    // The breaker learns nothing from a payment that is not to be sent.
                    self.tally(Health::Unsaid, &slot).await;
                }
                return Carried::Concluded(verdict);
            }
        };
        let answer = self.call(&held, &mut slot, end).await;
        let health = match &answer {
            Answer::Send(answer) => Health::of_send(answer),
            Answer::Query(answer) => Health::of_query(answer),
        };
        // The payment's own truth first; what its call says about the provider goes side by side with it.
        let (verdict, ()) = tokio::join!(self.settle(&held, &answer), self.tally(health, &slot));
        Carried::Concluded(verdict)
    }

    /// Whether the gate, as far as this environment knows, still lets this slot be used.
    fn may_send(&self, slot: &Slot) -> bool {
        self.seen().may_send(slot.of.version, self.ledger.now_us().max(slot.start_us))
    }

    async fn claim(&self, record: &Record, message: &Message, lease_until: Timestamp) -> Result<Held, Verdict> {
        let now = self.ledger.now();
        let id = ClaimId::from_bits(self.ledger.bits());
        let request = SendClaim {
            payment_id: message.payment_id.clone(),
            merchant: message.merchant.clone(),
            claim: id.clone(),
            lease_until,
            now,
            first_sent_after: now.minus_ms(self.ledger.policy().sure_key_window_ms()),
            nonce: Nonce::from_bits(self.ledger.bits()),
        };
        match self.ledger.claim(&request).await {
            Ok(Written::Applied(payment)) => self.held(*payment, &id),
            Ok(Written::Refused(Some(stands))) => self.claim_other(record, message, *stands, id, lease_until).await,
            Ok(Written::Refused(None) | Written::ChargeRefused(_)) => Err(self.missing(record, message)),
            Err(error) => Err(store_down(record, message, &error)),
        }
    }

    /// Claims what is not as simple as a first attempt: to query it, to send it again, or not at all.
    async fn claim_other(
        &self,
        record: &Record,
        message: &Message,
        stands: Payment,
        id: ClaimId,
        lease_until: Timestamp,
    ) -> Result<Held, Verdict> {
        if stands.order.merchant != message.merchant {
            warn!(event = EventName::MessageDisagrees.as_str(), message_id = record.message_id);
            return Err(Verdict::PassOn);
        }
        let payment = self.replayed(record, message, stands).await?;
        let event = Event::Claim { id: id.clone(), lease_until };
        let outcome = self.ledger.decide(payment, &event).await;
        match outcome {
            Ok(Outcome::Changed(payment)) => self.held(*payment, &id),
            Ok(Outcome::Kept(payment, kept)) => Err(self.verdict(&payment, Some(kept))),
            Ok(Outcome::Missing) => Err(self.missing(record, message)),
            Err(error) => Err(store_down(record, message, &error)),
        }
    }

    /// Takes a parked payment up again if a person put its message back.
    async fn replayed(&self, record: &Record, message: &Message, payment: Payment) -> Result<Payment, Verdict> {
        let is_replay = payment.parked_at.is_some_and(|at| message.is_replay(record.sent_timestamp, at));
        if payment.state != State::Parked || !is_replay {
            return Ok(payment);
        }
        let outcome = self.ledger.decide(payment, &Event::Replay).await;
        match outcome {
            Ok(Outcome::Changed(payment)) => {
                info!(event = EventName::PaymentReplayedByOperator.as_str(), payment_id = payment.id.as_str());
                Ok(*payment)
            }
            Ok(Outcome::Kept(payment, _)) => Ok(*payment),
            Ok(Outcome::Missing) => Err(self.missing(record, message)),
            Err(error) => Err(store_down(record, message, &error)),
        }
    }

    fn held(&self, payment: Payment, id: &ClaimId) -> Result<Held, Verdict> {
        match payment.claim.clone() {
            Some(claim) if payment.state == State::Sending && claim.id == *id => Ok(Held { payment, claim }),
            Some(_) | None => Err(self.verdict(&payment, None)),
        }
    }

    /// Connects, waits for the slot, looks once more, and calls.
    async fn call(&self, held: &Held, slot: &mut Slot, end: Timestamp) -> Answer {
        let connect_timeout = Duration::from_millis(self.ledger.policy().connect_timeout_ms);
        let connecting = tokio::time::timeout(connect_timeout, self.provider.connect());
        let connection = match connecting.await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                warn!(event = EventName::ConnectFailed.as_str(), payment_id = held.payment.id.as_str(), %error);
                return not_taken(&held.claim, NotTaken::ConnectFailed);
            }
            Err(_) => {
                warn!(event = EventName::ConnectTimedOut.as_str(), payment_id = held.payment.id.as_str());
                return not_taken(&held.claim, NotTaken::ConnectFailed);
            }
        };
        if !self.reach_slot(held, slot, end).await {
            return not_taken(&held.claim, NotTaken::NotWritten);
        }
        // From here to the request's first byte nothing is awaited, so what was just looked at still holds.
        let Held { payment, claim } = held;
        let call_timeout = Duration::from_millis(self.ledger.policy().call_timeout_ms);
        match claim.from {
            State::Queued => {
                let sending = connection.send(&payment.id, &payment.order);
                let answer = tokio::time::timeout(call_timeout, sending).await;
                Answer::Send(answer.unwrap_or(SendAnswer::Unclear(Unclear::TimedOut)))
            }
            State::Sending
            | State::Pending
            | State::Unknown
            | State::Parked
            | State::Succeeded
            | State::Declined
            | State::Canceled
            | State::Expired => {
                let trace = Trace::of(payment);
                let asking = connection.query(&payment.id, &payment.order, &trace);
                let answer = tokio::time::timeout(call_timeout, asking).await;
                Answer::Query(answer.unwrap_or(QueryAnswer::Unclear(Unclear::TimedOut)))
            }
        }
    }

    /// Waits for the slot, or for another if it was missed. Says whether the request may be written now.
    async fn reach_slot(&self, held: &Held, slot: &mut Slot, end: Timestamp) -> bool {
        let latest = self.ledger.policy().latest_write(held.claim.lease_until.min(end));
        for _ in 0..SLOT_TRIES {
            self.sleep_until_us(slot.start_us).await;
            let now_us = self.ledger.now_us();
            let now = Timestamp::from_us(now_us);
            if !may_be_written(&held.payment, &held.claim, now, latest) || !self.may_send(slot) {
                return false;
            }
            if now_us <= slot.start_us.saturating_add(slot.of.margin_us) {
                slot.pace = self.seen().sends(&slot.of, now_us);
                return true;
            }
            info!(
                event = EventName::SlotMissed.as_str(),
                payment_id = held.payment.id.as_str(),
                late_us = now_us.saturating_sub(slot.start_us),
            );
            match self.reserve(1, now_us, latest.us()).await {
                Ok(Reservation::Slots(slots)) => match Slot::of(&slots, 0) {
                    Some(first) => *slot = first,
                    None => return false,
                },
                Ok(Reservation::Later { .. } | Reservation::Paused | Reservation::Open { .. }) | Err(_) => {
                    return false;
                }
            }
        }
        false
    }

    /// Writes what came of the call. Until that is durable the message stays.
    async fn settle(&self, held: &Held, answer: &Answer) -> Verdict {
        let claim = &held.claim.id;
        let event = match answer {
            Answer::Send(answer) => Event::SendAnswered { claim, answer },
            Answer::Query(answer) => Event::QueryAnswered { claim, answer },
        };
        for _ in 0..SETTLE_TRIES {
            let payment = held.payment.clone();
            let outcome = self.ledger.decide(payment, &event).await;
            match outcome {
                Ok(Outcome::Changed(payment)) => {
                    self.log_settled(&payment);
                    return self.verdict(&payment, None);
                }
                Ok(Outcome::Kept(payment, kept)) => return self.verdict(&payment, Some(kept)),
                Ok(Outcome::Missing) => {
                    error!(event = EventName::PaymentVanished.as_str(), payment_id = held.payment.id.as_str());
                    return Verdict::PassOn;
                }
                Err(error) => {
                    error!(event = EventName::SettleFailed.as_str(), payment_id = held.payment.id.as_str(), %error);
                    tokio::time::sleep(SETTLE_PAUSE).await;
                }
            }
        }
        // Nobody wrote the answer down: once the lease ends, a query will find it again.
        Verdict::again_at(held.claim.lease_until, self.ledger.now())
    }

    fn log_settled(&self, payment: &Payment) {
        info!(
            event = EventName::PaymentSettled.as_str(),
            payment_id = payment.id.as_str(),
            state = payment.state.as_str(),
            reason = payment.reason.as_str(),
            attempt = payment.attempts,
            waited_ms = self.ledger.now().since_ms(payment.created_at),
        );
        if payment.has_open_case() {
            error!(
                event = EventName::LateSuccess.as_str(),
                payment_id = payment.id.as_str(),
                state = payment.state.as_str(),
            );
        }
    }

    /// What a message becomes, by where its payment stands.
    fn verdict(&self, payment: &Payment, kept: Option<Kept>) -> Verdict {
        let now = self.ledger.now();
        if let Some(Kept::LeaseHeld { until }) = kept {
            return Verdict::again_at(until, now);
        }
        // A Retry-After may be longer than any backoff; the item keeps it within its bound.
        let longest = now.plus_ms(self.ledger.policy().longest_wait_ms().max(PAYMENT_RETRY_AFTER_MAX_MS));
        match payment.state {
            State::Queued | State::Pending | State::Unknown => {
                Verdict::again_at(payment.due_at.unwrap_or(now).min(longest), now)
            }
            State::Sending => {
                let until = payment.claim.as_ref().map_or(now, |claim| claim.lease_until);
                Verdict::again_at(until, now)
            }
            State::Parked => Verdict::PassOn,
            State::Succeeded | State::Declined | State::Canceled | State::Expired => Verdict::Done,
        }
    }

    fn missing(&self, record: &Record, message: &Message) -> Verdict {
        if record.is_younger_than(self.ledger.policy().missing_item_grace_ms, self.ledger.now()) {
            return Verdict::Again { seconds: MISSING_ITEM_SECONDS };
        }
        warn!(
            event = EventName::MessageWithoutItem.as_str(),
            message_id = record.message_id,
            payment_id = message.payment_id.as_str(),
        );
        Verdict::PassOn
    }

    async fn sleep_until_us(&self, at_us: u64) {
        let wait_us = at_us.saturating_sub(self.ledger.now_us());
        if wait_us > 0 {
            tokio::time::sleep(Duration::from_micros(wait_us)).await;
        }
    }
}

fn not_taken(claim: &Claim, why: NotTaken) -> Answer {
    if claim.from == State::Queued {
        Answer::Send(SendAnswer::NotTaken(why))
    } else {
        Answer::Query(QueryAnswer::NotTaken(why))
    }
}

fn store_down(record: &Record, message: &Message, error: &StoreError) -> Verdict {
    error!(
        event = EventName::ClaimFailed.as_str(),
        message_id = record.message_id,
        payment_id = message.payment_id.as_str(),
        %error,
    );
    Verdict::port_down(error, STORE_DOWN_SECONDS)
}

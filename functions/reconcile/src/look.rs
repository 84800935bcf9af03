//! One open payment, looked at: what is wrong with it, and what is done about it.

use pacing::gate::Healing;
use payments::id::PaymentId;
use payments::message::Message;
use payments::payment::{Lane, Payment, RefundOf, State};
use payments::transition::{Event, is_overdue};
use ports::{Depths, EndedPayments, EventName, GateStore, Ledger, OpenPayments, Outcome, Queue, Store, StoreError};
use tracing::{error, info};

use crate::Reconcile;

/// Which lanes hold no message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Empty {
    pub(crate) high: bool,
    pub(crate) standard: bool,
}

/// What one sweep knows of lanes and gate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes {
    pub(crate) empty: Empty,
    pub(crate) healing: Healing,
}

/// What was found and done.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is counted by itself; several may be so at once")]
pub(crate) struct Seen {
    pub(crate) healed: bool,
    pub(crate) stuck: bool,
    pub(crate) expired: bool,
    pub(crate) overdue: bool,
    pub(crate) parked: bool,
    pub(crate) without_charge: bool,
    /// Where it still stands, and its age in seconds.
    pub(crate) waits: Option<(State, u64)>,
}

impl<L, G> Reconcile<L, G>
where
    L: Ledger<Store: OpenPayments + EndedPayments, Queue: Depths>,
    G: GateStore,
{
    /// Looks at one payment, as it stands and not as the index has it. Puts its message back if that is lost and `may_heal`.
    pub(crate) async fn look(&self, id: &PaymentId, lanes: Lanes, may_heal: bool) -> Result<Seen, StoreError> {
        let Some(payment) = self.ledger.store().get(id).await? else { return Ok(Seen::default()) };
        let now = self.ledger.now();
        let mut seen = Seen { overdue: is_overdue(&payment, self.ledger.policy(), now), ..Seen::default() };
        seen.without_charge = self.lacks_its_charge(&payment).await?;
        // A customer who left must not be charged an hour later, and the merchant is to hear of it also when no message
        // of the payment comes by any more.
        if payment.state == State::Queued && payment.is_expired(now) {
            seen.expired = self.decided(payment, &Event::Expire).await?.is_some_and(|it| it.state == State::Expired);
            if seen.expired {
                info!(event = EventName::PaymentExpired.as_str(), payment_id = id.as_str());
            }
            return Ok(seen);
        }
        seen.waits = Some((payment.state, now.since_ms(payment.created_at) / 1_000));
        let payment = match self.park_if_overdue(payment, seen).await? {
            Parked::Now => return Ok(Seen { parked: true, waits: None, ..seen }),
            Parked::Not(payment) => *payment,
        };
        let lane_is_empty = match payment.order.lane {
            Lane::High => lanes.empty.high,
            Lane::Standard => lanes.empty.standard,
        };
        if !may_heal {
            return Ok(seen);
        }
        if lanes.healing.finds_lost(&payment, lane_is_empty, now) {
            seen.stuck = payment.state == State::Sending;
            seen.healed = self.heal(payment).await?;
        }
        Ok(seen)
    }

    /// Whether it is a refund whose charge is not here any more: it goes on, but nobody can say what is left to give
    /// back. A read more, for refunds alone, and only for those that are long in coming.
    async fn lacks_its_charge(&self, payment: &Payment) -> Result<bool, StoreError> {
        let age_ms = self.ledger.now().since_ms(payment.created_at);
        match &payment.order.refund_of {
            Some(RefundOf::Charge { payment_id, .. })
                if age_ms >= self.ledger.policy().overdue_after_ms && !payment.state.is_terminal() =>
            {
                Ok(self.ledger.store().get(payment_id).await?.is_none())
            }
            Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None => Ok(false),
        }
    }

    async fn park_if_overdue(&self, payment: Payment, seen: Seen) -> Result<Parked, StoreError> {
        if !seen.overdue {
            return Ok(Parked::Not(Box::new(payment)));
        }
        let outcome = self.decide(payment, &Event::Overdue).await?;
        let payment = match outcome {
            Outcome::Changed(payment) if payment.state == State::Parked => payment,
            Outcome::Changed(payment) | Outcome::Kept(payment, _) => return Ok(Parked::Not(payment)),
            Outcome::Missing => return Err(StoreError::Refused("it went while it was looked at".to_owned())),
        };
        error!(
            event = EventName::PaymentParked.as_str(),
            payment_id = payment.id.as_str(),
            reason = payment.reason.as_str(),
            open_ms = self.ledger.now().since_ms(payment.first_sent_at.unwrap_or(payment.created_at)),
        );
        // Passed on until it lies where people look, from where it can be put back. Without it the item still says so.
        self.send(&payment).await?;
        Ok(Parked::Now)
    }

    async fn heal(&self, payment: Payment) -> Result<bool, StoreError> {
        let Some(payment) = self.decided(payment, &Event::Heal { replaces: None }).await? else { return Ok(false) };
        self.send(&payment).await?;
        info!(
            event = EventName::PaymentHealed.as_str(),
            payment_id = payment.id.as_str(),
            state = payment.state.as_str()
        );
        Ok(true)
    }

    pub(crate) async fn send(&self, payment: &Payment) -> Result<(), StoreError> {
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), self.ledger.now());
        let sent = self.ledger.queue().send(payment.order.lane, &message, 0).await;
        sent.map_err(|error| StoreError::Refused(error.to_string()))
    }

    /// What an event made of a payment; `None` if it changed nothing.
    async fn decided(&self, payment: Payment, event: &Event<'_>) -> Result<Option<Payment>, StoreError> {
        Ok(match self.decide(payment, event).await? {
            Outcome::Changed(payment) => Some(*payment),
            Outcome::Kept(..) | Outcome::Missing => None,
        })
    }

    pub(crate) async fn decide(&self, payment: Payment, event: &Event<'_>) -> Result<Outcome, StoreError> {
        self.ledger.decide(payment, event).await
    }
}

enum Parked {
    Now,
    Not(Box<Payment>),
}

//! The beginning: an order becomes a payment.

use crate::entry::Entry;
use crate::fingerprint::Fingerprint;
use crate::history;
use crate::id::PaymentId;
use crate::index::open_shard;
use crate::payment::{Order, Payment};
use crate::state::{Kind, Reason, State};

use super::Moment;

impl Payment {
    /// A payment that is accepted at this moment.
    pub fn accepted(order: Order, fingerprint: Fingerprint, moment: &Moment<'_>) -> Self {
        let now = moment.now;
        let id = PaymentId::derive(&order.merchant, order.kind, &order.order_id);
        let refundable = match order.kind {
            Kind::Charge => Some(order.money.signed_amount()),
            Kind::Refund | Kind::Payout => None,
        };
        let mut payment = Self {
            open_shard: Some(open_shard(&id)),
            id,
            order,
            fingerprint,
            created_at: now,
            state: State::Queued,
            reason: Reason::Accepted,
            changed_at: now,
            version: 1,
            nonce: moment.nonce.clone(),
            attempts: 0,
            attempts_left: moment.policy.max_attempts,
            waits: 0,
            claim: None,
            first_sent_at: None,
            written_until: None,
            due_at: None,
            acknowledged: false,
            cancel_requested_at: None,
            parked_at: None,
            recovered_at: None,
            heal: None,
            provider_text: None,
            case: None,
            refundable,
            forget_at: None,
            forgotten_at: None,
            history: vec![Entry {
                at: now,
                state: State::Queued,
                reason: Reason::Accepted,
                attempt: 0,
                times: 1,
                provider_text: None,
                tag: None,
            }],
            chain: None,
        };
        if let Some(keys) = moment.history_keys {
            history::begin(&mut payment, keys.current());
        }
        payment
    }
}

//! What a write is: its conditions and effects, and the amounts that it reserves, releases and takes back on a charge.

use crate::backoff::Dice;
use crate::history::ENTRIES_MAX;
use crate::id::{ClaimId, MerchantId, Nonce, PaymentId};
use crate::payment::{Claim, Payment, RefundOf};
use crate::policy::Policy;
use crate::state::{Reason, State};
use crate::time::Timestamp;
use crate::transition::{Event, Moment, Step, transition};

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Done; this stands now.
    Applied(Box<Payment>),
    /// The condition failed; this stands instead, if anything does.
    Refused(Option<Box<Payment>>),
    /// The charge to refund cannot bear it; this stands there, if anything does.
    ChargeRefused(Option<Box<Payment>>),
}

/// Claims a queued payment for its first attempt, in one update that has not read it.
///
/// An update that has not read the item cannot write what depends on it, such as the number of a later attempt; what
/// is not as simple as a first attempt is refused here and decided on from what then stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendClaim {
    /// Which payment.
    pub payment_id: PaymentId,
    /// The merchant that the message named.
    pub merchant: MerchantId,
    /// The claim's own id.
    pub claim: ClaimId,
    /// When its lease ends.
    pub lease_until: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// What was first sent before this may be forgotten by the provider.
    pub first_sent_after: Timestamp,
    /// The write's mark.
    pub nonce: Nonce,
}

impl SendClaim {
    /// What the update makes of a payment, or `None` when its condition fails. The AWS adapter writes the same as
    /// an update expression; the contract suite holds the two together.
    pub fn apply(&self, payment: &Payment, policy: &Policy) -> Option<Payment> {
        let fits = payment.state == State::Queued
            && payment.order.merchant == self.merchant
            && payment.attempts == 0
            && payment.attempts_left > 0
            && payment.history.len() < ENTRIES_MAX
            && !payment.is_expired(self.now)
            && payment.due_at.is_none_or(|due| due <= self.now)
            && payment.first_sent_at.is_none_or(|at| at > self.first_sent_after);
        if !fits {
            return None;
        }
        // The update does not read the head, so it cannot link its line: the next write does.
        let nonce = self.nonce.clone();
        let moment = Moment { now: self.now, nonce, dice: Dice(0), policy, history_keys: None };
        let event = Event::Claim { id: self.claim.clone(), lease_until: self.lease_until };
        match transition(payment, &event, &moment) {
            Step::Change(after) if after.state == State::Sending => Some(*after),
            Step::Change(_) | Step::Keep(_) => None,
        }
    }

    /// The claim as it is kept in the item.
    pub fn kept(&self) -> Claim {
        Claim { id: self.claim.clone(), from: State::Queued, lease_until: self.lease_until }
    }

    /// The reason that the claim writes.
    pub const REASON: Reason = Reason::Claimed;
}

/// The charge and the amount that writing a new payment reserves: a refund's, unless it is written as ended.
pub fn reserved(payment: &Payment) -> Option<(&PaymentId, u64)> {
    match (&payment.order.refund_of, payment.state.is_terminal()) {
        (Some(RefundOf::Charge { payment_id, .. }), false) => Some((payment_id, payment.order.money.amount())),
        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,
    }
}

/// The charge and the amount that ending `after` gives back.
pub fn released<'a>(before: &Payment, after: &'a Payment) -> Option<(&'a PaymentId, u64)> {
    let ends_without_success =
        !before.state.is_terminal() && after.state.is_terminal() && after.state != State::Succeeded;
    match (&after.order.refund_of, ends_without_success) {
        (Some(RefundOf::Charge { payment_id, .. }), true) => Some((payment_id, after.order.money.amount())),
        (Some(RefundOf::Charge { .. } | RefundOf::Unlinked) | None, _) => None,
    }
}

/// The charge and the amount that a late success takes back, in the write that opens its case: the end without success
/// had given the amount back, and the money has moved all the same. Where less is left, the charge falls below zero, so
/// that what another refund gives back later pays for this one first.
pub fn recaptured<'a>(before: &Payment, after: &'a Payment) -> Option<(&'a PaymentId, u64)> {
    let succeeds_late = before.case.is_none() && after.case.is_some();
    let charge = match &after.order.refund_of {
        Some(RefundOf::Charge { payment_id, .. }) => payment_id,
        Some(RefundOf::Unlinked) | None => return None,
    };
    succeeds_late.then(|| (charge, after.order.money.amount()))
}

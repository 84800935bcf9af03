//! What is given back: never more than was charged, and each charge says what is left of it.
//!
//! One thing nobody can prevent: a refund that the provider does after all, once its amount was given to another. Then
//! more goes back than was charged, and the charge says so by a number below zero. A refund that is taken after that word
//! of the provider's was written down has to find nothing left; [`check_taken`] sees each one at the moment of its write.

use std::collections::BTreeMap;

use payments::id::PaymentId;
use payments::payment::{Kind, Payment, RefundOf, State};

use crate::world::World;

/// Minor units of a charge that its refunds hold.
pub(crate) fn held<'a>(charge: &PaymentId, payments: impl Iterator<Item = &'a Payment>) -> i64 {
    payments
        .filter(|refund| charge_of(refund) == Some(charge) && holds_its_share(refund))
        .map(|refund| refund.order.money.signed_amount())
        .sum()
}

/// Judges a refund that is being taken, after which refunds hold so much of its charge.
pub(crate) fn check_taken(world: &World, charge: &Payment, held: i64) {
    let amount = charge.order.money.signed_amount();
    if held > amount {
        let how =
            format!("a refund was taken of {}, which charged {amount} and of which {held} are held then", charge.id);
        world.violated("I7", &how);
    }
}

/// Judges every charge by its refunds, of which `effects` says how often the provider carried each out.
pub(crate) fn check(world: &World, payments: &[Payment], effects: &BTreeMap<PaymentId, u32>) {
    for charge in payments {
        let Some(left) = charge.refundable else {
            if charge.order.kind == Kind::Charge {
                world.violated("I7", &format!("{} is a charge and does not say what is left of it", charge.id));
            }
            continue;
        };
        let amount = charge.order.money.signed_amount();
        let held = held(&charge.id, payments.iter());
        let given: i64 = payments
            .iter()
            .filter(|refund| charge_of(refund) == Some(&charge.id))
            .map(|refund| {
                let times = effects.get(&refund.id).copied().unwrap_or(0);
                refund.order.money.signed_amount() * i64::from(times)
            })
            .sum();
        if given > held {
            world.violated("I7", &format!("{given} of {} went back, of which refunds hold {held}", charge.id));
        }
        if left + held != amount {
            let how =
                format!("{} charged {amount}, refunds hold {held} of it and {left} is said to be left", charge.id);
            world.violated("I7", &how);
        }
    }
}

fn charge_of(refund: &Payment) -> Option<&PaymentId> {
    match &refund.order.refund_of {
        Some(RefundOf::Charge { payment_id, .. }) => Some(payment_id),
        Some(RefundOf::Unlinked) | None => None,
    }
}

/// Whether its amount is out of other refunds' reach: it was given back, late or in time, or may yet be.
const fn holds_its_share(refund: &Payment) -> bool {
    match refund.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked | State::Succeeded => true,
        State::Declined | State::Canceled | State::Expired => refund.case.is_some(),
    }
}

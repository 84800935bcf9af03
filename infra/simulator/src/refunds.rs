//! What is given back: never more than was charged, and each charge says what is left of it.

use std::collections::BTreeMap;

use payments::id::PaymentId;
use payments::payment::{Payment, RefundOf, State};

use crate::world::World;

/// Judges every charge by its refunds, of which `effects` says how often the provider carried each out.
pub(crate) fn check(world: &World, payments: &[Payment], effects: &BTreeMap<PaymentId, u32>) {
    // For each charge: what its refunds hold of it, and what went back at the provider.
    let mut refunds: BTreeMap<&PaymentId, (u64, u64)> = BTreeMap::new();
    for payment in payments {
        let Some(RefundOf::Charge { payment_id, .. }) = &payment.order.refund_of else { continue };
        let (held, given) = refunds.entry(payment_id).or_default();
        let amount = payment.order.money.amount();
        // A provider that does after all what it has declined makes a case, which a person settles.
        if !holds_its_share(payment) {
            continue;
        }
        *held += amount;
        *given += amount * u64::from(effects.get(&payment.id).copied().unwrap_or(0));
    }
    for charge in payments {
        let Some(left) = charge.refundable else { continue };
        let (held, given) = refunds.get(&charge.id).copied().unwrap_or_default();
        let amount = charge.order.money.amount();
        if given > amount {
            world.violated("I7", &format!("{given} of {} went back, which charged {amount}", charge.id));
        }
        if left + held != amount {
            let how =
                format!("{} charged {amount}, refunds hold {held} of it and {left} is said to be left", charge.id);
            world.violated("I7", &how);
        }
    }
}

/// Whether its amount is out of other refunds' reach: it was given back, or may yet be.
fn holds_its_share(refund: &Payment) -> bool {
    match refund.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked | State::Succeeded => true,
        State::Declined | State::Canceled | State::Expired => false,
    }
}

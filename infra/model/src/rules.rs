//! What decides: the deployed functions, called through pointers so that a test can put a wrong one in their place and
//! see it found.

use payments::payment::Payment;
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::triage::{Triage, triage};
use payments::transition::{Event, Moment, Step, transition};
use payments::write::SendClaim;

/// The functions that the model's actors ask.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Decides what becomes of a payment.
    pub transition: for<'a, 'b, 'c> fn(&'a Payment, &'b Event<'b>, &'c Moment<'c>) -> Step,
    /// A first claim, as the table carries it out.
    pub claim: fn(&SendClaim, &Payment, &Policy) -> Option<Payment>,
    /// Judges a dead letter.
    pub triage: fn(&Payment, bool, Timestamp) -> Triage,
    /// The last moment of the consumer's clock at which a request may be written under a lease until then.
    pub latest_write: fn(policy: &Policy, lease_until: Timestamp) -> Timestamp,
}

/// The rules that are deployed.
pub const DEPLOYED: Rules = Rules { transition, claim: SendClaim::apply, triage, latest_write: Policy::latest_write };

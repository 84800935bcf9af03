//! What decides: the deployed functions, called through pointers so that a test can put a wrong one in their place and
//! see it found.

use payments::payment::Payment;
use payments::policy::Policy;
use payments::store::SendClaim;
use payments::time::Timestamp;
use payments::transition::{Event, Moment, Step, transition};
use payments::triage::{Triage, triage};

/// The functions that the model's actors ask.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Decides what becomes of a payment.
    pub transition: for<'a, 'b, 'c> fn(&'a Payment, &'b Event<'b>, &'c Moment<'c>) -> Step,
    /// A first claim, as the table carries it out.
    pub claim: fn(&SendClaim, &Payment, &Policy) -> Option<Payment>,
    /// Judges a dead letter.
    pub triage: fn(&Payment, bool, Timestamp) -> Triage,
    /// Whether a request may be written at this time of the consumer's clock, under a lease until then, of which the
    /// call needs so many milliseconds: the look of the consumer's `reach_slot`.
    pub may_write: fn(now: Timestamp, lease_until: Timestamp, need_ms: u64) -> bool,
}

/// The rules that are deployed.
pub const DEPLOYED: Rules = Rules { transition, claim: SendClaim::apply, triage, may_write };

fn may_write(now: Timestamp, lease_until: Timestamp, need_ms: u64) -> bool {
    now <= lease_until.minus_ms(need_ms)
}

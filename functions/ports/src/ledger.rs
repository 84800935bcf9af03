//! What every write has in common: the nonce that tells our own lost success from somebody else's write, and the
//! decision made anew on what really stands in the table.

use payments::backoff::Dice;
use payments::id::Nonce;
use payments::payment::Payment;
use payments::policy::Policy;
use payments::transition::{Event, Kept, Moment, Step, transition};
use payments::write::{SendClaim, Written};

use crate::{Clock, Entropy, Store, StoreError};

/// Writes a new payment. A refusal whose item bears our nonce is our own success with a lost answer.
pub async fn put<S: Store>(store: &S, payment: &Payment) -> Result<Written, StoreError> {
    Ok(match store.put(payment).await? {
        Written::Refused(Some(stands)) if stands.nonce == payment.nonce => Written::Applied(stands),
        other => other,
    })
}

/// Claims a queued payment. A refusal whose item bears our claim is our own success with a lost answer.
pub async fn claim<S: Store>(store: &S, claim: &SendClaim) -> Result<Written, StoreError> {
    Ok(match store.claim(claim).await? {
        // Not by the nonce: a cancelation may have been written between the claim and its retry, and leaves the claim.
        Written::Refused(Some(stands)) if stands.claim.as_ref() == Some(&claim.kept()) => Written::Applied(stands),
        other => other,
    })
}

/// What came of deciding and writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This was written and stands.
    Changed(Box<Payment>),
    /// Nothing was to be written about this.
    Kept(Box<Payment>, Kept),
    /// There is no such payment.
    Missing,
}

/// Most times that one decision is made anew because somebody else wrote in between.
const TRIES_MAX: u32 = 8;

/// Decides on `payment` and writes the decision; when something else stands there by now, decides anew on that.
pub async fn decide<S: Store, C: Clock, E: Entropy>(
    store: &S,
    clock: &C,
    entropy: &E,
    policy: &Policy,
    payment: Payment,
    event: &Event<'_>,
) -> Result<Outcome, StoreError> {
    let mut stands = payment;
    for _ in 0..TRIES_MAX {
        let moment = moment(clock, entropy, policy);
        let after = match transition(&stands, event, &moment) {
            Step::Change(after) => after,
            Step::Keep(kept) => return Ok(Outcome::Kept(Box::new(stands), kept)),
        };
        match store.replace(&stands, &after).await? {
            Written::Applied(after) => return Ok(Outcome::Changed(after)),
            // Our own write with a lost answer.
            Written::Refused(Some(current)) if current.nonce == after.nonce => {
                return Ok(Outcome::Changed(current));
            }
            Written::Refused(Some(current)) => stands = *current,
            Written::Refused(None) | Written::ChargeRefused(_) => return Ok(Outcome::Missing),
        }
    }
    Err(StoreError::Refused("somebody else wrote each time".to_owned()))
}

/// A moment with fresh dice.
pub fn moment<'a, C: Clock, E: Entropy>(clock: &C, entropy: &E, policy: &'a Policy) -> Moment<'a> {
    let bits = entropy.bits();
    let low = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
    let nonce = Nonce::from_bits(entropy.bits());
    Moment { now: clock.now(), nonce, dice: Dice(low), policy, history_keys: Some(&policy.history_keys) }
}

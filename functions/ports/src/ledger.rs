//! What every write has in common: the nonce that tells our own lost success from somebody else's write, and the
//! decision made anew on what really stands in the table.

use payments::backoff::Dice;
use payments::id::Nonce;
use payments::payment::Payment;
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Moment, Step, transition};
use payments::write::{SendClaim, Written};

use crate::{Clock, Entropy, Queue, Store, StoreError};

/// Most times that one decision is made anew because somebody else wrote in between.
const DECISIONS_MAX: u32 = 8;

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

/// What every function needs of the world, as it is wired: ports of these types, and the policy that decides.
#[derive(Clone, Debug)]
pub struct Wired<S, Q, C, E> {
    /// The table of payments.
    pub store: S,
    /// The queues.
    pub queue: Q,
    /// The clock.
    pub clock: C,
    /// The dice.
    pub entropy: E,
    /// What decisions go by.
    pub policy: Policy,
}

/// The payments as a function works with them: read, decided on, written, and their messages sent.
pub trait Ledger: Sync {
    /// The table of payments.
    type Store: Store;
    /// The queues.
    type Queue: Queue;
    /// The clock.
    type Clock: Clock;
    /// The dice.
    type Entropy: Entropy;

    /// The table of payments.
    fn store(&self) -> &Self::Store;

    /// The queues.
    fn queue(&self) -> &Self::Queue;

    /// What decisions go by.
    fn policy(&self) -> &Policy;

    /// The clock.
    fn clock(&self) -> &Self::Clock;

    /// The dice.
    fn entropy(&self) -> &Self::Entropy;

    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> u64 {
        self.clock().now_us()
    }

    /// The same in milliseconds.
    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// 128 evenly distributed bits.
    fn bits(&self) -> u128 {
        self.entropy().bits()
    }

    /// A moment with fresh dice.
    fn moment(&self) -> Moment<'_> {
        moment(self.clock(), self.entropy(), self.policy())
    }

    /// [`put`] into this table.
    fn put(&self, payment: &Payment) -> impl Future<Output = Result<Written, StoreError>> + Send {
        put(self.store(), payment)
    }

    /// [`claim`] in this table.
    fn claim(&self, request: &SendClaim) -> impl Future<Output = Result<Written, StoreError>> + Send {
        claim(self.store(), request)
    }

    /// [`decide`] by this clock, these dice and this policy.
    fn decide(&self, payment: Payment, event: &Event<'_>) -> impl Future<Output = Result<Outcome, StoreError>> + Send {
        decide(self.store(), self.clock(), self.entropy(), self.policy(), payment, event)
    }
}

impl<S: Store, Q: Queue, C: Clock, E: Entropy> Ledger for Wired<S, Q, C, E> {
    type Store = S;
    type Queue = Q;
    type Clock = C;
    type Entropy = E;

    fn store(&self) -> &S {
        &self.store
    }

    fn queue(&self) -> &Q {
        &self.queue
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn clock(&self) -> &C {
        &self.clock
    }

    fn entropy(&self) -> &E {
        &self.entropy
    }
}

/// A moment with fresh dice.
pub fn moment<'a, C: Clock, E: Entropy>(clock: &C, entropy: &E, policy: &'a Policy) -> Moment<'a> {
    let low = u64::try_from(entropy.bits() & u128::from(u64::MAX)).unwrap_or(0);
    let nonce = Nonce::from_bits(entropy.bits());
    Moment { now: clock.now(), nonce, dice: Dice(low), policy, history_keys: Some(&policy.history_keys) }
}

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
    for _ in 0..DECISIONS_MAX {
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

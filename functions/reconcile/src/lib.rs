//! Finds what nothing else would ever look at again: open payments whose message was lost, because somebody died
//! between the put and the send, or a queue did not take it.
//!
//! It runs on a schedule and goes through the open-payments index, shard by shard, from the oldest on. It never sends to a provider and
//! never ends a payment: it puts a message back, and a message too many does no harm.

use payments::message::Message;
use payments::payment::{Lane, OPEN_SHARDS, Payment};
use payments::policy::Policy;
use payments::ports::{Clock, Depths, Entropy, OpenPayments, Queue, Store, StoreError};
use payments::store::{self, Outcome};
use payments::time::Timestamp;
use payments::transition::{Event, LOST_IN_BUSY_LANE_MS, LOST_IN_EMPTY_LANE_MS, has_lost_its_message};
use serde::Serialize;
use tracing::{error, info, warn};

/// Payments read of a shard at a time.
const PAGE: u32 = 100;
/// Kept at the end of an invocation, in ms.
const ANSWER_ALLOWANCE_MS: u64 = 2_000;

/// The reconcile function over its ports.
#[derive(Debug)]
pub struct Reconcile<S, Q, C, E> {
    store: S,
    queue: Q,
    clock: C,
    entropy: E,
    policy: Policy,
    most_heals: u32,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// Open payments looked at.
    pub looked_at: u32,
    /// Messages put back.
    pub healed: u32,
    /// Reads, writes and sends that failed; the next sweep looks again.
    pub failed: u32,
}

/// Which lanes hold no message.
#[derive(Clone, Copy, Debug)]
struct Empty {
    high: bool,
    standard: bool,
}

impl<S: Store + OpenPayments, Q: Queue + Depths, C: Clock, E: Entropy> Reconcile<S, Q, C, E> {
    /// A sweep over these ports that puts back at most `most_heals` messages at a time, so that it cannot make a
    /// backlog of its own.
    pub fn new(store: S, queue: Q, clock: C, entropy: E, policy: Policy, most_heals: u32) -> Self {
        Self { store, queue, clock, entropy, policy, most_heals }
    }

    /// Sweeps once, and stops before `deadline`.
    pub async fn handle(&self, deadline: Timestamp) -> Sweep {
        let mut sweep = Sweep::default();
        let end = deadline.minus_ms(ANSWER_ALLOWANCE_MS);
        let empty = Empty { high: self.is_empty(Lane::High).await, standard: self.is_empty(Lane::Standard).await };
        // Each sweep begins elsewhere, so that one that runs out of time does not always miss the same shards.
        let first = u32::try_from(self.entropy.bits() % u128::from(OPEN_SHARDS)).unwrap_or(0);
        for offset in 0..OPEN_SHARDS {
            let shard = first.saturating_add(offset).checked_rem(OPEN_SHARDS).unwrap_or(0);
            if let Err(error) = self.shard(shard, empty, end, &mut sweep).await {
                error!(event = "sweep_failed", shard, %error);
                sweep.failed = sweep.failed.saturating_add(1);
            }
            if self.is_over(&sweep, end) {
                warn!(event = "sweep_cut_short", shards = offset.saturating_add(1));
                break;
            }
        }
        info!(event = "sweep_done", looked_at = sweep.looked_at, healed = sweep.healed, failed = sweep.failed,);
        sweep
    }

    /// Goes through one shard page by page: what merely waits, pending for days perhaps, must not hide what is lost.
    async fn shard(&self, shard: u32, empty: Empty, end: Timestamp, sweep: &mut Sweep) -> Result<(), StoreError> {
        // While no lane is empty nothing younger is taken for lost, so that a sale's backlog is not even read.
        let patience_ms = if empty.high || empty.standard { LOST_IN_EMPTY_LANE_MS } else { LOST_IN_BUSY_LANE_MS };
        let before = self.clock.now().minus_ms(patience_ms);
        let mut after = None;
        loop {
            let page = self.store.open(shard, after.as_ref(), before, PAGE).await?;
            for key in &page {
                if self.is_over(sweep, end) {
                    return Ok(());
                }
                sweep.looked_at = sweep.looked_at.saturating_add(1);
                match self.look(&key.payment_id, empty).await {
                    Ok(true) => sweep.healed = sweep.healed.saturating_add(1),
                    Ok(false) => {}
                    Err(error) => {
                        error!(event = "sweep_failed", payment_id = key.payment_id.as_str(), %error);
                        sweep.failed = sweep.failed.saturating_add(1);
                    }
                }
            }
            match page.last() {
                Some(last) => after = Some(last.clone()),
                None => return Ok(()),
            }
        }
    }

    fn is_over(&self, sweep: &Sweep, end: Timestamp) -> bool {
        sweep.healed >= self.most_heals || self.clock.now() >= end
    }

    /// A lane whose depth cannot be read counts as busy.
    async fn is_empty(&self, lane: Lane) -> bool {
        match self.queue.depth(lane).await {
            Ok(depth) => depth == 0,
            Err(error) => {
                error!(event = "depth_unreadable", lane = lane.as_str(), %error);
                false
            }
        }
    }

    async fn look(&self, id: &payments::id::PaymentId, empty: Empty) -> Result<bool, StoreError> {
        let Some(payment) = self.store.get(id).await? else { return Ok(false) };
        let lane_is_empty = match payment.order.lane {
            Lane::High => empty.high,
            Lane::Standard => empty.standard,
        };
        if !has_lost_its_message(&payment, lane_is_empty, self.clock.now()) {
            return Ok(false);
        }
        self.heal(payment).await
    }

    async fn heal(&self, payment: Payment) -> Result<bool, StoreError> {
        let event = Event::Heal { replaces: None };
        let outcome = store::decide(&self.store, &self.clock, &self.entropy, &self.policy, payment, &event).await?;
        let payment = match outcome {
            Outcome::Changed(payment) => payment,
            Outcome::Kept(..) | Outcome::Missing => return Ok(false),
        };
        let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), self.clock.now());
        let sent = self.queue.send(payment.order.lane, &message, 0).await;
        sent.map_err(|error| StoreError::Refused(error.to_string()))?;
        info!(event = "payment_healed", payment_id = payment.id.as_str(), state = payment.state.as_str(),);
        Ok(true)
    }
}

//! Finds what nothing else would ever look at again: open payments whose message was lost, because somebody died
//! between the put and the send, or a queue did not take it; payments whose time is over; those that have been pending
//! or unknown for too long; refunds whose charge is gone; and open cases, which it counts.
//!
//! It writes for an operator what only a person can decide ([`operate`]), because it has the keys of histories and no secret
//! of the provider's.
//!
//! It runs on a schedule and goes through the open-payments index, shard by shard, from the oldest on. It never sends to
//! a provider, and the one end that it writes is that of a payment which was never sent and must not be any more.
//!
//! With the time that is left it goes through a part of the whole table, and forgets the details of what ended long ago.

mod forgetting;
mod look;
pub mod operate;

use pacing::gate::Healing;
use payments::index::Shard;
use payments::pass::Pass;
use payments::payment::{Lane, OPEN_SHARDS, State};

use payments::time::Timestamp;
use payments::transition::{LOST_IN_BUSY_LANE_MS, LOST_IN_EMPTY_LANE_MS};
use ports::{Depths, EndedPayments, EventName, GateStore, Ledger, Merged, OpenPayments, StoreError};
use serde::Serialize;
use tracing::{error, info, warn};

use look::{Empty, Lanes, Seen};

/// Payments read of a shard at a time.
const PAGE: u32 = 100;
/// Kept at the end of an invocation, in ms.
const ANSWER_ALLOWANCE_MS: u64 = 2_000;
/// Cases counted at most; that many are as loud as more.
const CASES_MAX: u32 = 1_000;
/// Ids named in one line of the log, of which one holds 36 characters.
const IDS_MAX: usize = 50;

/// The reconcile function over its ports.
#[derive(Debug)]
pub struct Reconcile<L, G> {
    ledger: L,
    gate: Watched<G>,
    most_heals: u32,
    pass: Pass,
}

/// The gate that a sweep looks at and never changes.
#[derive(Debug)]
pub struct Watched<G> {
    /// The table of gates.
    pub gates: G,
    /// Whose gate.
    pub provider: String,
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// Open payments looked at.
    pub looked_at: u32,
    /// Messages put back.
    pub healed: u32,
    /// Those among them whose claim had been left behind.
    pub stuck: u32,
    /// Payments that expired without ever being sent.
    pub expired: u32,
    /// Payments that are pending or unknown for too long.
    pub overdue: u32,
    /// Those among them that were put in front of a person.
    pub parked: u32,
    /// Open refunds whose charge is not here any more.
    pub without_charge: u32,
    /// Cases that are open.
    pub cases: u32,
    /// Payments whose details were forgotten.
    pub forgotten: u32,
    /// Payments whose details were not forgotten, because their histories do not verify.
    pub doubted: u32,
    /// Reads, writes and sends that failed; the next sweep looks again.
    pub failed: u32,
    /// How old the oldest is, by state. For the log: what a sweep answers with are counts.
    #[serde(skip)]
    pub oldest: Oldest,
}

/// The age of the oldest open payment in each state, in seconds; 0 where the sweep looked at none. It looks at none that is
/// younger than what may have lost its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oldest {
    /// Of those that wait to be sent.
    pub queued_seconds: u64,
    /// Of those that somebody has claimed.
    pub sending_seconds: u64,
    /// Of those that the provider has and will answer later.
    pub pending_seconds: u64,
    /// Of those whose request may have had an effect.
    pub unknown_seconds: u64,
}

impl Oldest {
    fn see(&mut self, state: State, age_seconds: u64) {
        let oldest = match state {
            State::Queued => &mut self.queued_seconds,
            State::Sending => &mut self.sending_seconds,
            State::Pending => &mut self.pending_seconds,
            State::Unknown => &mut self.unknown_seconds,
            State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => return,
        };
        *oldest = age_seconds.max(*oldest);
    }
}

/// Counts, and remembers whom people have to be told of.
#[derive(Debug, Default)]
struct Tally {
    sweep: Sweep,
    overdue: Vec<String>,
    without_charge: Vec<String>,
}

impl Tally {
    fn failed(&mut self) {
        self.sweep.failed = self.sweep.failed.saturating_add(1);
    }

    fn add(&mut self, id: &str, seen: Seen) {
        let count = |count: &mut u32, is_one: bool| *count = count.saturating_add(u32::from(is_one));
        count(&mut self.sweep.looked_at, true);
        count(&mut self.sweep.healed, seen.healed);
        count(&mut self.sweep.stuck, seen.stuck);
        count(&mut self.sweep.expired, seen.expired);
        count(&mut self.sweep.overdue, seen.overdue);
        count(&mut self.sweep.parked, seen.parked);
        count(&mut self.sweep.without_charge, seen.without_charge);
        if let Some((state, age_seconds)) = seen.waits {
            self.sweep.oldest.see(state, age_seconds);
        }
        for (is_one, ids) in [(seen.overdue, &mut self.overdue), (seen.without_charge, &mut self.without_charge)] {
            if is_one && ids.len() < IDS_MAX {
                ids.push(id.to_owned());
            }
        }
    }

    /// Tells people: a line each, with the ids, as long as it is so.
    fn log(&self) {
        let Sweep {
            looked_at,
            healed,
            stuck,
            expired,
            overdue,
            parked,
            without_charge,
            cases,
            forgotten,
            doubted,
            failed,
            oldest,
        } = self.sweep;
        if overdue > 0 {
            warn!(event = EventName::PaymentsOverdue.as_str(), overdue, parked, payment_ids = self.overdue.join(" "));
        }
        if without_charge > 0 {
            let payment_ids = self.without_charge.join(" ");
            error!(event = EventName::RefundsWithoutCharge.as_str(), refunds = without_charge, payment_ids);
        }
        // Also when they are 0: what is not said is no zero.
        let Oldest { queued_seconds, sending_seconds, pending_seconds, unknown_seconds } = oldest;
        info!(
            event = EventName::OldestOpen.as_str(),
            queued_seconds, sending_seconds, pending_seconds, unknown_seconds
        );
        info!(
            event = EventName::SweepDone.as_str(),
            looked_at, healed, stuck, expired, overdue, parked, without_charge, cases, forgotten, doubted, failed,
        );
    }
}

impl<L, G> Reconcile<L, G>
where
    L: Ledger<Store: OpenPayments + EndedPayments, Queue: Depths>,
    G: GateStore,
{
    /// A sweep over these ports that puts back at most `most_heals` messages at a time, so that it cannot make a
    /// backlog of its own.
    pub fn new(ledger: L, gate: Watched<G>, most_heals: u32) -> Self {
        Self { ledger, gate, most_heals, pass: Pass::DEPLOYED }
    }

    /// The same, going through the table by another plan.
    #[must_use]
    pub fn with_pass(self, pass: Pass) -> Self {
        Self { pass, ..self }
    }

    /// Sweeps once, and stops before `deadline`.
    pub async fn handle(&self, deadline: Timestamp) -> Sweep {
        let mut tally = Tally::default();
        let end = deadline.minus_ms(ANSWER_ALLOWANCE_MS);
        // First, because a sweep that runs out of time must not silence the alarm.
        self.cases(&mut tally).await;
        let healing = self.healing().await;
        let empty = Empty { high: self.is_empty(Lane::High).await, standard: self.is_empty(Lane::Standard).await };
        let lanes = Lanes { empty, healing };
        // Each sweep begins elsewhere, so that one that runs out of time does not always miss the same shards.
        let first = u32::try_from(self.ledger.bits() % u128::from(OPEN_SHARDS)).unwrap_or(0);
        for offset in 0..OPEN_SHARDS {
            let shard = first.saturating_add(offset).checked_rem(OPEN_SHARDS).unwrap_or(0);
            if let Err(error) = self.shard(shard, lanes, end, &mut tally).await {
                error!(event = EventName::SweepFailed.as_str(), shard, %error);
                tally.failed();
            }
            if self.is_over(end) {
                warn!(event = EventName::SweepCutShort.as_str(), shards = offset.saturating_add(1));
                break;
            }
        }
        // Last, because nobody waits for it.
        if !self.is_over(end) {
            self.forget(end, &mut tally).await;
        }
        tally.log();
        tally.sweep
    }

    /// Counts the open cases, and says so also when there are none: what is not said is no zero.
    async fn cases(&self, tally: &mut Tally) {
        match self.count_cases().await {
            Ok(cases) => {
                tally.sweep.cases = cases;
                info!(event = EventName::CasesOpen.as_str(), cases);
            }
            Err(error) => {
                error!(event = EventName::CasesUncounted.as_str(), %error);
                tally.failed();
            }
        }
    }

    async fn count_cases(&self) -> Result<u32, StoreError> {
        let mut found = Merged::new(self.ledger.store(), Shard::all_cases(), self.ledger.now(), PAGE);
        let mut cases = 0_u32;
        while cases < CASES_MAX && found.next().await?.is_some() {
            cases = cases.saturating_add(1);
        }
        Ok(cases)
    }

    /// Goes through one shard page by page: what merely waits, pending for days perhaps, must not hide what is lost.
    async fn shard(&self, shard: u32, lanes: Lanes, end: Timestamp, tally: &mut Tally) -> Result<(), StoreError> {
        // While no lane is empty nothing younger is taken for lost, so that a sale's backlog is not even read.
        let empty = lanes.empty;
        let patience_ms = if empty.high || empty.standard { LOST_IN_EMPTY_LANE_MS } else { LOST_IN_BUSY_LANE_MS };
        let before = self.ledger.now().minus_ms(patience_ms);
        let mut after = None;
        loop {
            let page = self.ledger.store().open(Shard::Open(shard), after.as_ref(), before, PAGE).await?;
            for key in &page {
                if self.is_over(end) {
                    return Ok(());
                }
                let id = key.payment_id.as_str();
                let may_heal = tally.sweep.healed < self.most_heals;
                match self.look(&key.payment_id, lanes, may_heal).await {
                    Ok(seen) => tally.add(id, seen),
                    Err(error) => {
                        error!(event = EventName::SweepFailed.as_str(), payment_id = id, %error);
                        tally.failed();
                    }
                }
            }
            match page.last() {
                Some(last) => after = Some(last.clone()),
                None => return Ok(()),
            }
        }
    }

    /// Only time ends a sweep. When it has put back what it may, it goes on without healing: what has expired, is late or
    /// has lost its charge is not to wait for a long outage's end.
    fn is_over(&self, end: Timestamp) -> bool {
        self.ledger.now() >= end
    }

    /// What may be put back while the gate stands as it does. What waits for it is not lost; but behind a gate that cannot be
    /// read something may be, and a message too many does no harm.
    async fn healing(&self) -> Healing {
        let provider = self.gate.provider.as_str();
        let healing = match self.gate.gates.read(provider).await {
            Ok(gate) => gate.map_or(Healing::USUAL, |gate| gate.healing()),
            Err(error) => {
                warn!(event = EventName::SweepWithoutGate.as_str(), provider, %error);
                Healing::USUAL
            }
        };
        match healing {
            Healing::Lost { .. } => {}
            Healing::IntoAnEmptyLane | Healing::Nothing => {
                info!(event = EventName::HealsHeld.as_str(), provider, heals = healing.as_str());
            }
        }
        healing
    }

    /// A lane whose depth cannot be read counts as busy.
    async fn is_empty(&self, lane: Lane) -> bool {
        match self.ledger.queue().depth(lane).await {
            Ok(depth) => depth.all() == 0,
            Err(error) => {
                error!(event = EventName::DepthUnreadable.as_str(), lane = lane.as_str(), %error);
                false
            }
        }
    }
}

//! The gate: one place in the whole system where send slots are handed out, so that the rate holds for any number of
//! consumers.
//!
//! Virtual scheduling (the leaky bucket as a meter, ITU-T I.371 Annex A): the next free slot is at
//! max(now, next), and taking `n` slots moves it on by `n` ÷ rate. DynamoDB's update expressions have no maximum, so
//! there are two conditional forms of the same update: one for a gate that is behind us, one for one that is ahead.

use serde::{Deserialize, Serialize};

use crate::ports::{GateError, GateStore};

/// What the gate's item says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateState {
    /// The provider that this is the gate of.
    pub provider: String,
    /// The next free slot, in microseconds since the epoch.
    pub next_us: u64,
    /// The provider's limit, in calls a second.
    pub rate_per_second: u32,
    /// How much of each second is kept free for the network's jitter, in ms; a slot that is missed by more is lost.
    pub margin_ms: u32,
    /// Counts changes of the rate; a reservation that assumed another rate is refused.
    pub rate_version: u64,
    /// Set by an operator: nothing is sent.
    #[serde(default)]
    pub paused: bool,
}

impl GateState {
    /// A new gate, free from the beginning of time.
    pub fn new(provider: &str, rate_per_second: u32, margin_ms: u32) -> Self {
        Self {
            provider: provider.to_owned(),
            next_us: 0,
            rate_per_second: rate_per_second.max(1),
            margin_ms: margin_ms.min(900),
            rate_version: 1,
            paused: false,
        }
    }

    /// Microseconds that `slots` slots take, rounded up so that the rate is never exceeded.
    ///
    /// The pace is the rate less the margin's share of a second: any window of one second then holds at most
    /// rate × (1 − margin) × (1 + margin) + 1 < rate + 1 calls, though each may be late by the margin.
    pub fn span_us(&self, slots: u32) -> u64 {
        let used_ms = 1_000_u64.saturating_sub(u64::from(self.margin_ms)).max(1);
        let calls_per_1000_seconds = u64::from(self.rate_per_second.max(1)).saturating_mul(used_ms);
        u64::from(slots).saturating_mul(1_000_000_000).div_ceil(calls_per_1000_seconds)
    }

    /// Slots that begin at or after `from_us` and not later than `latest_us`.
    fn slots_until(&self, from_us: u64, latest_us: u64) -> u32 {
        if latest_us < from_us {
            return 0;
        }
        let room_us = latest_us.saturating_sub(from_us);
        let one_us = self.span_us(1).max(1);
        u32::try_from(room_us / one_us).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Which form of the update is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The gate's next slot is in the past: it begins now.
    Idle,
    /// The gate's next slot is in the future: it goes on from there.
    Busy,
}

/// One conditional update of the gate's item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// The gate.
    pub provider: String,
    /// Which form.
    pub form: Form,
    /// The rate's version that `span_us` was computed with.
    pub rate_version: u64,
    /// Now, in microseconds.
    pub now_us: u64,
    /// How far the next slot moves.
    pub span_us: u64,
    /// The largest next slot before the update for which all of the slots are in time (busy form only).
    pub next_at_most_us: u64,
}

impl Reserve {
    /// What the update makes of the gate, or `None` when its condition fails. The AWS adapter writes the same as an
    /// update expression; the contract suite holds the two together.
    pub fn apply(&self, gate: &GateState) -> Option<GateState> {
        if gate.rate_version != self.rate_version || gate.paused {
            return None;
        }
        let next_us = match self.form {
            Form::Idle if gate.next_us <= self.now_us => self.now_us,
            Form::Busy if gate.next_us > self.now_us && gate.next_us <= self.next_at_most_us => gate.next_us,
            Form::Idle | Form::Busy => return None,
        };
        Some(GateState { next_us: next_us.saturating_add(self.span_us), ..gate.clone() })
    }
}

/// Slots that are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// When the first begins, in microseconds since the epoch.
    pub first_us: u64,
    /// How many.
    pub count: u32,
    /// Microseconds that all of them take.
    pub span_us: u64,
    /// How late a slot may be used, in microseconds.
    pub margin_us: u64,
}

impl Slots {
    /// When the slot of this index begins; `None` beyond the last.
    pub fn start_us(&self, index: u32) -> Option<u64> {
        (index < self.count).then(|| {
            let offset = self.span_us.saturating_mul(u64::from(index)) / u64::from(self.count.max(1));
            self.first_us.saturating_add(offset)
        })
    }
}

/// What the gate gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// These slots, at least one and at most as many as were wanted.
    Slots(Slots),
    /// None in time; the first free one is then.
    Later {
        /// In microseconds since the epoch.
        free_us: u64,
    },
    /// An operator has paused the provider.
    Paused,
}

/// Plans the update for up to `wanted` slots that begin between now and `latest_us`.
fn plan(gate: &GateState, wanted: u32, now_us: u64, latest_us: u64) -> Option<(Reserve, u32)> {
    let from_us = gate.next_us.max(now_us);
    let count = wanted.min(gate.slots_until(from_us, latest_us));
    if count == 0 {
        return None;
    }
    let form = if gate.next_us > now_us { Form::Busy } else { Form::Idle };
    let last_us = gate.span_us(count).saturating_sub(gate.span_us(1));
    let reserve = Reserve {
        provider: gate.provider.clone(),
        form,
        rate_version: gate.rate_version,
        now_us,
        span_us: gate.span_us(count),
        next_at_most_us: latest_us.saturating_sub(last_us),
    };
    Some((reserve, count))
}

/// Most updates that one reservation may take; a gate that is contended more than that is asked again later.
const TRIES_MAX: u32 = 4;

/// Reserves up to `wanted` slots that begin between now and `latest_us`.
///
/// `seen` is what the caller last saw of the gate (or its settings, at first) and is brought up to date: in the
/// ordinary case the first update's guess is right and one call is enough.
pub async fn reserve<G: GateStore>(
    store: &G,
    seen: &mut GateState,
    wanted: u32,
    now_us: u64,
    latest_us: u64,
) -> Result<Reservation, GateError> {
    for _ in 0..TRIES_MAX {
        // A pause or a full gate that we only remember may be over: ask with the smallest guess instead.
        let guess = plan(seen, wanted, now_us, latest_us).unwrap_or_else(|| {
            let span_us = seen.span_us(1);
            let reserve = Reserve {
                provider: seen.provider.clone(),
                form: Form::Busy,
                rate_version: seen.rate_version,
                now_us,
                span_us,
                next_at_most_us: latest_us,
            };
            (reserve, 1)
        });
        let (request, count) = guess;
        match store.reserve(&request).await? {
            GateAnswer::Reserved(after) => {
                let slots = Slots {
                    first_us: after.next_us.saturating_sub(request.span_us),
                    count,
                    span_us: request.span_us,
                    margin_us: u64::from(after.margin_ms).saturating_mul(1_000),
                };
                *seen = after;
                return Ok(Reservation::Slots(slots));
            }
            GateAnswer::Refused(Some(current)) => {
                *seen = current;
                if seen.paused {
                    return Ok(Reservation::Paused);
                }
                if plan(seen, wanted, now_us, latest_us).is_none() {
                    return Ok(Reservation::Later { free_us: seen.next_us });
                }
            }
            GateAnswer::Refused(None) => store.create(seen).await?,
        }
    }
    Ok(Reservation::Later { free_us: seen.next_us.max(now_us) })
}

/// What became of an update of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateAnswer {
    /// Done; this is the item now.
    Reserved(GateState),
    /// The condition failed; this is the item, if there is one.
    Refused(Option<GateState>),
}

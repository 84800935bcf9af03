//! The consumer at the gate: reserves for its batch, keeps it while nothing may be sent, and says how its calls went.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use batch::Verdict;
use pacing::breaker::{Breaker, Cause, Health, Mode};
use pacing::gate::{GateView, Reservation, Slots};
use payments::time::Timestamp;
use ports::gate;
use ports::{EventName, GateStore, Ledger, PortError, Provider};
use tracing::{error, info, warn};

use crate::Consumer;

/// How long a batch waits before it asks a contended gate again.
const GATE_PAUSE: Duration = Duration::from_secs(1);
/// The longest that a batch waits before it looks again whether a stopped gate goes on, in ms: a read, at most one for
/// each environment in that time. 1,000 environments make 200 reads a second of the 3,000 that a partition gives.
const STOPPED_LOOK_MS: u64 = 5_000;
/// How long what a stopped gate leaves is hidden when it is handed back, in ms, but no longer than the policy
/// hides anything: infra/decisions/0010 says why.
const STOPPED_HIDE_MS: u64 = 20_000;
/// How long a message waits when the gate cannot be read, in seconds.
const GATE_DOWN_SECONDS: u32 = 5;

/// A slot, and what it was reserved under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) start_us: u64,
    /// The reservation that it is of, and its place there.
    pub(crate) of: Slots,
    pub(crate) index: u32,
    /// The pace that its call was sent at, if that counts.
    pub(crate) pace: Option<u64>,
}

impl Slot {
    /// The slot of this index; `None` beyond the last.
    pub(crate) fn of(slots: &Slots, index: u32) -> Option<Self> {
        let start_us = slots.start_us(index)?;
        Some(Self { start_us, of: *slots, index, pace: None })
    }
}

/// What the gate's answer means for the batch.
pub(crate) enum Turn {
    /// Start as many.
    Slots(Slots),
    /// Keep the batch and ask again after this.
    Pause(Duration),
    /// Nothing more can be started in this invocation.
    Over(Verdict),
}

impl<L: Ledger, G: GateStore, P: Provider> Consumer<L, G, P> {
    pub(crate) async fn slots(&self, wanted: u32, end: Timestamp, pause: Duration) -> Turn {
        let latest_us = end.minus_ms(self.ledger.policy().lease_ms()).us();
        // Not longer than a slot can still be used: what is handed back is handed back in time.
        let left_us = latest_us.saturating_sub(self.ledger.now_us());
        let pause = pause.min(Duration::from_micros(left_us));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let now_us = self.ledger.now_us();
        let earliest_us = now_us.saturating_add(self.ledger.policy().claim_lead_ms.saturating_mul(1_000));
        let nothing_fits = latest_us < earliest_us;
        if nothing_fits {
            let hide_ms = if self.seen().is_stopped(now_us) {
                STOPPED_HIDE_MS.min(self.ledger.policy().backoff_cap_ms)
            } else {
                0
            };
            let now = Timestamp::from_us(now_us);
            return Turn::Over(Verdict::again_at(now.plus_ms(hide_ms), now));
        }
        match self.reserve(wanted, earliest_us, latest_us).await {
            Ok(Reservation::Slots(slots)) => Turn::Slots(slots),
            Ok(Reservation::Paused) => Turn::Pause(Duration::from_millis(STOPPED_LOOK_MS)),
            Ok(Reservation::Open { probe_at_us }) => {
                let due_us = probe_at_us.map_or(u64::MAX, |at_us| at_us.saturating_sub(earliest_us));
                Turn::Pause(Duration::from_micros(due_us.clamp(1_000, STOPPED_LOOK_MS.saturating_mul(1_000))))
            }
            Ok(Reservation::Later { free_us }) if free_us <= latest_us => Turn::Pause(GATE_PAUSE),
            // A slow pace, as after a brownout: others have all of the slots in reach. Handed back until then, a batch would
            // make room for the next one to be handed back, until the queue has no more in flight to give.
            Ok(Reservation::Later { .. }) => Turn::Pause(Duration::from_millis(STOPPED_LOOK_MS)),
            Err(error) => {
                error!(event = EventName::GateUnreadable.as_str(), %error);
                Turn::Over(Verdict::Again { seconds: GATE_DOWN_SECONDS })
            }
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, GateView> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn reserve(
        &self,
        wanted: u32,
        earliest_us: u64,
        latest_us: u64,
    ) -> Result<Reservation, PortError> {
        let reserved = gate::reserve(&self.gate, &self.seen, wanted, earliest_us, latest_us).await;
        self.log_changes();
        reserved
    }

    /// Counts what a call says about the provider. The counts go with the next reservation; what changes the breaker or
    /// the brake is said at once, because until then everybody sends.
    pub(crate) async fn tally(&self, health: Health, slot: &Slot) {
        {
            let mut seen = self.seen();
            seen.tally(health, slot.of.version, slot.of.is_probe);
            if let Health::RateLimits { retry_after_ms } = health {
                seen.is_limited(slot.pace, retry_after_ms);
            }
        }
        let now_us = self.ledger.now_us();
        if let Err(error) = gate::report(&self.gate, &self.seen, now_us).await {
            // It is kept and goes with the next reservation; a probe that nobody reports ends with its lease.
            warn!(event = EventName::GateReportFailed.as_str(), %error);
        }
        self.log_changes();
    }

    /// Sees whether the pace has fallen or stopped since its slots were reserved. Where that cannot be seen they are its own
    /// all the same.
    pub(crate) async fn look_at_the_gate(&self) {
        if let Err(error) = gate::look(&self.gate, &self.seen, self.ledger.now_us()).await {
            warn!(event = EventName::GateLookFailed.as_str(), %error);
        }
    }

    /// Logs what this consumer changed of the breaker; who changes it logs it, so that each change is one line.
    fn log_changes(&self) {
        let (changes, provider) = {
            let mut seen = self.seen();
            (seen.take_changes(), seen.state().provider.clone())
        };
        for Breaker { mode, cause, reopened, .. } in changes {
            let probe_not_made = cause == Cause::ProbeNotMade;
            let cause = cause.as_str();
            match mode {
                // It told nothing; the next consumer tries at once.
                Mode::Open { .. } if probe_not_made => info!(event = EventName::BreakerProbeNotMade.as_str(), provider),
                // Each probe that fails says it again, which keeps the alarm up for as long as payments wait.
                Mode::Open { probe_at_us } => {
                    let probe_in_ms = probe_at_us.map(|at_us| at_us.saturating_sub(self.ledger.now_us()) / 1_000);
                    let needs_operator = probe_at_us.is_none();
                    error!(
                        event = EventName::BreakerOpened.as_str(),
                        provider, cause, reopened, probe_in_ms, needs_operator
                    );
                }
                Mode::Probing { .. } => info!(event = EventName::BreakerProbing.as_str(), provider, cause),
                Mode::Ramp => info!(event = EventName::BreakerRamping.as_str(), provider, cause),
                Mode::Closed => info!(event = EventName::BreakerClosed.as_str(), provider, cause),
            }
        }
    }
}

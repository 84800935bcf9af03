//! The gate as one consumer sees it, what it has to report, and how it reserves.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Control, Counts, Form, GateAnswer, GateSettings, GateState, GateUpdate, Reservation, Sending, Slots, Take,
};
use crate::breaker::{Breaker, Cause, Counted, Health, Mode, WHOLE_PERMILLE, Window};
use crate::ports::{GateError, GateStore};

/// What a consumer has not reported yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unreported {
    counts: Counts,
    /// A 429: the version that its slot was reserved under, and its Retry-After.
    rate_limited: Option<(u64, Option<u64>)>,
    credentials_refused: bool,
    /// Our probe: the version that it was taken with, and how it went.
    probe: Option<(u64, Health)>,
}

impl Unreported {
    /// These, and then those.
    fn then(self, later: Self) -> Self {
        Self {
            counts: self.counts.then(&later.counts),
            rate_limited: later.rate_limited.or(self.rate_limited),
            credentials_refused: self.credentials_refused || later.credentials_refused,
            probe: later.probe.or(self.probe),
        }
    }
}

/// What a consumer knows of the gate.
#[derive(Clone, Debug)]
pub struct GateView {
    state: GateState,
    settings: GateSettings,
    window: Window,
    unreported: Unreported,
    changes: Vec<Breaker>,
    /// Answers that were taken in.
    heard: u64,
}

/// An update that is on its way.
struct Sent {
    update: Box<GateUpdate>,
    /// How many slots it takes.
    count: u32,
    /// Whether that is the breaker's probe.
    is_probe: bool,
    /// What it reports.
    told: Unreported,
    /// How many answers had been taken in when it was made.
    asked: u64,
}

/// What comes after an update.
enum Next {
    /// These are ours.
    Slots(Slots),
    /// Ask again, by what is known now.
    Again,
    /// There is no gate yet.
    Create,
    /// The gate did not answer.
    Failed(GateError),
}

/// What to ask of the gate's item.
enum Ask {
    /// This update.
    Update(Sent),
    /// Nothing: this is what it would say, if it is still as we have seen it.
    Nothing(Reservation),
}

impl GateView {
    /// A view of a gate that nobody has looked at yet: `state` is what it is created with if there is none.
    pub fn new(state: GateState, settings: GateSettings) -> Self {
        Self {
            state,
            settings,
            window: Window::default(),
            unreported: Unreported::default(),
            changes: Vec::new(),
            heard: 0,
        }
    }

    /// The gate as it was last seen.
    pub const fn state(&self) -> &GateState {
        &self.state
    }

    /// What this consumer has changed of the breaker since it was last asked, to be logged once.
    pub fn take_changes(&mut self) -> Vec<Breaker> {
        std::mem::take(&mut self.changes)
    }

    /// Whether a call may be made in a slot that was reserved under `version`, as far as we have seen. What was handed
    /// out before the breaker opened, a pause or a hold began is not used after it.
    pub fn may_send(&self, version: u64, now_us: u64) -> bool {
        let stopped_since = match self.state.breaker.mode {
            Mode::Closed => false,
            Mode::Open { .. } | Mode::Probing { .. } | Mode::Ramp => version < self.state.breaker.version,
        };
        !self.state.paused && !stopped_since && now_us >= self.state.brake.hold_until_us
    }

    /// Whether nothing may be sent for now, as far as we have seen.
    pub fn is_stopped(&self, now_us: u64) -> bool {
        match self.state.sending(&self.settings, now_us) {
            Sending::Paused | Sending::Open { .. } | Sending::Probe => true,
            Sending::Pace(_) => now_us < self.state.brake.hold_until_us,
        }
    }

    /// Counts how a call went that was made in a slot reserved under `version`.
    pub fn tally(&mut self, health: Health, version: u64, is_probe: bool) {
        // What was sent under an earlier breaker says nothing about this one: its failures are why it opened.
        if version < self.state.breaker.version {
            return;
        }
        if is_probe {
            self.unreported.probe = Some((version, health));
        }
        match health {
            Health::Answers => self.unreported.counts.add(false),
            Health::Fails => self.unreported.counts.add(true),
            Health::RateLimits { retry_after_ms } => {
                self.unreported.counts.add(false);
                self.unreported.rate_limited = Some((version, retry_after_ms));
            }
            Health::RefusesCredentials => self.unreported.credentials_refused = true,
            Health::Unsaid => {}
        }
    }

    /// Whether what has to be reported changes the breaker or the brake, and should not wait for the next reservation.
    pub fn is_urgent(&self, now_us: u64) -> bool {
        self.changed(&self.unreported, now_us).is_some()
    }

    /// What the gate assumes from now on, if what is known and what is yet unreported change it.
    fn changed(&self, unreported: &Unreported, now_us: u64) -> Option<Control> {
        let GateState { breaker, brake, rate_version, .. } = &self.state;
        let version = rate_version.saturating_add(1);
        let had = Counts { calls: self.state.calls, failures: self.state.failures, in_a_row: self.state.in_a_row };
        let sums = had.then(&unreported.counts);
        let (calls, failures) = self.window.since(sums.calls, sums.failures);
        let counted = Counted {
            in_a_row: sums.in_a_row,
            calls,
            failures,
            credentials_refused: unreported.credentials_refused,
            probe: unreported.probe.filter(|(taken, _)| *taken == breaker.version).map(|(_, health)| health),
        };
        let judged = breaker.judged(&counted, &self.settings.breaker, now_us, version);
        let pulled = unreported.rate_limited.and_then(|(reserved, retry_after_ms)| {
            brake.pulled(reserved, retry_after_ms, &self.settings.brake, now_us, version)
        });
        if judged.is_none() && pulled.is_none() {
            return None;
        }
        let control = self.state.control();
        Some(Control { breaker: judged.unwrap_or(*breaker), brake: pulled.unwrap_or(*brake), ..control })
    }

    /// What to ask for up to `wanted` slots between now and `latest_us`. What it reports is on its way from here on.
    fn ask(&mut self, wanted: u32, now_us: u64, latest_us: u64, is_fresh: bool) -> Ask {
        let told = std::mem::take(&mut self.unreported);
        let mut control = self.changed(&told, now_us);
        if !is_fresh && told.counts.calls > 0 && control.as_ref().is_some_and(is_opened_by_counts) {
            // Others may have had successes since we looked: first the counts, then the judgement on everybody's.
            let update = GateUpdate { counts: told.counts, ..GateUpdate::of(&self.state) };
            self.unreported = Unreported { counts: Counts::default(), ..told };
            let told = Unreported { counts: told.counts, ..Unreported::default() };
            return Ask::Update(Sent { update: Box::new(update), count: 0, is_probe: false, told, asked: self.heard });
        }
        let version = self.state.rate_version.saturating_add(1);
        let planned = match &control {
            Some(Control { breaker, brake, .. }) => {
                GateState { breaker: *breaker, brake: *brake, ..self.state.clone() }
            }
            None => self.state.clone(),
        };
        let sending = planned.sending(&self.settings, now_us);
        let (most, permille, is_probe) = match sending {
            Sending::Pace(permille) => (wanted, permille, false),
            Sending::Probe => (wanted.min(1), WHOLE_PERMILLE, true),
            Sending::Paused | Sending::Open { .. } => (0, WHOLE_PERMILLE, false),
        };
        let earliest_us = now_us.max(planned.brake.hold_until_us);
        let from_us = planned.next_us.max(earliest_us);
        let count = most.min(planned.slots_until(from_us, latest_us, permille));
        if count == 0 && control.is_none() {
            self.unreported = told.then(self.unreported);
            return Ask::Nothing(match sending {
                Sending::Paused => Reservation::Paused,
                Sending::Open { probe_at_us } => Reservation::Open { probe_at_us },
                Sending::Pace(_) | Sending::Probe => Reservation::Later { free_us: from_us },
            });
        }
        if is_probe && count > 0 {
            let breaker = planned.breaker.probing(&self.settings.breaker, from_us, version);
            control = Some(Control { breaker, brake: planned.brake, ..self.state.control() });
        }
        let mut update = GateUpdate::of(&self.state);
        update.counts = told.counts;
        update.control = control.map(Box::new);
        update.take = (count > 0).then(|| Take {
            form: if planned.next_us > earliest_us { Form::Busy } else { Form::Idle },
            now_us: earliest_us,
            span_us: planned.span_at_us(count, permille),
            next_at_most_us: {
                let last_us = planned.span_at_us(count, permille).saturating_sub(planned.span_at_us(1, permille));
                latest_us.saturating_sub(last_us)
            },
        });
        Ask::Update(Sent { update: Box::new(update), count, is_probe, told, asked: self.heard })
    }

    /// Takes in what became of an update.
    fn answered(&mut self, sent: Sent, answer: Result<GateAnswer, GateError>, now_us: u64) -> Next {
        let Sent { update, count, is_probe, told, asked } = sent;
        let after = match answer {
            Ok(GateAnswer::Done(after)) => after,
            Ok(GateAnswer::Refused(None)) => {
                self.unreported = told.then(self.unreported);
                return Next::Create;
            }
            Ok(GateAnswer::Refused(Some(stands))) => {
                // Our own change of the breaker, whose answer was lost: it is ours to log, and is not reported again.
                let is_ours = |control: &Control| update.begins_a_row() && control.breaker == stands.breaker;
                if update.control.as_deref().is_some_and(is_ours) {
                    self.changes.push(stands.breaker);
                } else {
                    self.unreported = told.then(self.unreported);
                }
                self.hear(*stands, asked, now_us);
                return Next::Again;
            }
            Err(error) => {
                self.unreported = told.then(self.unreported);
                return Next::Failed(error);
            }
        };
        let slots = update.take.map(|take| Slots {
            first_us: after.next_us.saturating_sub(take.span_us),
            count,
            span_us: take.span_us,
            margin_us: u64::from(after.margin_ms).saturating_mul(1_000),
            version: after.rate_version,
            is_probe,
        });
        if update.begins_a_row() {
            self.changes.push(after.breaker);
        }
        self.hear(*after, asked, now_us);
        // With everybody's counts in front of us: may these slots be used at all?
        let change = self.changed(&Unreported::default(), now_us);
        let opens = change.is_some_and(|control| matches!(control.breaker.mode, Mode::Open { .. }));
        match slots {
            Some(slots) if !opens => Next::Slots(slots),
            Some(_) | None => Next::Again,
        }
    }

    /// Takes in what the gate says now. `asked` is what [`Self::heard`] counted when this was asked: of two questions that
    /// were under way side by side the older answer may come last, and must not undo a pause nor take back sums. One that
    /// was asked with the newer state in hand and is older all the same is of an item that was put back: it is believed.
    fn hear(&mut self, state: GateState, asked: u64, now_us: u64) {
        let is_older = state.rate_version < self.state.rate_version
            || (state.rate_version == self.state.rate_version
                && (state.calls < self.state.calls || state.next_us < self.state.next_us));
        if is_older && asked < self.heard {
            return;
        }
        self.heard = self.heard.saturating_add(1);
        if state.breaker.version > self.state.breaker.version {
            // What was counted under the breaker before says nothing about this one.
            self.window.clear();
            self.unreported = Unreported { rate_limited: self.unreported.rate_limited, ..Unreported::default() };
        }
        if state.brake.version > self.state.brake.version {
            self.unreported.rate_limited =
                self.unreported.rate_limited.filter(|(reserved, _)| *reserved >= state.brake.version);
        }
        self.window.mark(state.calls, state.failures, self.settings.breaker.window_ms, now_us);
        self.state = state;
    }
}

/// Whether the breaker opens because of what was counted, which may be old by now.
fn is_opened_by_counts(control: &Control) -> bool {
    let is_open = matches!(control.breaker.mode, Mode::Open { .. });
    is_open && matches!(control.breaker.cause, Cause::ConsecutiveFailures | Cause::FailingShare)
}

/// Locks; no holder of this lock can panic between two changes of it.
fn lock(view: &Mutex<GateView>) -> MutexGuard<'_, GateView> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most requests that one reservation may take; a gate that is contended more than that is asked again later.
const TRIES_MAX: u32 = 5;

/// Reserves up to `wanted` slots that begin between now and `latest_us`, and reports what has to be reported.
///
/// `view` is what the caller last saw of the gate (or its settings, at first) and is brought up to date: in the
/// ordinary case the first update's guess is right and one call is enough.
pub async fn reserve<G: GateStore>(
    store: &G,
    view: &Mutex<GateView>,
    wanted: u32,
    now_us: u64,
    latest_us: u64,
) -> Result<Reservation, GateError> {
    let mut is_fresh = false;
    for _ in 0..TRIES_MAX {
        let ask = lock(view).ask(wanted, now_us, latest_us, is_fresh);
        let sent = match ask {
            Ask::Update(sent) => sent,
            Ask::Nothing(reservation) if is_fresh => return Ok(reservation),
            // A pause or a full gate that we only remember may be over. Reading costs no write units, so that many may
            // wait for one gate.
            Ask::Nothing(_) => {
                let (provider, asked) = {
                    let view = lock(view);
                    (view.state.provider.clone(), view.heard)
                };
                match store.read(&provider).await? {
                    Some(state) => lock(view).hear(state, asked, now_us),
                    None => create(store, view).await?,
                }
                is_fresh = true;
                continue;
            }
        };
        let answer = store.update(&sent.update).await;
        let next = lock(view).answered(sent, answer, now_us);
        match next {
            Next::Slots(slots) => return Ok(Reservation::Slots(slots)),
            Next::Again => is_fresh = true,
            Next::Create => create(store, view).await?,
            Next::Failed(error) => return Err(error),
        }
    }
    let free_us = lock(view).state.next_us.max(now_us);
    Ok(Reservation::Later { free_us })
}

/// Reports at once what changes the breaker or the brake; what does not waits for the next reservation.
pub async fn report<G: GateStore>(store: &G, view: &Mutex<GateView>, now_us: u64) -> Result<(), GateError> {
    if lock(view).is_urgent(now_us) {
        reserve(store, view, 0, now_us, 0).await?;
    }
    Ok(())
}

async fn create<G: GateStore>(store: &G, view: &Mutex<GateView>) -> Result<(), GateError> {
    let state = lock(view).state.clone();
    store.create(&state).await
}

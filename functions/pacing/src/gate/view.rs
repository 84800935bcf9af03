//! The gate as one consumer sees it, and what it has to report.

use super::{Control, Counts, GateAnswer, GateSettings, GateState, GateUpdate, Reservation, Sending, Slots};
use crate::brake::{Limited, PaceWindow, Paced, is_used};
use crate::breaker::{Breaker, Cause, Counted, Health, Mode, WHOLE_PERMILLE, Window};
use crate::schedule::Advance;

/// What a consumer has not reported yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unreported {
    counts: Counts,
    /// The longest that a 429 at the pace that is known asked for.
    retry_after_ms: Option<u64>,
    credentials_refused: bool,
    /// Our probe: the version that it was taken with, and how it went.
    probe: Option<(u64, Health)>,
}

impl Unreported {
    /// These, and then those.
    fn then(self, later: Self) -> Self {
        Self {
            counts: self.counts.then(&later.counts),
            retry_after_ms: later.retry_after_ms.max(self.retry_after_ms),
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
    paces: PaceWindow,
    unreported: Unreported,
    /// The pace that the last call was sent at since the brake last changed, in thousandths of the rate.
    sent_permille: Option<u32>,
    changes: Vec<Breaker>,
    /// Answers that were taken in.
    heard: u64,
    /// When the gate was last asked or heard of, in microseconds since the epoch.
    asked_us: u64,
}

/// An update that is on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    update: Box<GateUpdate>,
    /// How many slots it takes.
    count: u32,
    /// Whether that is the breaker's probe.
    is_probe: bool,
    /// What it reports.
    told: Unreported,
    /// The pace that it speaks of.
    pace: u64,
    /// How many answers had been taken in when it was made.
    asked: u64,
    /// The pace that its slots are reserved at, in thousandths.
    permille: u32,
}

/// What comes after an update.
#[derive(Clone, Debug)]
pub enum Replied {
    /// These are ours.
    Slots(Slots),
    /// Ask again, by what is known now.
    Again,
    /// There is no gate yet.
    Create,
}

/// What to ask of the gate's item.
#[derive(Clone, Debug)]
pub enum Ask {
    /// This update.
    Update(Sent),
    /// Nothing: this is what it would say, if it is still as we have seen it.
    Nothing(Reservation),
}

impl Sent {
    /// The update.
    pub const fn update(&self) -> &GateUpdate {
        &self.update
    }
}

impl GateView {
    /// A view of a gate that nobody has looked at yet: `state` is what it is created with if there is none.
    pub fn new(state: GateState, settings: GateSettings) -> Self {
        Self {
            state,
            settings,
            window: Window::default(),
            paces: PaceWindow::default(),
            unreported: Unreported::default(),
            sent_permille: None,
            changes: Vec::new(),
            heard: 0,
            asked_us: 0,
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

    /// Whether a slot is used that was reserved before the pace fell: as large a share of a batch's as the pace has left, so
    /// that what is sent falls with the pace and not only once all of these slots are over. The others' payments take new
    /// ones.
    pub fn is_used(&self, slots: &Slots, index: u32, now_us: u64) -> bool {
        let brake = &self.state.brake;
        let known = brake.permille(&self.settings.brake, now_us);
        slots.version >= brake.version || is_used(index, slots.first_us, slots.permille, known)
    }

    /// Whether the gate should be looked at before slots are used that were reserved a while ago. Whoever is told so looks.
    pub const fn begins_a_look(&mut self, now_us: u64) -> bool {
        let is_old = self.asked_us.saturating_add(LOOK_US) <= now_us;
        if is_old {
            self.asked_us = now_us;
        }
        is_old
    }

    /// A call is sent now, in one of these slots. Says at which pace, if it counts for that.
    pub fn sends(&mut self, slots: &Slots, now_us: u64) -> Option<u64> {
        let known = self.state.brake.permille(&self.settings.brake, now_us);
        self.sent_permille = Some(slots.permille.min(known));
        if now_us < self.state.brake.counts_from_us() {
            return None;
        }
        let calls = &mut self.unreported.counts.paced.calls;
        *calls = calls.saturating_add(1);
        Some(self.state.brake.version)
    }

    /// A call that was sent at this pace was answered 429.
    pub fn is_limited(&mut self, pace: Option<u64>, retry_after_ms: Option<u64>) {
        if pace != Some(self.state.brake.version) {
            return;
        }
        let limited = &mut self.unreported.counts.paced.limited;
        *limited = limited.saturating_add(1);
        self.unreported.retry_after_ms = self.unreported.retry_after_ms.max(retry_after_ms);
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
            // It answered. What it asks for is the brake's.
            Health::RateLimits { .. } => self.unreported.counts.add(false),
            Health::RefusesCredentials => self.unreported.credentials_refused = true,
            Health::Unsaid => {}
        }
    }

    /// Whether what has to be reported changes the breaker or the brake, and should not wait for the next reservation.
    pub fn is_urgent(&self, now_us: u64) -> bool {
        let is_worth_telling = || {
            let limited = self.limited(&self.unreported, now_us);
            self.state.brake.is_worth_telling(&limited, &self.settings.brake, now_us)
        };
        self.changed(&self.unreported, now_us).is_some() || is_worth_telling()
    }

    /// What the brake is judged by.
    fn limited(&self, unreported: &Unreported, now_us: u64) -> Limited {
        let sums = self.state.counts().then(&unreported.counts).paced;
        Limited {
            window: self.paces.until(sums, now_us).or_else(|| self.state.brake.young(sums, now_us)),
            since_change: sums,
            early: self.paces.early(),
            own: unreported.counts.paced,
            sent_permille: self.sent_permille,
            retry_after_ms: unreported.retry_after_ms,
        }
    }

    /// What the gate assumes from now on, if what is known and what is yet unreported change it.
    fn changed(&self, unreported: &Unreported, now_us: u64) -> Option<Control> {
        let GateState { breaker, brake, rate_version, .. } = &self.state;
        let version = rate_version.saturating_add(1);
        let sums = self.state.counts().then(&unreported.counts);
        let (calls, failures) = self.window.since(sums.calls, sums.failures);
        let counted = Counted {
            in_a_row: sums.in_a_row,
            calls,
            failures,
            credentials_refused: unreported.credentials_refused,
            probe: unreported.probe.filter(|(taken, _)| *taken == breaker.version).map(|(_, health)| health),
        };
        let judged = breaker.judged(&counted, &self.settings.breaker, now_us, version);
        let limited = self.limited(unreported, now_us);
        let braked = brake.judged(&limited, &self.settings.brake, now_us, version);
        if judged.is_none() && braked.is_none() {
            return None;
        }
        let control = self.state.control();
        Some(Control { breaker: judged.unwrap_or(*breaker), brake: braked.unwrap_or(*brake), ..control })
    }

    /// What to ask for up to `wanted` slots between now and `latest_us`. What it reports is on its way from here on.
    pub fn ask(&mut self, wanted: u32, now_us: u64, latest_us: u64, is_fresh: bool) -> Ask {
        let told = std::mem::take(&mut self.unreported);
        let pace = self.state.brake.version;
        let mut control = self.changed(&told, now_us);
        if !is_fresh && told.counts.calls > 0 && control.as_ref().is_some_and(is_opened_by_counts) {
            // Others may have had successes since we looked: first the counts, then the judgement on everybody's.
            let update = GateUpdate { counts: told.counts, ..GateUpdate::of(&self.state) };
            self.unreported = Unreported { counts: Counts::default(), ..told };
            let told = Unreported { counts: told.counts, ..Unreported::default() };
            let (update, asked) = (Box::new(update), self.heard);
            return Ask::Update(Sent {
                update,
                count: 0,
                is_probe: false,
                told,
                pace,
                asked,
                permille: WHOLE_PERMILLE,
            });
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
        let tells = wanted == 0 && told.counts.paced.limited > 0;
        if count == 0 && control.is_none() && !tells {
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
        update.take = (count > 0).then(|| Advance {
            form: Advance::form_for(planned.next_us, earliest_us),
            now_us: earliest_us,
            span_us: planned.span_at_us(count, permille),
            at_most_us: {
                let last_us = planned.span_at_us(count, permille).saturating_sub(planned.span_at_us(1, permille));
                latest_us.saturating_sub(last_us)
            },
        });
        Ask::Update(Sent { update: Box::new(update), count, is_probe, told, pace, asked: self.heard, permille })
    }

    /// Takes in what became of an update.
    pub fn answered(&mut self, sent: Sent, answer: GateAnswer, now_us: u64) -> Replied {
        let Sent { update, count, is_probe, told, pace, asked, permille } = sent;
        let after = match answer {
            GateAnswer::Done(after) => after,
            GateAnswer::Refused(None) => {
                self.give_back(told, pace);
                return Replied::Create;
            }
            GateAnswer::Refused(Some(stands)) => {
                // Our own change of the breaker, whose answer was lost: it is ours to log, and is not reported again.
                let is_ours = |control: &Control| update.begins_a_row() && control.breaker == stands.breaker;
                if update.control.as_deref().is_some_and(is_ours) {
                    self.changes.push(stands.breaker);
                } else {
                    self.give_back(told, pace);
                }
                self.hear(*stands, asked, now_us);
                return Replied::Again;
            }
        };
        let slots = update.take.map(|take| Slots {
            first_us: after.next_us.saturating_sub(take.span_us),
            count,
            span_us: take.span_us,
            margin_us: u64::from(after.margin_ms).saturating_mul(1_000),
            version: after.rate_version,
            permille,
            is_probe,
        });
        if update.begins_a_row() {
            self.changes.push(after.breaker);
        }
        self.hear(*after, asked, now_us);
        if count == 0 && update.control.is_none() && pace == self.state.brake.version {
            // It told its 429s to judge by everybody's. What they ask for is part of that.
            self.unreported.retry_after_ms = self.unreported.retry_after_ms.max(told.retry_after_ms);
        }
        // With everybody's counts in front of us: may these slots be used at all?
        let change = self.changed(&Unreported::default(), now_us);
        let opens = change.is_some_and(|control| matches!(control.breaker.mode, Mode::Open { .. }));
        match slots {
            Some(slots) if !opens => Replied::Slots(slots),
            Some(_) | None => Replied::Again,
        }
    }

    /// An update was not answered: what it told is told again.
    pub fn unanswered(&mut self, sent: &Sent) {
        self.give_back(sent.told, sent.pace);
    }

    /// How many answers were taken in: to be asked before a read, and said to [`Self::hear`] with what it brought.
    pub const fn heard(&self) -> u64 {
        self.heard
    }

    /// What an update has not told after all. It may have been overtaken by a change of the pace.
    fn give_back(&mut self, mut told: Unreported, pace: u64) {
        if pace != self.state.brake.version {
            told.counts.paced = Paced::default();
            told.retry_after_ms = None;
        }
        self.unreported = told.then(self.unreported);
    }

    /// Takes in what the gate says now. `asked` is what [`Self::heard`] said when this was asked: of two questions that
    /// were under way side by side the older answer may come last, and must not undo a pause nor take back sums. One that
    /// was asked with the newer state in hand and is older all the same is of an item that was put back: it is believed.
    pub fn hear(&mut self, state: GateState, asked: u64, now_us: u64) {
        let is_older = state.rate_version < self.state.rate_version
            || (state.rate_version == self.state.rate_version
                && (state.calls < self.state.calls || state.next_us < self.state.next_us));
        if is_older && asked < self.heard {
            return;
        }
        self.heard = self.heard.saturating_add(1);
        self.asked_us = self.asked_us.max(now_us);
        if state.breaker.version > self.state.breaker.version {
            // What was counted under the breaker before says nothing about this one.
            self.window.clear();
            let Unreported { counts: Counts { paced, .. }, retry_after_ms, .. } = self.unreported;
            let counts = Counts { paced, ..Counts::default() };
            self.unreported = Unreported { counts, retry_after_ms, ..Unreported::default() };
        }
        if state.brake.version != self.state.brake.version {
            // Nor does what was sent at the pace before about this one.
            self.unreported.counts.paced = Paced::default();
            self.unreported.retry_after_ms = None;
            self.sent_permille = None;
            self.paces.clear();
        }
        let is_early = state.brake.is_below_what_was_found(&self.settings.brake, now_us);
        self.paces.mark(Paced { calls: state.paced, limited: state.limited }, now_us, is_early);
        self.window.mark(state.calls, state.failures, self.settings.breaker.window_ms, now_us);
        self.state = state;
    }
}

/// How old what is known of the gate may be when a slot is used, in microseconds: within two of these everybody has heard
/// of a change of the pace.
const LOOK_US: u64 = 500_000;

/// Whether the breaker opens because of what was counted, which may be old by now.
fn is_opened_by_counts(control: &Control) -> bool {
    let is_open = matches!(control.breaker.mode, Mode::Open { .. });
    is_open && matches!(control.breaker.cause, Cause::ConsecutiveFailures | Cause::FailingShare)
}

//! What is known of the way ahead when a payment comes in: how much waits, how fast the provider takes it, and whether
//! it takes anything at all. From that follow the wait that a merchant is told, and what is refused at once because it
//! could only be accepted to die.
//!
//! It is an estimate and says so. The depths are SQS's approximate ones, some seconds old; each payment counts as one
//! call; a lane's share is its share of the consumers. A figure that is too old says nothing and refuses nobody.

mod backlog;
mod crowd;
mod line;

use crate::breaker::{Breaker, Mode, WHOLE_PERMILLE};
use crate::gate::{GateSettings, GateState, Sending};
use payments::backoff::Dice;
use payments::id::MerchantId;
use payments::payment::Lane;
use payments::time::Timestamp;

pub use backlog::{Backlog, Depth, Filling, Gathered};
pub use crowd::Crowd;
use line::Line;

/// How old the figure of the lanes may be before somebody measures again, in ms.
pub const MEASURE_MS: u64 = 5_000;
/// How long one environment believes what it read of gate and lanes, in ms, and up to half as long more: environments that
/// begin together are not to look together again and again, because one item gives 3,000 reads a second ("DynamoDB burst and
/// adaptive capacity").
pub const LOOK_MS: u64 = 5_000;
/// An environment that has accepted so many payments since it looked looks, and has the lanes measured, more often: in a
/// sale a lane grows by a minute's wait in three seconds. So many, that a look costs a twentieth of a call a payment.
pub const BUSY_PAYMENTS: u64 = 50;
/// How old figure and look may be for such an environment, in ms. Nobody measures again sooner.
pub const BUSY_MS: u64 = 1_000;
/// How old the figure of the lanes may be before nothing is concluded from it, in ms: six measurements missed.
pub const STALE_MS: u64 = 30_000;
/// The longest Retry-After, in seconds.
const RETRY_AFTER_MAX_SECONDS: u32 = 3_600;
/// Retry-After while nobody knows when anything is sent again, in seconds.
const STOPPED_RETRY_SECONDS: u32 = 60;
/// For how long the pace is followed second by second; after that it counts as the whole rate.
const PACE_SECONDS_MAX: u64 = 3_600;
const MILLION: u64 = 1_000_000;

/// The numbers that admission goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionSettings {
    /// What gate and breaker go by.
    pub gate: GateSettings,
    /// `HIGH_CONCURRENCY`: consumers for the high lane.
    pub high_concurrency: u32,
    /// `STANDARD_CONCURRENCY`: consumers for the standard lane.
    pub standard_concurrency: u32,
    /// `QUEUE_DEPTH_MAX`: messages that a lane may hold before it takes no more.
    pub queue_depth_max: u64,
}

impl AdmissionSettings {
    /// A lane's consumers, and those of both.
    fn consumers(&self, lane: Lane) -> (u64, u64) {
        let (high, standard) = (u64::from(self.high_concurrency), u64::from(self.standard_concurrency));
        let own = match lane {
            Lane::High => high,
            Lane::Standard => standard,
        };
        (own, high.saturating_add(standard))
    }
}

/// Whether the provider is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// It is, or nobody knows better.
    Runs,
    /// An operator has paused it.
    Paused,
    /// It fails, and the breaker is open.
    Down,
}

/// Why a payment is refused before anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its lane holds as much as it may.
    LaneFull {
        /// When there may be room again.
        retry_after_seconds: u32,
    },
    /// It would still wait when it expires.
    TooLate {
        /// The wait.
        wait_seconds: u32,
        /// When a payment with as much time would make it.
        retry_after_seconds: u32,
    },
}

/// The way ahead, as one environment knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    gate: Option<(GateState, Timestamp)>,
    backlog: Option<Backlog>,
    /// What the lanes held at the figure before, from which follows how fast a lane grows.
    depths_before: Option<(Timestamp, Depth, Depth)>,
    /// What this environment has accepted since the lanes were measured, by lane.
    accepted_high: u64,
    accepted_standard: u64,
    accepted_since_look: u64,
    looked_at: Option<Timestamp>,
    /// How much later it looks, in thousandths.
    later_permille: u64,
    /// Whose payments came here, by lane, and are in nobody's figure yet.
    high_crowd: Crowd,
    standard_crowd: Crowd,
}

impl Outlook {
    /// Nothing is known yet. `dice` are the environment's own.
    pub fn new(dice: Dice) -> Self {
        Self { later_permille: dice.up_to(500), ..Self::default() }
    }

    /// Whether it is time to look again.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let bound_ms = if self.accepted_since_look >= BUSY_PAYMENTS { BUSY_MS } else { LOOK_MS };
        let own_ms = bound_ms.saturating_add(bound_ms.saturating_mul(self.later_permille) / 1_000);
        self.looked_at.is_none_or(|at| now.since_ms(at) >= own_ms)
    }

    /// Somebody looks now; others need not. Returns how old the lanes' figure may be before the lanes are measured, in ms.
    pub const fn looks(&mut self, now: Timestamp) -> u64 {
        let was_busy = self.accepted_since_look >= BUSY_PAYMENTS;
        self.looked_at = Some(now);
        self.accepted_since_look = 0;
        if was_busy { BUSY_MS } else { MEASURE_MS }
    }

    /// Takes in what was seen.
    pub fn saw(&mut self, gate: Option<GateState>, backlog: Option<Backlog>, now: Timestamp) {
        self.gate = gate.map(|gate| (gate, now));
        if backlog.as_ref().map(|backlog| backlog.at) > self.backlog.as_ref().map(|known| known.at) {
            self.depths_before = self.backlog.as_ref().map(|known| (known.at, known.high, known.standard));
            for (lane, crowd) in [(Lane::High, &mut self.high_crowd), (Lane::Standard, &mut self.standard_crowd)] {
                let since = |backlog: &Option<Backlog>| Some(backlog.as_ref()?.filling(lane)?.since);
                if self.backlog.is_some() && since(&backlog) != since(&self.backlog) {
                    *crowd = Crowd::default();
                }
            }
            self.backlog = backlog;
            (self.accepted_high, self.accepted_standard) = (0, 0);
        }
    }

    /// What this environment brings to a figure.
    pub fn known(&self, before: Option<Backlog>) -> Gathered {
        Gathered {
            before,
            answered: self.gate.as_ref().map_or(0, |(gate, _)| gate.answered()),
            high: self.high_crowd.clone(),
            standard: self.standard_crowd.clone(),
        }
    }

    /// What it knew is in a figure now.
    pub fn has_told(&mut self) {
        (self.high_crowd, self.standard_crowd) = (Crowd::default(), Crowd::default());
    }

    /// Counts a payment of a merchant that this environment has accepted.
    pub fn count(&mut self, merchant: &MerchantId, lane: Lane) {
        let (accepted, crowd) = match lane {
            Lane::High => (&mut self.accepted_high, &mut self.high_crowd),
            Lane::Standard => (&mut self.accepted_standard, &mut self.standard_crowd),
        };
        crowd.count(merchant);
        *accepted = accepted.saturating_add(1);
        self.accepted_since_look = self.accepted_since_look.saturating_add(1);
    }

    /// Whether the provider is called.
    pub fn provider(&self, settings: &AdmissionSettings, now: Timestamp) -> Provider {
        match self.gate(now).map(|gate| gate.sending(&settings.gate, now.us())) {
            Some(Sending::Paused) => Provider::Paused,
            Some(Sending::Open { .. } | Sending::Probe) => Provider::Down,
            Some(Sending::Pace(_)) | None => Provider::Runs,
        }
    }

    /// How long a payment of this merchant that comes into this lane now waits until it is sent, in seconds. `None` when
    /// nobody knows: nothing was measured lately, the provider is paused, or its breaker waits for an operator. While the
    /// breaker is open it is the shortest that it can be: the next probe is answered. A merchant of whom nobody knows is
    /// told the whole lane's wait, which is the longest.
    pub fn wait_seconds(
        &self,
        merchant: &MerchantId,
        lane: Lane,
        settings: &AdmissionSettings,
        now: Timestamp,
    ) -> Option<u32> {
        let ahead = match self.ahead(merchant, lane, settings, now) {
            Some(ahead) => ahead,
            None => self.waiting(lane, now)?,
        };
        self.seconds_after(ahead, lane, settings, now)
    }

    /// How many of a lane's waiting messages are sent before a payment of this merchant that comes now; `None` when too
    /// little has been seen of who fills the lane.
    fn ahead(&self, merchant: &MerchantId, lane: Lane, settings: &AdmissionSettings, now: Timestamp) -> Option<u64> {
        let (gate, backlog) = (self.gate(now)?, self.fresh(now)?);
        let filling = backlog.filling(lane)?;
        let here = match lane {
            Lane::High => &self.high_crowd,
            Lane::Standard => &self.standard_crowd,
        };
        let whole = millionths_per_second(gate, WHOLE_PERMILLE);
        let other = match lane {
            Lane::High => backlog.standard,
            Lane::Standard => backlog.high,
        };
        // The lane that is all but empty leaves its consumers' calls to the other.
        let by_share = |calls: u64| {
            let (own, all) = settings.consumers(lane);
            if other.is_all_but_empty() { calls } else { calls.saturating_mul(own) / all.max(1) }
        };
        let sent = by_share(gate.answered().saturating_sub(filling.answered));
        let messages = Line {
            taken: sent.saturating_add(backlog.depth(lane).in_flight),
            waiting: self.waiting(lane, now)?,
            millionths_per_second: by_share(whole).max(1),
            gathered_ms: now.since_ms(filling.since),
        };
        // The larger sample; the figure's are those of all who measured.
        messages.ahead(if here.all() > filling.crowd.all() { here } else { &filling.crowd }, merchant)
    }

    /// In how many seconds a payment is sent that has so many of its lane's waiting messages ahead, and what is under way.
    fn seconds_after(&self, ahead: u64, lane: Lane, settings: &AdmissionSettings, now: Timestamp) -> Option<u32> {
        let gate = self.gate(now)?;
        let own = ahead.saturating_add(self.fresh(now)?.depth(lane).in_flight);
        let (_, other) = self.depths(lane, now)?;
        let (consumers, all) = settings.consumers(lane);
        // While both lanes are full each has its share of the calls; once the other is empty this one has them all.
        let by_share = own.saturating_mul(all).div_ceil(consumers.max(1));
        let calls = by_share.min(own.saturating_add(other));
        seconds_to_send(gate, &settings.gate, calls.saturating_add(1), now.us())
    }

    /// Why a payment of this merchant into this lane is not to be accepted, if that is known. A merchant that brings little,
    /// or of whom nobody knows, is not refused for what others have brought.
    pub fn refuses(
        &self,
        merchant: &MerchantId,
        lane: Lane,
        expires_at: Option<Timestamp>,
        settings: &AdmissionSettings,
        now: Timestamp,
    ) -> Option<Refusal> {
        let (own, _) = self.depths(lane, now)?;
        if own >= settings.queue_depth_max {
            let too_many = own.saturating_sub(settings.queue_depth_max).saturating_add(1);
            let gate = self.gate(now);
            let seconds = gate.and_then(|gate| seconds_to_send(gate, &settings.gate, too_many, now.us()));
            let retry_after_seconds = seconds.unwrap_or(STOPPED_RETRY_SECONDS).clamp(1, RETRY_AFTER_MAX_SECONDS);
            return Some(Refusal::LaneFull { retry_after_seconds });
        }
        let left_ms = expires_at?.since_ms(now);
        let ahead = self.ahead(merchant, lane, settings, now).unwrap_or(0);
        let wait_seconds = self.seconds_after(ahead, lane, settings, now)?;
        let late_ms = u64::from(wait_seconds).saturating_mul(1_000).saturating_sub(left_ms);
        // A wait is told in whole seconds, rounded up: less than one too many may be none.
        (late_ms >= 1_000).then(|| {
            let late_seconds = u32::try_from(late_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
            let retry_after_seconds = late_seconds.clamp(1, RETRY_AFTER_MAX_SECONDS);
            Refusal::TooLate { wait_seconds, retry_after_seconds }
        })
    }

    fn gate(&self, now: Timestamp) -> Option<&GateState> {
        self.gate.as_ref().filter(|(_, at)| now.since_ms(*at) <= STALE_MS).map(|(gate, _)| gate)
    }

    fn fresh(&self, now: Timestamp) -> Option<&Backlog> {
        self.backlog.as_ref().filter(|backlog| now.since_ms(backlog.at) <= STALE_MS)
    }

    /// This lane's messages that nobody has received, with what came since.
    fn waiting(&self, lane: Lane, now: Timestamp) -> Option<u64> {
        let (own, _) = self.depths(lane, now)?;
        Some(own.saturating_sub(self.fresh(now)?.depth(lane).in_flight))
    }

    /// This lane's messages and the other's, with what came since: as many as have come here, or as many as have come
    /// everywhere if the lane goes on growing as it did, whichever is more.
    fn depths(&self, lane: Lane, now: Timestamp) -> Option<(u64, u64)> {
        let backlog = self.fresh(now)?;
        let age_ms = now.since_ms(backlog.at);
        let now_in = |lane: Lane, accepted: u64| {
            let grown = self.depths_before.map_or(0, |(at, high, standard)| {
                let before = match lane {
                    Lane::High => high,
                    Lane::Standard => standard,
                };
                let grew = backlog.depth(lane).all().saturating_sub(before.all());
                grew.saturating_mul(age_ms) / backlog.at.since_ms(at).max(1)
            });
            backlog.depth(lane).all().saturating_add(accepted.max(grown))
        };
        let (high, standard) = (now_in(Lane::High, self.accepted_high), now_in(Lane::Standard, self.accepted_standard));
        Some(match lane {
            Lane::High => (high, standard),
            Lane::Standard => (standard, high),
        })
    }
}

/// When so many calls have been made, in seconds from now, begun ones counted whole; `None` when nobody knows when the
/// first may be.
fn seconds_to_send(gate: &GateState, settings: &GateSettings, calls: u64, now_us: u64) -> Option<u32> {
    let (begins_us, gate) = match gate.sending(settings, now_us) {
        Sending::Paused | Sending::Open { probe_at_us: None } => return None,
        Sending::Open { probe_at_us: Some(at_us) } => (at_us, ramping(gate, at_us)),
        Sending::Probe => (now_us, ramping(gate, now_us)),
        Sending::Pace(_) => (now_us, gate.clone()),
    };
    let begins_us = begins_us.max(gate.brake.hold_until_us);
    let whole = millionths_per_second(&gate, WHOLE_PERMILLE);
    let mut left = calls.saturating_mul(MILLION);
    let mut seconds = begins_us.saturating_sub(now_us).div_ceil(1_000_000);
    for second in 0..PACE_SECONDS_MAX {
        let permille = match gate.sending(settings, begins_us.saturating_add(second.saturating_mul(1_000_000))) {
            Sending::Pace(permille) if permille < WHOLE_PERMILLE => permille,
            _ => break,
        };
        left = left.saturating_sub(millionths_per_second(&gate, permille));
        seconds = seconds.saturating_add(1);
        if left == 0 {
            break;
        }
    }
    u32::try_from(seconds.saturating_add(left.div_ceil(whole))).ok()
}

/// The gate if a probe is answered then.
fn ramping(gate: &GateState, at_us: u64) -> GateState {
    let breaker = Breaker { mode: Mode::Ramp, since_us: at_us, ..gate.breaker };
    GateState { breaker, ..gate.clone() }
}

/// Calls in a second at a share of the rate, less the margin, in millionths: of five calls a second the margin is no whole
/// one. A millionth at least.
fn millionths_per_second(gate: &GateState, permille: u32) -> u64 {
    let used_ms = 1_000_u64.saturating_sub(u64::from(gate.margin_ms));
    u64::from(gate.rate_per_second).saturating_mul(used_ms).saturating_mul(u64::from(permille)).max(1)
}

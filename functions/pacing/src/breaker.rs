//! The breaker: when to stop calling a provider that fails, and how to begin again.
//!
//! A state machine over counts. Consumers count how their calls went and add the counts to the gate's item in the same
//! update that reserves their next slots; whoever sees the sums cross a bound changes the breaker, by one update that
//! requires the version that it has seen, so that each change is made once. Time is an argument.
//!
//! Closed → open (nothing is sent) → probing (one call, whose right is taken by one conditional write and ends with a
//! lease) → ramp (a share of the rate that doubles step by step) → closed. Refused credentials open it without a time
//! for a probe: only an operator lets it try again.

mod health;
mod window;

use serde::{Deserialize, Serialize};

pub use health::Health;
pub use window::Window;

/// All of the rate, in thousandths.
pub const WHOLE_PERMILLE: u32 = 1_000;

/// The numbers that the breaker goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// `BREAKER_FAILURES`: failures in a row that open it.
    pub failures: u64,
    /// `BREAKER_FAILING_PERCENT`: share of failing calls in a window that opens it.
    pub failing_percent: u64,
    /// `BREAKER_CALLS_MIN`: calls that a window must have before its share counts.
    pub calls_min: u64,
    /// `BREAKER_WINDOW_MS`: over how long that share is taken.
    pub window_ms: u64,
    /// `BREAKER_OPEN_MS`: from opening to the first probe; doubled after each probe that fails. Longer than a call
    /// takes, so that what was sent before it opened has been answered.
    pub open_ms: u64,
    /// `BREAKER_OPEN_MAX_MS`: the longest that it is open before a probe.
    pub open_max_ms: u64,
    /// `BREAKER_RAMP_PERCENT`: share of the rate that the ramp begins with.
    pub ramp_percent: u32,
    /// `BREAKER_RAMP_STEP_MS`: after how long the ramp's share doubles. Longer than a call takes, so that a step's
    /// failures are known before the next.
    pub ramp_step_ms: u64,
    /// How long a probe may take before another may be made: a call's lease, from the policy.
    pub probe_lease_ms: u64,
}

/// Where the breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Everything is sent.
    #[default]
    Closed,
    /// Nothing is sent.
    Open {
        /// When a probe may be made, in microseconds since the epoch; `None` waits for an operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe_at_us: Option<u64>,
    },
    /// One call is made and nothing else is sent.
    Probing {
        /// When somebody else may make another, in microseconds since the epoch.
        lease_until_us: u64,
    },
    /// The probe was answered: a share of the rate is sent, doubling step by step.
    Ramp,
}

impl Mode {
    /// Its name, in logs and in front of an operator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::Probing { .. } => "probing",
            Self::Ramp => "ramp",
        }
    }
}

/// Why the breaker came to where it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It never opened.
    #[default]
    New,
    /// So many failures in a row.
    ConsecutiveFailures,
    /// Too large a share of a window's calls failed.
    FailingShare,
    /// 401 or 403: an operator has to look at our credentials.
    CredentialsRefused,
    /// Its time was over, and one consumer makes a call.
    ProbeDue,
    /// The probe failed.
    ProbeFailed,
    /// The probe's call was never made.
    ProbeNotMade,
    /// The probe was answered.
    ProbeAnswered,
    /// The ramp reached the whole rate.
    RampOver,
    /// An operator wants it to try.
    Operator,
}

impl Cause {
    /// Its name, in logs and in front of an operator.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::FailingShare => "failing_share",
            Self::CredentialsRefused => "credentials_refused",
            Self::ProbeDue => "probe_due",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeNotMade => "probe_not_made",
            Self::ProbeAnswered => "probe_answered",
            Self::RampOver => "ramp_over",
            Self::Operator => "operator",
        }
    }
}

/// The breaker as the gate's item has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Where it stands.
    pub mode: Mode,
    /// Why.
    pub cause: Cause,
    /// Since when, in microseconds since the epoch.
    pub since_us: u64,
    /// The version of the gate with which it came here: what was reserved under an older one says nothing about it.
    pub version: u64,
    /// Times that it opened since it was last closed, the first not counted.
    pub reopened: u32,
}

/// Counts that a breaker is judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Failures in a row, up to now.
    pub in_a_row: u64,
    /// Calls in the window.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Whether our credentials were refused.
    pub credentials_refused: bool,
    /// How the probe went, if it was ours.
    pub probe: Option<Health>,
}

impl Breaker {
    /// Where the breaker goes on these counts; `None` when it stays. `version` is the one that the change will have.
    pub fn judged(&self, counted: &Counted, settings: &BreakerSettings, now_us: u64, version: u64) -> Option<Self> {
        let to = |mode, cause| Some(Self { mode, cause, since_us: now_us, version, reopened: self.reopened });
        let reopen = |cause| {
            let reopened = self.reopened.saturating_add(1);
            let mode = open_for(settings, reopened, now_us);
            Some(Self { mode, cause, since_us: now_us, version, reopened })
        };
        let waits_for_operator = matches!(self.mode, Mode::Open { probe_at_us: None });
        if counted.credentials_refused || counted.probe == Some(Health::RefusesCredentials) {
            let mode = Mode::Open { probe_at_us: None };
            return if waits_for_operator { None } else { to(mode, Cause::CredentialsRefused) };
        }
        match self.mode {
            Mode::Open { .. } => None,
            Mode::Probing { .. } => match counted.probe? {
                Health::Answers | Health::RateLimits { .. } => to(Mode::Ramp, Cause::ProbeAnswered),
                Health::Fails | Health::RefusesCredentials => reopen(Cause::ProbeFailed),
                // It told nothing: somebody else may try at once.
                Health::Unsaid => to(Mode::Open { probe_at_us: Some(now_us) }, Cause::ProbeNotMade),
            },
            Mode::Closed => {
                opens(counted, settings).and_then(|cause| to(open_for(settings, self.reopened, now_us), cause))
            }
            Mode::Ramp => match opens(counted, settings) {
                Some(cause) => reopen(cause),
                None if self.permille(settings, now_us) >= WHOLE_PERMILLE => {
                    Some(Self { mode: Mode::Closed, cause: Cause::RampOver, since_us: now_us, version, reopened: 0 })
                }
                None => None,
            },
        }
    }

    /// Whether a probe may be taken now.
    pub const fn probe_is_due(&self, now_us: u64) -> bool {
        match self.mode {
            Mode::Open { probe_at_us: Some(at_us) } | Mode::Probing { lease_until_us: at_us } => at_us <= now_us,
            Mode::Open { probe_at_us: None } | Mode::Closed | Mode::Ramp => false,
        }
    }

    /// When a breaker that stops everything is worth looking at again; `None` waits for an operator.
    pub const fn looked_at_us(&self) -> Option<u64> {
        match self.mode {
            Mode::Open { probe_at_us } => probe_at_us,
            Mode::Probing { lease_until_us } => Some(lease_until_us),
            Mode::Closed | Mode::Ramp => None,
        }
    }

    /// The breaker once its probe is taken.
    #[must_use]
    pub const fn probing(&self, settings: &BreakerSettings, now_us: u64, version: u64) -> Self {
        let lease_until_us = now_us.saturating_add(settings.probe_lease_ms.saturating_mul(1_000));
        let mode = Mode::Probing { lease_until_us };
        Self { mode, cause: Cause::ProbeDue, since_us: now_us, version, reopened: self.reopened }
    }

    /// The breaker once an operator has asked it to try; one that does not stop anything stays.
    #[must_use]
    pub const fn tried_by_operator(&self, now_us: u64, version: u64) -> Self {
        match self.mode {
            Mode::Closed | Mode::Ramp => *self,
            Mode::Open { .. } | Mode::Probing { .. } => {
                let mode = Mode::Open { probe_at_us: Some(now_us) };
                Self { mode, cause: Cause::Operator, since_us: now_us, version, reopened: self.reopened }
            }
        }
    }

    /// What share of the rate it lets through, in thousandths, when no probe is to be made.
    pub fn permille(&self, settings: &BreakerSettings, now_us: u64) -> u32 {
        match self.mode {
            Mode::Closed => WHOLE_PERMILLE,
            Mode::Open { .. } | Mode::Probing { .. } => 0,
            Mode::Ramp => {
                let steps = now_us.saturating_sub(self.since_us) / settings.ramp_step_ms.max(1).saturating_mul(1_000);
                let doublings = u32::try_from(steps).unwrap_or(u32::MAX).min(WHOLE_PERMILLE);
                let first = settings.ramp_percent.clamp(1, 100).saturating_mul(10);
                2_u32.saturating_pow(doublings).saturating_mul(first).min(WHOLE_PERMILLE)
            }
        }
    }
}

/// Open for so long as the number of probes that failed says.
fn open_for(settings: &BreakerSettings, reopened: u32, now_us: u64) -> Mode {
    let times = 2_u64.saturating_pow(reopened);
    let open_ms = settings.open_ms.saturating_mul(times).min(settings.open_max_ms.max(settings.open_ms));
    Mode::Open { probe_at_us: Some(now_us.saturating_add(open_ms.saturating_mul(1_000))) }
}

/// Why these counts open a breaker, if they do.
fn opens(counted: &Counted, settings: &BreakerSettings) -> Option<Cause> {
    if counted.in_a_row >= settings.failures.max(1) {
        return Some(Cause::ConsecutiveFailures);
    }
    let enough = counted.calls >= settings.calls_min.max(1);
    let failing = counted.failures.saturating_mul(100) >= counted.calls.saturating_mul(settings.failing_percent);
    (enough && failing).then_some(Cause::FailingShare)
}

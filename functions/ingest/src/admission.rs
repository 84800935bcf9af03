//! Whether a payment may come in now, and what its merchant is told about the wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use pacing::admission::{AdmissionSettings, Outlook, Provider, Refusal};
use pacing::bucket::{Allowance, Limiter};
use payments::backoff::Dice;
use payments::limit::Limit;
use payments::merchant::Merchant;
use payments::payment::{Order, Payment, State};
use payments::time::Timestamp;
use ports::admission;
use ports::{Admission, EventName};
use tracing::warn;

use crate::document::{Ahead, Problem};

/// The name of the policy that a merchant's payments are held to.
const POLICY: &str = "merchant";
/// The name of the policy that its looks are held to.
const LOOKS_POLICY: &str = "looks";
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of a merchant's rate, for the header fields of draft-ietf-httpapi-ratelimit-headers-11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// What it is a quota of.
    pub(crate) allowance: Allowance,
    /// Payments, or looks, that may come at once after a pause.
    pub(crate) burst: u32,
    /// Seconds in which they come back.
    pub(crate) window_seconds: u32,
    /// Payments that may follow now, as far as is known here.
    pub(crate) remaining: u32,
    /// Seconds until all are back, or until it is worth trying again.
    pub(crate) seconds: u32,
}

impl Quota {
    /// Says how much of its rate a merchant has left: `q` payments come back in `w` seconds, `r` may follow now, and in `t`
    /// seconds all are back (draft-ietf-httpapi-ratelimit-headers-11; lists of items of RFC 9651). What other environments
    /// let in meanwhile is not in it.
    pub(crate) fn say(&self, headers: &mut HeaderMap) {
        let Quota { allowance, burst, window_seconds, remaining, seconds } = self;
        let name = match allowance {
            Allowance::Payments => POLICY,
            Allowance::Looks => LOOKS_POLICY,
        };
        let policy = format!("\"{name}\";q={burst};w={window_seconds}");
        let left = format!("\"{name}\";r={remaining};t={seconds}");
        for (name, text) in [(RATELIMIT_POLICY, policy), (RATELIMIT, left)] {
            // Digits and quoted letters are a field value, always.
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

/// Admission over its port.
#[derive(Debug)]
pub struct AdmissionControl<A> {
    port: A,
    default_limit: Limit,
    settings: AdmissionSettings,
    limiter: Mutex<Limiter>,
    looks: Mutex<Limiter>,
    outlook: Mutex<Outlook>,
}

impl<A: Admission> AdmissionControl<A> {
    /// Admission by these numbers; `default_limit` is for merchants whose record states none.
    pub fn new(port: A, default_limit: Limit, settings: AdmissionSettings) -> Self {
        let looks = Mutex::new(Limiter::of_looks());
        Self { port, default_limit, settings, limiter: Mutex::default(), looks, outlook: Mutex::default() }
    }

    /// The same, looking at gate and lanes at times of its own.
    pub(crate) fn with_dice(self, dice: Dice) -> Self {
        Self { outlook: Mutex::new(Outlook::new(dice)), ..self }
    }

    /// Takes one of the merchant's tokens for payments.
    pub(crate) async fn admit(&self, merchant: &Merchant, now: Timestamp) -> Result<Quota, Problem> {
        let limit = merchant.limit.unwrap_or(self.default_limit);
        self.take(&self.limiter, Allowance::Payments, merchant, limit, now).await
    }

    /// Takes one of the merchant's tokens for looks, if this one is not free.
    pub(crate) async fn admit_look(&self, merchant: &Merchant, now: Timestamp) -> Result<(), Problem> {
        let limit = merchant.limit.unwrap_or(self.default_limit).of_looks();
        self.take(&self.looks, Allowance::Looks, merchant, limit, now).await.map(|_| ())
    }

    async fn take(
        &self,
        limiter: &Mutex<Limiter>,
        allowance: Allowance,
        merchant: &Merchant,
        limit: Limit,
        now: Timestamp,
    ) -> Result<Quota, Problem> {
        let (verdict, error) = admission::admit(&self.port, limiter, &merchant.merchant, limit, now.us()).await;
        if let Some(error) = error {
            warn!(event = EventName::LimitUnreadable.as_str(), merchant = merchant.merchant.as_str(), %error);
        }
        let quota = Quota {
            allowance,
            burst: limit.burst(),
            window_seconds: limit.window_seconds(),
            remaining: verdict.remaining,
            seconds: verdict.seconds,
        };
        if verdict.is_admitted { Ok(quota) } else { Err(Problem::RateLimited(quota)) }
    }

    /// Looks at gate and lanes, if it is time to.
    pub(crate) async fn look(&self, now: Timestamp) {
        if let Err(error) = admission::look(&self.port, &self.outlook, now).await {
            warn!(event = EventName::OutlookUnreadable.as_str(), %error);
        }
    }

    /// Why a new payment is refused although its merchant may send it.
    pub(crate) fn refuses(&self, order: &Order, now: Timestamp) -> Option<Problem> {
        let refusal = self.outlook().refuses(&order.merchant, order.lane, order.expires_at, &self.settings, now)?;
        Some(match refusal {
            Refusal::LaneFull { retry_after_seconds } => Problem::LaneFull { retry_after_seconds },
            Refusal::TooLate { wait_seconds, retry_after_seconds } => {
                Problem::TooLate { wait_seconds, retry_after_seconds }
            }
        })
    }

    /// Counts a payment that was accepted.
    pub(crate) fn count(&self, payment: &Payment) {
        self.outlook().count(&payment.order.merchant, payment.order.lane);
    }

    /// What a payment has ahead of it. Its place in the lane is not known: a payment that has waited already is told
    /// what a new one of its merchant would wait, which is the most that is left.
    pub(crate) fn ahead(&self, payment: &Payment, now: Timestamp) -> Ahead {
        if payment.state != State::Queued {
            return Ahead::default();
        }
        let outlook = self.outlook();
        let due_seconds = payment.due_at.map_or(0, |at| at.since_ms(now).div_ceil(1_000));
        let due_seconds = u32::try_from(due_seconds).unwrap_or(u32::MAX);
        Ahead {
            wait_seconds: outlook
                .wait_seconds(&payment.order.merchant, payment.order.lane, &self.settings, now)
                .map(|seconds| seconds.max(due_seconds)),
            reason: match outlook.provider(&self.settings, now) {
                Provider::Runs => None,
                Provider::Paused => Some("provider_paused"),
                Provider::Down => Some("provider_down"),
            },
        }
    }

    fn outlook(&self) -> MutexGuard<'_, Outlook> {
        self.outlook.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The sandbox provider: it follows the contract of `infra/provider-openapi.yaml` or speaks Alipay or Stripe, keeps its own
//! ledger, and can be told to misbehave. Whether a payment happened twice is judged from its ledger, not from our records.

pub mod alipay;
mod answer;
mod book;
mod callback;
mod faults;
mod operations;
mod said;
mod server;
pub mod stripe;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use payments::provider::ProviderKind;

pub use self::book::{Call, CalledBack, Effect, Operation};
pub use self::callback::CallbackTarget;
pub use self::faults::{Fault, Faults, parse_fault};
pub use self::server::{Running, Sandbox};

/// How long a key is known unless something else is said, in ms. Stripe may prune a key once it is 24 hours old, and
/// takes the same request for a new one then (Stripe's API reference, "Idempotent requests").
pub const KEY_WINDOW_MS: u64 = 24 * 60 * 60 * 1_000;

/// What a sandbox has to be told.
#[derive(Clone)]
pub struct SandboxSettings {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Which protocol it speaks.
    pub speaks: ProviderKind,
    /// The key that callers have to send as their bearer token; the JSON of [`alipay::Drawn::sandbox`] where it speaks Alipay.
    pub key: String,
    /// Calls taken in any window of one second, sends and queries together; more get 429 before any effect. 0 is no
    /// limit.
    pub rate_per_second: u32,
    /// How long an answer takes, evenly from the first to the second.
    pub latency_ms: (u64, u64),
    /// How often it misbehaves.
    pub faults: Faults,
    /// What a slow answer takes longer.
    pub slow_ms: u64,
    /// From accepted to approved.
    pub pending_ms: u64,
    /// From a late payment's request to its effect.
    pub late_ms: u64,
    /// How long a key is known, from the first request that carried it, in ms; the same request is a new payment then.
    pub key_window_ms: u64,
    /// The dice: the same payments with the same seed meet the same faults.
    pub seed: u64,
    /// Where it calls back, if it does.
    pub callback: Option<CallbackTarget>,
}

impl SandboxSettings {
    /// An honest sandbox: no faults, no limit, answers within 10 ms.
    pub fn honest(listen: SocketAddr, key: impl Into<String>) -> Self {
        Self {
            listen,
            speaks: ProviderKind::Open,
            key: key.into(),
            rate_per_second: 0,
            latency_ms: (0, 10),
            faults: Faults::default(),
            slow_ms: 5_000,
            pending_ms: 2_000,
            late_ms: 2_000,
            key_window_ms: KEY_WINDOW_MS,
            seed: 0,
            callback: None,
        }
    }

    /// Says what is wrong with the settings, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let (min_ms, max_ms) = self.latency_ms;
        if self.key.is_empty() {
            return Err("the sandbox's key must not be empty".to_owned());
        }
        if min_ms > max_ms {
            return Err(format!("the latency's bounds are the wrong way round: {min_ms} to {max_ms} ms"));
        }
        if self.faults.callback > 0.0 && self.callback.is_none() {
            return Err("callbacks have nowhere to go: say where with --callback-url".to_owned());
        }
        match self.speaks {
            ProviderKind::Open if self.faults.wrongly_signed > 0.0 => {
                Err("the open contract signs no answers: wrongly_signed is for --speaks alipay or stripe".to_owned())
            }
            ProviderKind::Open => self.faults.check(),
            ProviderKind::Alipay => {
                alipay::Gateway::parse(&self.key)?;
                self.faults.check()
            }
            ProviderKind::Stripe if self.faults.wrongly_signed > 0.0 && self.callback.is_none() => {
                Err("Stripe signs its events: wrongly_signed has nowhere to go without --callback-url".to_owned())
            }
            ProviderKind::Stripe => {
                stripe::Account::new(&self.key)?;
                self.faults.check()
            }
        }
    }
}

impl fmt::Debug for SandboxSettings {
    /// Everything but the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxSettings")
            .field("listen", &self.listen)
            .field("speaks", &self.speaks)
            .field("rate_per_second", &self.rate_per_second)
            .field("latency_ms", &self.latency_ms)
            .field("faults", &self.faults)
            .field("slow_ms", &self.slow_ms)
            .field("pending_ms", &self.pending_ms)
            .field("late_ms", &self.late_ms)
            .field("key_window_ms", &self.key_window_ms)
            .field("seed", &self.seed)
            .field("callback", &self.callback)
            .finish_non_exhaustive()
    }
}

/// Listens and answers for as long as the process lives; ends only if it cannot listen.
pub async fn serve(settings: SandboxSettings) -> io::Result<()> {
    match Sandbox::bind(settings).await?.run().await {}
}

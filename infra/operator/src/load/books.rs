//! What the sandbox provider says of itself: its ledger, its calls and its limit.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::{Base, Client};

/// How long it may take to say what it knows.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A call that the provider counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The payment that it was about.
    pub payment_id: String,
    /// When it arrived, in ms since the epoch.
    pub at_ms: u64,
    /// `send` or `query`.
    pub operation: String,
    /// What it was answered.
    pub answer: String,
}

/// A line of the provider's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// Which payment.
    pub payment_id: String,
    /// `charge`, `refund` or `payout`.
    pub kind: String,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: String,
}

/// What a sandbox provider says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Health {
    /// Calls that it takes in any second; 0 when there is no limit.
    pub rate_per_second: u32,
    /// When it was started, and its books with it.
    pub started_at: String,
}

/// The books of a sandbox provider.
pub struct Books {
    client: Client,
    url: String,
}

impl Books {
    /// Those of the provider at this URL. Nothing is asked yet.
    pub fn at(url: &str) -> Result<Self, String> {
        let base = Base::parse(url).map_err(|error| error.to_string())?;
        Ok(Self { client: Client::new(base, ANSWER_TIMEOUT), url: url.to_owned() })
    }

    /// What it says of itself.
    pub async fn health(&mut self) -> Result<Health, String> {
        let lines: Vec<Health> = self.lines("/healthz").await?;
        lines.into_iter().next().ok_or_else(|| format!("the provider's /healthz at {} is empty", self.url))
    }

    /// Its calls so far, in the order of their arrival.
    pub async fn calls(&mut self) -> Result<Vec<Call>, String> {
        #[derive(Deserialize)]
        struct Line {
            payment_id: String,
            operation: String,
            answer: String,
            at: String,
        }
        let lines: Vec<Line> = self.lines("/calls").await?;
        lines
            .into_iter()
            .map(|Line { payment_id, operation, answer, at }| {
                let at_ms = payments::time::Timestamp::parse(&at)
                    .ok_or_else(|| format!("the provider's calls hold a time that is none: {at}"))?
                    .ms();
                Ok(Call { payment_id, at_ms, operation, answer })
            })
            .collect()
    }

    /// Its ledger so far.
    pub async fn ledger(&mut self) -> Result<Vec<Effect>, String> {
        #[derive(Deserialize)]
        struct Line {
            payment_id: String,
            kind: String,
            amount: u64,
            currency: String,
        }
        let lines: Vec<Line> = self.lines("/ledger").await?;
        let effect = |Line { payment_id, kind, amount, currency }| Effect { payment_id, kind, amount, currency };
        Ok(lines.into_iter().map(effect).collect())
    }

    async fn lines<T: DeserializeOwned>(&mut self, path: &str) -> Result<Vec<T>, String> {
        let fault = |reason: &str| format!("the provider's {path} at {} cannot be read: {reason}", self.url);
        let answer = self.client.get(path).await.map_err(|error| fault(&error.to_string()))?;
        if !answer.status.is_success() {
            return Err(fault(answer.status.as_str()));
        }
        serde_json::Deserializer::from_slice(&answer.body)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| fault(&error.to_string()))
    }
}

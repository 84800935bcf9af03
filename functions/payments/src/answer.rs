//! What a provider's answer means. A time-out is unknown, never failed.

use serde::{Deserialize, Serialize};

/// Longest text of a provider's that is kept with a payment, in characters.
pub const PROVIDER_TEXT_MAX: usize = 48;

/// Longest text of a line of history, in characters: a reference with who says so and why.
pub const HISTORY_TEXT_MAX: usize = 192;

/// A provider's reference or code: short, printable, never a card number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProviderText(String);

impl ProviderText {
    /// Keeps what may be kept of a provider's text: what is not a graphic ASCII character becomes `_`, what is too
    /// long is cut, and what looks like a card number is replaced as a whole.
    pub fn new(text: &str) -> Self {
        Self::of_at_most(PROVIDER_TEXT_MAX, text)
    }

    /// The same of a line of history, which may hold a person's evidence.
    pub(crate) fn of_history(text: &str) -> Self {
        Self::of_at_most(HISTORY_TEXT_MAX, text)
    }

    fn of_at_most(max: usize, text: &str) -> Self {
        if crate::card::contains_card_number(text) {
            return Self("redacted".to_owned());
        }
        let kept: String = text.chars().take(max).map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect();
        Self(if kept.is_empty() { "none".to_owned() } else { kept })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the provider says that it did with a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Done.
    Approved {
        /// The provider's own number for it.
        reference: ProviderText,
    },
    /// The provider has it and will answer later.
    Accepted {
        /// The provider's own number for it, if it has one yet.
        reference: Option<ProviderText>,
    },
    /// Refused for good.
    Declined {
        /// The provider's code for why.
        code: ProviderText,
    },
}

/// Why a request surely had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// 429: the provider counts and refuses before it acts.
    RateLimited {
        /// What `Retry-After` asked for.
        retry_after_ms: Option<u64>,
    },
    /// Connection refused, name not found, TLS handshake failed: no request was written.
    ConnectFailed,
    /// 401 or 403: our credentials are at fault, not this payment.
    CredentialsRefused,
    /// We did not write it: the slot was missed, the lease too short or the time budget over.
    NotWritten,
}

/// Why nobody can say whether a request had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// No answer within the time-out, after the request had left.
    TimedOut,
    /// The connection broke before the whole answer was there.
    ConnectionLost,
    /// 5xx; 503 too, which edges send after the effect.
    ProviderError,
    /// 409: the provider is busy with this key, or knows it with another body.
    Conflict,
    /// An answer that does not follow the contract, or speaks of another payment or amount.
    Unreadable,
}

/// The answer to a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendAnswer {
    /// The provider took it and says what came of it.
    Found(Found),
    /// The provider surely did not take it.
    NotTaken(NotTaken),
    /// Unknown.
    Unclear(Unclear),
}

/// The answer to a query by our id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryAnswer {
    /// The provider knows the payment.
    Found(Found),
    /// The provider does not know the payment now. Whether that proves anything is for the transition to say.
    NotFound,
    /// The query was not taken.
    NotTaken(NotTaken),
    /// The query's answer is missing or unreadable.
    Unclear(Unclear),
}

//! What a call's outcome says about the provider, apart from its payment.

use payments::answer::{NotTaken, QueryAnswer, SendAnswer, Unclear};

/// What one call says about the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answered, whatever it said.
    Answers,
    /// It did not connect, did not answer, or answered with an error of its own.
    Fails,
    /// It asks for fewer calls.
    RateLimits {
        /// What `Retry-After` asked for.
        retry_after_ms: Option<u64>,
    },
    /// It does not know us.
    RefusesCredentials,
    /// Nothing: no request was written, or the answer is about one payment.
    Unsaid,
}

impl Health {
    /// What the answer to a send says.
    pub const fn of_send(answer: &SendAnswer) -> Self {
        match answer {
            SendAnswer::Found(_) => Self::Answers,
            SendAnswer::NotTaken(why) => Self::of_not_taken(*why),
            SendAnswer::Unclear(why) => Self::of_unclear(*why),
        }
    }

    /// What the answer to a query says.
    pub const fn of_query(answer: &QueryAnswer) -> Self {
        match answer {
            QueryAnswer::Found(_) | QueryAnswer::NotFound => Self::Answers,
            QueryAnswer::NotTaken(why) => Self::of_not_taken(*why),
            QueryAnswer::Unclear(why) => Self::of_unclear(*why),
        }
    }

    const fn of_not_taken(why: NotTaken) -> Self {
        match why {
            NotTaken::RateLimited { retry_after_ms } => Self::RateLimits { retry_after_ms },
            NotTaken::ConnectFailed => Self::Fails,
            NotTaken::CredentialsRefused => Self::RefusesCredentials,
            NotTaken::NotWritten => Self::Unsaid,
        }
    }

    const fn of_unclear(why: Unclear) -> Self {
        match why {
            Unclear::TimedOut | Unclear::ConnectionLost | Unclear::ProviderError => Self::Fails,
            // It is busy with this one payment, so it works.
            Unclear::Conflict => Self::Answers,
            // One payment's answer may not fit; a proxy that answers in the provider's place sends a 5xx.
            Unclear::Unreadable => Self::Unsaid,
        }
    }
}

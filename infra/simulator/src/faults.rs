//! What goes wrong in a run, and how often.

/// Before or after the effect of an I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The effect never happens.
    Before,
    /// The effect has happened; nobody hears of it.
    After,
}

/// One crash: the environment that makes the `io`-th I/O of the run dies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashPoint {
    /// Counted from 1 over all environments.
    pub io: u64,
    /// On which side of the effect.
    pub phase: Phase,
}

/// Shares from 0 to 1 of what may go wrong, each drawn by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// One crash at a chosen place.
    pub crash: Option<CrashPoint>,
    /// A crash before or after any I/O.
    pub crash_share: f64,
    /// The table refuses before it acts.
    pub throttle: f64,
    /// The table acts, its answer is lost, and the SDK tries again.
    pub lost_answer: f64,
    /// The table acts, its answer is lost, and so is every retry's.
    pub unresolved: f64,
    /// A queue refuses a send or a change of visibility.
    pub queue_refuses: f64,
    /// A message is delivered to two invocations at once.
    pub duplicate: f64,
    /// An environment freezes for up to ten seconds between two I/Os.
    pub freeze: f64,
    /// Largest difference of an environment's clock from the true time, in ms.
    pub clock_skew_ms: u64,
    /// The provider's faults.
    pub provider: ProviderFaults,
}

/// What a provider does instead of approving.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderFaults {
    /// No connection.
    pub connect: f64,
    /// Declines.
    pub decline: f64,
    /// Takes it and answers later.
    pub pending: f64,
    /// 429.
    pub rate_limited: f64,
    /// 5xx without the effect.
    pub error_before: f64,
    /// 5xx after the effect.
    pub error_after: f64,
    /// Charges and drops the connection.
    pub drop_after: f64,
    /// Never answers and never charges.
    pub lost: f64,
    /// Never answers, and charges after our time-out.
    pub late: f64,
    /// A query fails.
    pub query_fails: f64,
    /// Says by itself what became of a payment. The faults of callbacks are shares of these.
    pub callback: f64,
    /// Says it again.
    pub callback_twice: f64,
    /// Says it up to an hour later, so that a later word of it may come first.
    pub callback_late: f64,
    /// Beside it somebody else says the opposite without the key, or sends again what was recorded.
    pub callback_forged: f64,
}

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self {
            crash: None,
            crash_share: 0.0,
            throttle: 0.0,
            lost_answer: 0.0,
            unresolved: 0.0,
            queue_refuses: 0.0,
            duplicate: 0.0,
            freeze: 0.0,
            clock_skew_ms: 0,
            provider: ProviderFaults {
                connect: 0.0,
                decline: 0.0,
                pending: 0.0,
                rate_limited: 0.0,
                error_before: 0.0,
                error_after: 0.0,
                drop_after: 0.0,
                lost: 0.0,
                late: 0.0,
                query_fails: 0.0,
                callback: 0.0,
                callback_twice: 0.0,
                callback_late: 0.0,
                callback_forged: 0.0,
            },
        }
    }

    /// A provider on an ordinary bad day, with everything else in order.
    pub const fn bad_provider() -> Self {
        Self {
            duplicate: 0.05,
            provider: ProviderFaults {
                connect: 0.03,
                decline: 0.08,
                pending: 0.06,
                rate_limited: 0.05,
                error_before: 0.05,
                error_after: 0.06,
                drop_after: 0.12,
                lost: 0.05,
                late: 0.06,
                query_fails: 0.1,
                callback: 0.5,
                callback_twice: 0.2,
                callback_late: 0.3,
                callback_forged: 0.2,
            },
            ..Self::none()
        }
    }

    /// Environments that freeze with calls under way and slots in hand, as Lambda's do between invocations.
    pub const fn freezes() -> Self {
        Self { freeze: 0.05, ..Self::none() }
    }

    /// Nothing but answers of the table that are lost, and found again by the nonce of the write.
    pub const fn lost_answers() -> Self {
        Self { lost_answer: 0.3, ..Self::none() }
    }

    /// I2's stated time from accepted to ended, in ms, where nothing but answers can be lost: such a loss costs a
    /// retry of the SDK's, not a lease and not a sweep.
    pub fn ends_within_ms(&self) -> Option<u64> {
        let harmless = Self { lost_answer: self.lost_answer, ..Self::none() };
        (*self == harmless).then_some(60_000)
    }

    /// A provider that mostly fails without saying whether it charged, so that payments end in front of a person.
    pub const fn stubborn_provider() -> Self {
        Self {
            duplicate: 0.05,
            provider: ProviderFaults {
                error_before: 0.5,
                lost: 0.2,
                drop_after: 0.1,
                query_fails: 0.2,
                ..Self::bad_provider().provider
            },
            ..Self::none()
        }
    }

    /// Everything at once.
    pub const fn everything() -> Self {
        Self {
            crash_share: 0.01,
            throttle: 0.03,
            lost_answer: 0.05,
            unresolved: 0.02,
            queue_refuses: 0.03,
            duplicate: 0.15,
            freeze: 0.01,
            ..Self::bad_provider()
        }
    }
}

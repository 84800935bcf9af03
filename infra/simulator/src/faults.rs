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
    /// Who a key belongs to, or which payments are open, cannot be read.
    pub lookups_throttled: f64,
    /// The table acts, its answer is lost, and the SDK tries again.
    pub lost_answer: f64,
    /// The table acts, its answer is lost, and so is every retry's.
    pub unresolved: f64,
    /// A queue refuses a send or a change of visibility.
    pub queue_refuses: f64,
    /// A lane takes a message, and the answer is lost.
    pub send_answer_lost: f64,
    /// A message is delivered to two invocations at once.
    pub duplicate: f64,
    /// An environment freezes for up to ten seconds between two I/Os.
    pub freeze: f64,
    /// Largest difference of an environment's clock from the true time, in ms.
    pub clock_skew_ms: u64,
    /// How long customers keep coming, in ms.
    pub arrive_within_ms: u64,
    /// How often a message is received before it is dead-lettered.
    pub max_receive_count: u32,
    /// An operator sets other rates, pauses and resumes.
    pub operator: bool,
    /// A time in which an operator keeps the gate paused.
    pub pause: Option<Pause>,
    /// A time in which every call fails.
    pub brownout: Option<Brownout>,
    /// Messages that are not ours come into every queue.
    pub poison: bool,
    /// In the end the retention goes by, what has ended is forgotten, and everything comes once more.
    pub ageing: bool,
    /// The table is restored to an earlier moment.
    pub restore: Option<Restore>,
    /// How long the provider knows a key after it came first, in ms. Some keep it for a day; a window of little more than an
    /// hour, with minutes of skew on both sides, ends within a run.
    pub key_window_ms: u64,
    /// The provider's faults.
    pub provider: ProviderFaults,
}

/// How a point-in-time recovery of the table is gone about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// As infra/runbooks/restore.md says.
    ByTheRunbook,
    /// The table is put back, and everything goes on: to see that this is found.
    Carelessly,
}

/// A time in which an operator keeps the gate paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When it begins, in ms of virtual time.
    pub from_ms: u64,
    /// When it ends.
    pub until_ms: u64,
}

impl Pause {
    /// The most messages that one payment may have in all queues, however long the gate is stopped: its own, one put back
    /// for it, and one that is just being replaced in the dead-letter queue.
    pub const MESSAGES_MAX: u64 = 3;
}

/// A time in which the provider fails every call, one way or another: it refuses connections, answers 503 before or
/// after the effect, or never answers. When it is over, the provider answers in half of its former time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brownout {
    /// When it begins, in ms of virtual time.
    pub from_ms: u64,
    /// When it ends.
    pub until_ms: u64,
}

impl Brownout {
    /// The stated time, in ms after its end, within which the breaker is closed again: the longest wait for a probe
    /// (60 s), another until there is a message to probe with (60 s, the backoff's cap), the ramp's four doublings
    /// (20 s) and a message after it that is sent at the whole rate (60 s).
    pub const CLOSED_WITHIN_MS: u64 = 200_000;
    /// The stated time, in ms after its end, within which every payment has ended: the proof of absence (the bound of
    /// 120 s and 600 s of skew, after the last lease), the breaker's own time, and a backoff before and after.
    pub const ENDED_WITHIN_MS: u64 = 720_000 + Self::CLOSED_WITHIN_MS + 120_000;
}

/// What a provider does instead of approving.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderFaults {
    /// No connection.
    pub connect: f64,
    /// A connection that takes up to a second.
    pub slow_connect: f64,
    /// Declines.
    pub decline: f64,
    /// Takes it and answers later.
    pub pending: f64,
    /// Says for an hour or two that it does not know what it has taken. A share of what is pending.
    pub forgets: f64,
    /// 429.
    pub rate_limited: f64,
    /// 403: it does not know our key.
    pub credentials_refused: f64,
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
    /// Does after all what it has declined, and says so by a callback alone.
    pub reversed: f64,
}

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self {
            crash: None,
            crash_share: 0.0,
            throttle: 0.0,
            lookups_throttled: 0.0,
            lost_answer: 0.0,
            unresolved: 0.0,
            queue_refuses: 0.0,
            send_answer_lost: 0.0,
            duplicate: 0.0,
            freeze: 0.0,
            clock_skew_ms: 0,
            arrive_within_ms: 3_000,
            max_receive_count: 12,
            operator: false,
            pause: None,
            brownout: None,
            poison: false,
            ageing: false,
            restore: None,
            key_window_ms: 75 * 60 * 1_000,
            provider: ProviderFaults {
                connect: 0.0,
                slow_connect: 0.0,
                decline: 0.0,
                pending: 0.0,
                forgets: 0.0,
                rate_limited: 0.0,
                credentials_refused: 0.0,
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
                reversed: 0.0,
            },
        }
    }

    /// A provider on an ordinary bad day, with everything else in order.
    pub const fn bad_provider() -> Self {
        Self {
            duplicate: 0.05,
            provider: ProviderFaults {
                connect: 0.03,
                slow_connect: 0.0,
                decline: 0.08,
                pending: 0.06,
                forgets: 0.0,
                rate_limited: 0.05,
                credentials_refused: 0.0,
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
                reversed: 0.1,
            },
            ..Self::none()
        }
    }

    /// A provider that answers 429 to one call in two hundred for reasons of that payment alone.
    pub const fn stray_429() -> Self {
        let none = Self::none();
        Self { provider: ProviderFaults { rate_limited: 0.005, ..none.provider }, ..none }
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

    /// A provider that is down for ten minutes in the middle of half an hour's sale.
    pub const fn brownout() -> Self {
        let brownout = Some(Brownout { from_ms: 600_000, until_ms: 1_200_000 });
        Self { arrive_within_ms: 1_800_000, brownout, ..Self::none() }
    }

    /// An operator who pauses in the middle of half an hour's sale and resumes after six hours: six times as long as a sweep
    /// waits in a busy lane. Messages are dead-lettered as late as in a deployment.
    pub const fn outage() -> Self {
        Self::outage_of(6)
    }

    /// The same for so many hours.
    pub const fn outage_of(hours: u64) -> Self {
        let pause = Some(Pause { from_ms: 600_000, until_ms: 600_000 + hours * 60 * 60 * 1_000 });
        Self { arrive_within_ms: 1_800_000, max_receive_count: 60, pause, ..Self::none() }
    }

    /// A provider that is down for so many hours in the middle of half an hour's sale. Messages are dead-lettered as late as in
    /// a deployment.
    pub const fn dead_provider(hours: u64) -> Self {
        let brownout = Some(Brownout { from_ms: 600_000, until_ms: 600_000 + hours * 60 * 60 * 1_000 });
        Self { max_receive_count: 60, brownout, ..Self::brownout() }
    }

    /// When the last of what lasts for hours is over, in ms of virtual time; 0 where nothing does.
    pub fn over_ms(&self) -> u64 {
        let pause_ms = self.pause.map_or(0, |pause| pause.until_ms);
        pause_ms.max(self.brownout.map_or(0, |brownout| brownout.until_ms))
    }

    /// An operator who sets other rates, pauses and resumes while a sale goes on with a provider that fails.
    pub const fn operator() -> Self {
        Self { arrive_within_ms: 1_200_000, operator: true, ..Self::bad_provider() }
    }

    /// Messages that are not ours, while everything else fails as well.
    pub const fn poison() -> Self {
        Self { poison: true, ..Self::everything() }
    }

    /// Everything at once, and payments whose details are forgotten when something still comes for them.
    pub const fn ageing() -> Self {
        Self { ageing: true, ..Self::everything() }
    }

    /// A table that is restored by the runbook to some minutes before, in the middle of half an hour's sale. Declines are
    /// for good: a late success that a restore has lost is in the provider's file only.
    pub const fn restore() -> Self {
        Self {
            arrive_within_ms: 1_800_000,
            restore: Some(Restore::ByTheRunbook),
            provider: ProviderFaults { reversed: 0.0, ..Self::bad_provider().provider },
            ..Self::bad_provider()
        }
    }

    /// Whether nothing but the provider and the queues fail: then no environment dies between a claim and its send, and an attempt
    /// is a request that the provider has seen.
    pub fn only_the_provider_fails(&self) -> bool {
        let Self {
            duplicate,
            arrive_within_ms,
            max_receive_count,
            queue_refuses,
            send_answer_lost,
            operator,
            pause,
            brownout,
            key_window_ms,
            ref provider,
            ..
        } = *self;
        let harmless = Self {
            duplicate,
            arrive_within_ms,
            max_receive_count,
            queue_refuses,
            send_answer_lost,
            operator,
            pause,
            brownout,
            key_window_ms,
            provider: provider.clone(),
            ..Self::none()
        };
        *self == harmless
    }

    /// Messages that are dead-lettered again and again because their payments have to wait: the provider mostly refuses
    /// connections and calls, and the queues now and then a message.
    pub const fn dead_letters() -> Self {
        Self {
            max_receive_count: 2,
            // What has to wait for hours in these runs is not to end before a person because a key is forgotten.
            key_window_ms: 24 * 60 * 60 * 1_000,
            queue_refuses: 0.3,
            send_answer_lost: 0.1,
            duplicate: 0.4,
            provider: ProviderFaults { connect: 0.3, rate_limited: 0.5, ..Self::bad_provider().provider },
            ..Self::bad_provider()
        }
    }

    /// A table that refuses every third write and leaves every tenth in the dark, also when it is asked again.
    pub const fn bad_table() -> Self {
        Self { throttle: 0.3, lookups_throttled: 0.3, unresolved: 0.1, ..Self::bad_provider() }
    }

    /// An operator who pauses while batches wait, whose environments freeze: invocations that run out of time.
    pub const fn stalls() -> Self {
        Self { freeze: 0.05, ..Self::operator() }
    }

    /// A provider that declines, loses its answer, does it after all, and still says late that it has declined; asked, it
    /// mostly says nothing.
    pub const fn fickle_provider() -> Self {
        Self {
            provider: ProviderFaults {
                decline: 0.4,
                drop_after: 0.5,
                reversed: 0.8,
                query_fails: 0.8,
                callback: 0.9,
                callback_late: 0.6,
                ..Self::bad_provider().provider
            },
            ..Self::bad_provider()
        }
    }

    /// Connections that take longer than their slots, for messages that are often delivered twice.
    pub const fn slow_connections() -> Self {
        Self {
            duplicate: 0.3,
            provider: ProviderFaults { slow_connect: 0.5, ..Self::bad_provider().provider },
            ..Self::bad_provider()
        }
    }

    /// A provider that takes much and answers later, and denies half of it until then.
    pub const fn forgetting_provider() -> Self {
        Self {
            provider: ProviderFaults { pending: 0.4, forgets: 0.5, ..Self::bad_provider().provider },
            ..Self::bad_provider()
        }
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
            lookups_throttled: 0.03,
            lost_answer: 0.05,
            unresolved: 0.02,
            queue_refuses: 0.03,
            send_answer_lost: 0.03,
            duplicate: 0.15,
            freeze: 0.01,
            ..Self::bad_provider()
        }
    }
}

//! The numbers of a deployment that have to agree with one another: as a plan chooses them, and as a template says them.

use std::collections::BTreeMap;

use payments::policy::Policy;

/// A queue, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QueueName {
    /// The lane for merchants with the permission.
    High,
    /// The lane for everybody else.
    Standard,
    /// What was received too often.
    DeadLetter,
    /// What waits for a person; nothing reads it.
    Parked,
}

impl QueueName {
    /// All of them, in a payment's order.
    pub const ALL: [Self; 4] = [Self::High, Self::Standard, Self::DeadLetter, Self::Parked];

    /// The function that reads it.
    pub const fn reader(self) -> Option<FunctionName> {
        match self {
            Self::High | Self::Standard => Some(FunctionName::Consumer),
            Self::DeadLetter => Some(FunctionName::DeadLetter),
            Self::Parked => None,
        }
    }

    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::High => "the high lane",
            Self::Standard => "the standard lane",
            Self::DeadLetter => "the dead-letter queue",
            Self::Parked => "the parked queue",
        }
    }
}

/// A function whose numbers matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FunctionName {
    /// Takes payments in.
    Ingest,
    /// Takes them to the provider.
    Consumer,
    /// Looks at the dead letters.
    DeadLetter,
}

impl FunctionName {
    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Consumer => "consumer",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// A queue's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How long a received message is hidden.
    pub visibility_seconds: u64,
    /// How long a message is kept, from its first send on.
    pub retention_seconds: u64,
    /// Where what was received too often goes.
    pub redrive: Option<Redrive>,
}

/// A redrive policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// The queue it goes to.
    pub to: QueueName,
    /// Receives before it goes (`maxReceiveCount`).
    pub receives_max: u64,
}

/// The event source mapping that reads a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Messages in a batch.
    pub batch: u64,
    /// How long a batch is waited for.
    pub window_seconds: u64,
    /// Batches side by side (`MaximumConcurrency`); `None` is as many as Lambda likes.
    pub concurrency: Option<u64>,
    /// Whether a batch may fail in part (`ReportBatchItemFailures`).
    pub fails_in_part: bool,
}

impl Mapping {
    /// Messages that it holds at most.
    pub fn in_hand(&self) -> u64 {
        self.concurrency.unwrap_or(u64::MAX).saturating_mul(self.batch)
    }
}

/// A function's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// How long it may run.
    pub timeout_seconds: u64,
    /// Environments kept for it, and the most that it has.
    pub reserved: Option<u64>,
}

/// The times of the policy that other numbers depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From a call's slot until its lease may end.
    pub lease_ms: u64,
    /// How long before its slot a payment is claimed.
    pub claim_lead_ms: u64,
    /// First bound of the backoff.
    pub backoff_base_ms: u64,
    /// Largest bound of the backoff.
    pub backoff_cap_ms: u64,
    /// The same of what the provider has and answers later.
    pub pending_backoff_base_ms: u64,
    /// Likewise.
    pub pending_backoff_cap_ms: u64,
    /// How long it is pending before it is parked.
    pub park_overdue_after_ms: u64,
    /// How long a message may be there before its item must be.
    pub missing_item_grace_ms: u64,
    /// How long a message of a newer version waits for its code.
    pub newer_version_grace_ms: u64,
    /// How often `dead_letter` puts one payment's message back.
    pub heals_max: u64,
    /// Time after which an absence is proved; `None` while the provider has not said its bound.
    pub absence_proof_ms: Option<u64>,
}

impl Times {
    /// Those of a whole policy.
    pub fn of(policy: &Policy) -> Self {
        Self {
            lease_ms: policy.lease_ms(),
            claim_lead_ms: policy.claim_lead_ms,
            backoff_base_ms: policy.backoff_base_ms,
            backoff_cap_ms: policy.backoff_cap_ms,
            pending_backoff_base_ms: policy.pending_backoff_base_ms,
            pending_backoff_cap_ms: policy.pending_backoff_cap_ms,
            park_overdue_after_ms: policy.park_overdue_ms(),
            missing_item_grace_ms: policy.missing_item_grace_ms,
            newer_version_grace_ms: policy.newer_version_grace_ms,
            heals_max: u64::from(policy.max_heals),
            absence_proof_ms: Some(policy.absence_proof_ms()),
        }
    }
}

/// The gate's numbers and what goes with the rate. A rate of `None` is one that only the provider can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// The gate's rate, in calls a second.
    pub gate_per_second: Option<u32>,
    /// What the provider takes, if it was said apart from the template.
    pub provider_per_second: Option<u32>,
    /// Kept free of each second.
    pub margin_ms: u32,
    /// Messages that one sweep puts back.
    pub heals_per_sweep: u64,
    /// Requests a second that the API lets in.
    pub api_per_second: u64,
    /// Requests that it lets in at once above that.
    pub api_burst: u64,
    /// Calls side by side in one environment of the consumer.
    pub calls_each: u64,
    /// Calls side by side that the provider takes from all of them; `None` when it states no such limit.
    pub calls_max: Option<u64>,
}

/// What shows that somebody changed an item behind our back, and how long it has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Days for which the shortest-lived of the functions' logs is kept; `None` is for ever.
    pub log_days: Option<u64>,
    /// How long an ended payment is kept, in ms.
    pub retention_ms: u64,
}

/// Warm throughput, in write units a second; 0 where none is set, and a new table's holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warm {
    /// Of the payments' table.
    pub table: u64,
    /// Of its index of open payments.
    pub index: u64,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The queues.
    pub queues: BTreeMap<QueueName, Queue>,
    /// The mappings, by the queue that each reads.
    pub mappings: BTreeMap<QueueName, Mapping>,
    /// The functions.
    pub functions: BTreeMap<FunctionName, Function>,
    /// The policy's times.
    pub times: Times,
    /// The rates.
    pub rates: Rates,
    /// The logs' retention and the payments'.
    pub evidence: Evidence,
    /// What DynamoDB is warm for.
    pub warm: Warm,
    /// Whether Lambda lets `dead_letter` send to the lanes whose dead letters it reads (`RecursiveLoop: Allow`).
    pub loop_is_allowed: bool,
}

/// A number of a deployment: where a breach of the rules is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Number {
    /// A queue's visibility.
    Visibility(QueueName),
    /// A queue's retention.
    Retention(QueueName),
    /// A redrive policy's receives.
    Receives(QueueName),
    /// A mapping's batch.
    Batch(QueueName),
    /// A mapping's window.
    Window(QueueName),
    /// A mapping's concurrency.
    Concurrency(QueueName),
    /// A mapping's response types.
    ResponseTypes(QueueName),
    /// A function's time-out.
    Timeout(FunctionName),
    /// A function's reserved concurrency.
    Reserved(FunctionName),
    /// What `dead_letter` is allowed.
    RecursiveLoop,
    /// The gate's rate.
    Rate,
    /// The gate's margin.
    Margin,
    /// A sweep's share.
    HealsPerSweep,
    /// How long logs with anchors are kept.
    LogRetention,
    /// How seldom what is pending is looked at.
    PendingBackoff,
    /// The API's throttle.
    ApiRate,
    /// The API's burst.
    ApiBurst,
    /// What the payments' table is warm for.
    TableWarm,
    /// What its index is warm for.
    IndexWarm,
    /// Calls side by side in one environment.
    MaxInFlight,
}

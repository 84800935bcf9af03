//! What AWS allows: the limits that a plan has to stay under, and the quotas that have to be raised before a sale.
//!
//! Each figure is named with the title of the AWS page that states it.

/// Messages that a standard queue has in flight at most; beyond it polls bring nothing, without an error ("Amazon SQS
/// standard queue quotas").
pub const IN_FLIGHT_MAX: u64 = 120_000;
/// Seconds that a message is hidden at most ("Amazon SQS visibility timeout").
pub const VISIBILITY_SECONDS_MAX: u64 = 43_200;
/// Receives that a redrive policy may ask for at most ("SetQueueAttributes").
pub const RECEIVES_MAX: u64 = 1_000;
/// Fewer receives than this, and throttling alone sends messages to the dead letters ("Creating and configuring an
/// Amazon SQS event source mapping": at least 5).
pub const RECEIVES_MIN: u64 = 5;
/// A visibility in function time-outs, so that a throttled batch can be tried again ("Creating and configuring an
/// Amazon SQS event source mapping": six times the time-out and the batching window).
pub const VISIBILITY_IN_TIMEOUTS: u64 = 6;
/// The largest batch of a standard queue ("Lambda parameters for Amazon SQS event source mappings").
pub const BATCH_MAX: u64 = 10_000;
/// The largest batch that needs no window; above it the window is at least one second ("EventSourceMappingConfiguration").
pub const BATCH_WITHOUT_WINDOW_MAX: u64 = 10;
/// The longest batching window in seconds ("EventSourceMappingConfiguration").
pub const WINDOW_SECONDS_MAX: u64 = 300;
/// The least that a mapping's MaximumConcurrency may be ("AWS::Lambda::EventSourceMapping ScalingConfig").
pub const MAPPING_CONCURRENCY_MIN: u64 = 2;
/// The most that it may be (the same page).
pub const MAPPING_CONCURRENCY_MAX: u64 = 1_000;
/// Seconds that a function runs at most ("Lambda quotas").
pub const FUNCTION_SECONDS_MAX: u64 = 900;
/// Requests a second for each unit of concurrency ("Understanding Lambda function scaling": ten times the concurrency).
pub const REQUESTS_PER_CONCURRENCY: u64 = 10;
/// Environments that one function gains in ten seconds, the first of them at once ("Lambda scaling behavior").
pub const ENVIRONMENTS_IN_TEN_SECONDS: u64 = 1_000;
/// Concurrency of an account that cannot be reserved ("Configuring reserved concurrency for a function").
pub const UNRESERVED_CONCURRENCY: u64 = 100;
/// Seconds after which an HTTP API gives up on its function ("Quotas for configuring and running an HTTP API").
pub const HTTP_API_SECONDS_MAX: u64 = 30;
/// Log streams that an account makes in a second, one for each environment ("CreateLogStream", Amazon CloudWatch Logs).
pub const LOG_STREAMS_PER_SECOND: u64 = 50;
/// Read units that one partition, and so one item, gives a second ("Best practices for designing and using partition keys
/// effectively in DynamoDB").
pub const PARTITION_READ_UNITS: u64 = 3_000;
/// Write units that one partition takes a second ("Best practices for designing and using partition keys effectively in
/// DynamoDB").
pub const PARTITION_WRITE_UNITS: u64 = 1_000;
/// Write units a second that a new on-demand table or index takes at once ("Understanding DynamoDB warm throughput").
pub const NEW_TABLE_WRITE_UNITS: u64 = 4_000;

/// A quota that an account has by default and that AWS raises when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    /// Requests a second of all API Gateway APIs.
    ApiRequests,
    /// Concurrent executions of all functions.
    Concurrency,
    /// Write request units a second of one table.
    TableWrites,
    /// Write request units a second of one index.
    IndexWrites,
}

impl Quota {
    /// What an account has without asking.
    pub const fn by_default(self) -> u64 {
        match self {
            // "Amazon API Gateway quotas"; 2,500 in some Regions.
            Self::ApiRequests => 10_000,
            // "Lambda quotas"; new accounts may have less.
            Self::Concurrency => 1_000,
            // "Quotas in Amazon DynamoDB": table-level, for a table and for each of its indexes.
            Self::TableWrites | Self::IndexWrites => 40_000,
        }
    }

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ApiRequests => "API Gateway, throttle quota per account, requests a second",
            Self::Concurrency => "Lambda, concurrent executions",
            Self::TableWrites => "DynamoDB, table-level write throughput, units a second (the payments' table)",
            Self::IndexWrites => "DynamoDB, table-level write throughput, units a second (the open index)",
        }
    }
}

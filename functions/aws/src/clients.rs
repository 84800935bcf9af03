//! The SDK's clients, built once for a function's life.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use payments::policy::OPERATION_TIMEOUT_MS;

/// Within a Region a connection takes milliseconds; a second means that it will not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Both services answer in milliseconds; what takes this long is lost, and its nonce tells what became of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// All attempts together.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(OPERATION_TIMEOUT_MS);
/// The time-out of an answer that is welcome and not needed: ten times what either service usually takes.
const HASTY_TIMEOUT: Duration = Duration::from_millis(300);
/// First wait between attempts, before jitter.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);
/// Longest wait between attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// Attempts of one operation.
const ATTEMPTS_MAX: u32 = 3;

/// The clients that the adapters share.
#[derive(Clone, Debug)]
pub struct Clients {
    /// For the tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// For the queues.
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Clients with our retries and time-outs, on whatever transport, Region and credentials the configuration names.
    pub fn new(config: &SdkConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(config)
            .retry_config(retries())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let sqs = aws_sdk_sqs::config::Builder::from(config)
            .retry_config(retries())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self { dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb), sqs: aws_sdk_sqs::Client::from_conf(sqs) }
    }

    /// The same clients for what is welcome and not needed: one attempt each, and soon given up.
    #[must_use]
    pub fn hasty(&self) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(HASTY_TIMEOUT)
            .operation_attempt_timeout(HASTY_TIMEOUT)
            .operation_timeout(HASTY_TIMEOUT)
            .build();
        let dynamodb = self.dynamodb.config().to_builder();
        let dynamodb = dynamodb.retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone()).build();
        let sqs = self.sqs.config().to_builder();
        let sqs = sqs.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build();
        Self { dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb), sqs: aws_sdk_sqs::Client::from_conf(sqs) }
    }

    /// Clients for where this process runs: Region and credentials from the environment, as Lambda sets them.
    pub async fn from_environment() -> Self {
        Self::new(&aws_config::defaults(BehaviorVersion::latest()).load().await)
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(INITIAL_BACKOFF)
        .with_max_backoff(MAX_BACKOFF)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

//! An AWS in this process: `DynamoDB` and SQS from `winterbaume`, plugged into the real SDK as its HTTP client, so that
//! the deployed code runs unchanged down to the last byte before the wire.
//!
//! Whatever `winterbaume` does otherwise than AWS documents is made up for here, never in the deployed code. On top it
//! counts the calls of each component and can be told to throttle, to fail, or to act and lose the answer.

mod connector;
mod faults;
mod messages;
mod queues;
mod server;
mod stack;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use aws::queue::QueueUrls;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use aws_sdk_sqs::types::QueueAttributeName;

pub use connector::Permission;
pub use faults::{Fault, Faults, When};
pub use server::{Endpoint, endpoint_config};
pub use stack::{Handler, Stack};

use connector::{Inside, LabelledClient};

/// The table of payments.
pub const PAYMENTS_TABLE: &str = "payments";
/// The table of merchants.
pub const MERCHANTS_TABLE: &str = "merchants";
/// The table of gates.
pub const GATES_TABLE: &str = "gates";
/// The table of the merchants' buckets and the lanes' figure.
pub const ADMISSION_TABLE: &str = "admission";
pub use aws::open::OPEN_INDEX;

/// The Region that it stands in for; the account is `winterbaume`'s default.
pub const REGION: &str = "eu-central-1";

/// The queues' numbers, as a template would give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueNumbers {
    /// How long the lanes hide what was received.
    pub visibility_seconds: u32,
    /// How often a lane's message is received before it goes to the DLQ.
    pub max_receive_count: u32,
    /// How long the DLQ hides what was received.
    pub dead_letter_visibility_seconds: u32,
    /// How often a message in the DLQ is received before it goes to where people look.
    pub dead_letter_max_receive_count: u32,
}

/// The queues' URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queues {
    /// The `standard` lane.
    pub standard: String,
    /// The `high` lane.
    pub high: String,
    /// Where both lanes' redrive policies lead.
    pub dead_letter: String,
    /// Where the DLQ's own redrive policy leads: in front of people.
    pub parked: String,
}

impl Queues {
    /// The URLs that the functions are told.
    pub fn urls(&self) -> QueueUrls {
        QueueUrls {
            high: self.high.clone(),
            standard: self.standard.clone(),
            dead_letter: Some(self.dead_letter.clone()),
        }
    }
}

/// The embedded AWS. Clones share it.
#[derive(Clone, Debug)]
pub struct Embedded {
    inside: Arc<Inside>,
}

impl Embedded {
    /// An empty account.
    pub fn start() -> Self {
        Self { inside: Arc::new(Inside::new()) }
    }

    /// What a component's clients are built from; its calls are counted under this label.
    pub fn config(&self, label: &str) -> SdkConfig {
        let client = LabelledClient::new(Arc::clone(&self.inside), label);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(Self::credentials())
            .http_client(SharedHttpClient::new(client))
            .build()
    }

    /// Credentials that sign requests and open nothing.
    pub fn credentials() -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new("embedded", "embedded", None, None, "embedded"))
    }

    /// Answers over HTTP too, on `address` (port 0 for any free one). Calls are counted under the access key that signs
    /// them.
    pub async fn serve(&self, address: SocketAddr) -> std::io::Result<Endpoint> {
        Endpoint::start(Arc::clone(&self.inside), address).await
    }

    /// How often each (label, operation) was called, retries by the SDK included.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.inside.calls()
    }

    /// What all calls so far have needed from IAM, each once; they are not forgotten with the counts.
    pub fn permissions(&self) -> BTreeSet<Permission> {
        self.inside.permissions()
    }

    /// Counts from zero again.
    pub fn forget_calls(&self) {
        self.inside.forget_calls();
    }

    /// The faults to inject; none at first.
    pub fn faults(&self) -> &Faults {
        self.inside.faults()
    }

    /// Shows this stack to whoever asks for one, in place of the one before.
    pub fn deploy(&self, stack: Stack) {
        self.inside.deploy(stack);
    }

    /// Creates the tables as the template does.
    pub async fn create_tables(&self) -> Result<(), String> {
        create_tables(&aws_sdk_dynamodb::Client::new(&self.config("setup"))).await
    }

    /// Creates `parked`, the DLQ that leads there, and both lanes that lead to the DLQ.
    pub async fn create_queues(&self, numbers: QueueNumbers) -> Result<Queues, String> {
        let dead_letter_seconds = numbers.dead_letter_visibility_seconds;
        let parked = self.create_queue("parked", dead_letter_seconds, None).await?;
        let to_parked = Some(("parked", numbers.dead_letter_max_receive_count));
        let dead_letter = self.create_queue("dead-letter", dead_letter_seconds, to_parked).await?;
        let to_dead_letter = Some(("dead-letter", numbers.max_receive_count));
        let seconds = numbers.visibility_seconds;
        Ok(Queues {
            standard: self.create_queue("standard", seconds, to_dead_letter).await?,
            high: self.create_queue("high", seconds, to_dead_letter).await?,
            dead_letter,
            parked,
        })
    }

    async fn create_queue(
        &self,
        name: &str,
        visibility_seconds: u32,
        redrive: Option<(&str, u32)>,
    ) -> Result<String, String> {
        let client = aws_sdk_sqs::Client::new(&self.config("setup"));
        let mut request = client
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::VisibilityTimeout, visibility_seconds.to_string())
            .attributes(QueueAttributeName::MessageRetentionPeriod, "1209600");
        if let Some((target, max_receive_count)) = redrive {
            let policy = serde_json::json!({
                "deadLetterTargetArn": queue_arn(target),
                "maxReceiveCount": max_receive_count,
            });
            request = request.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        let output = request.send().await.map_err(|error| format!("CreateQueue {name}: {error:?}"))?;
        output.queue_url.ok_or_else(|| format!("CreateQueue {name} answered without a URL"))
    }

    /// From here on a redrive by policy begins a message's receive count anew. At first it goes on: AWS's pages do not say
    /// which, and in accounts it was seen to.
    pub fn begin_counts_anew(&self) {
        self.inside.begin_counts_anew();
    }

    /// Does at once what `StartMessageMoveTask` does in its own time, and says how many messages it moved: each visible
    /// message of `from` is put anew into `to`, or into the queue that it came from, under a new message id and a new
    /// `SentTimestamp`.
    pub fn move_messages(&self, from: &str, to: Option<&str>) -> Result<usize, String> {
        self.inside.move_messages(from, to)
    }
}

/// The account that it stands in for.
pub fn account_id() -> &'static str {
    winterbaume_core::default_account_id()
}

/// The ARN of one of its queues, given the queue's name or URL.
pub fn queue_arn(name_or_url: &str) -> String {
    let name = name_or_url.rsplit('/').next().unwrap_or_default();
    format!("arn:aws:sqs:{REGION}:{}:{name}", account_id())
}

fn key(name: &str, key_type: KeyType) -> Result<KeySchemaElement, String> {
    KeySchemaElement::builder().attribute_name(name).key_type(key_type).build().map_err(|error| error.to_string())
}

fn attribute(name: &str, attribute_type: ScalarAttributeType) -> Result<AttributeDefinition, String> {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(attribute_type)
        .build()
        .map_err(|error| error.to_string())
}

/// Creates the tables as the template does, by whatever client.
pub async fn create_tables(client: &aws_sdk_dynamodb::Client) -> Result<(), String> {
    let open = GlobalSecondaryIndex::builder()
        .index_name(OPEN_INDEX)
        .key_schema(key("open_shard", KeyType::Hash)?)
        .key_schema(key("created_at", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()
        .map_err(|error| error.to_string())?;
    for (table, table_key, index) in [
        (PAYMENTS_TABLE, "id", Some(open)),
        (MERCHANTS_TABLE, "key_hash", None),
        (GATES_TABLE, "provider", None),
        (ADMISSION_TABLE, "name", None),
    ] {
        let mut request = client
            .create_table()
            .table_name(table)
            .billing_mode(BillingMode::PayPerRequest)
            .key_schema(key(table_key, KeyType::Hash)?)
            .attribute_definitions(attribute(table_key, ScalarAttributeType::S)?);
        if let Some(index) = index {
            request = request
                .attribute_definitions(attribute("open_shard", ScalarAttributeType::S)?)
                .attribute_definitions(attribute("created_at", ScalarAttributeType::N)?)
                .global_secondary_indexes(index);
        }
        request.send().await.map_err(|error| format!("CreateTable {table}: {error:?}"))?;
    }
    Ok(())
}

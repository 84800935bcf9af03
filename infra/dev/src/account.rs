//! Which AWS a command talks to: the one that `cargo dev up` keeps, or a real account.

use std::error::Error;
use std::fmt;

use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::queue::{QueueUrls, SqsQueue};
use aws::store::DynamoStore;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use clap::Args;
use cloud::embedded::{GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE, REGION};

use crate::ops::hand::Deployed;
use crate::stack::{Stack, USUAL_NAME};

/// Where `cargo dev up` answers as AWS, unless told otherwise.
pub const LOCAL_ENDPOINT: &str = "http://127.0.0.1:8070";
/// By which name the commands' calls are counted there.
const COMMAND: &str = "command";

/// Which AWS. Each may stand anywhere behind its command.
#[derive(Args, Clone, Debug)]
pub struct AccountArguments {
    /// Where `cargo dev up` answers as AWS.
    #[arg(long, global = true, value_name = "URL", default_value = LOCAL_ENDPOINT)]
    pub aws_endpoint: String,
    /// The real AWS instead, with the credentials and the Region of the environment. Names and numbers are taken from the
    /// stack itself, so the caller needs cloudformation:DescribeStacks.
    #[arg(long, global = true, conflicts_with = "aws_endpoint")]
    pub aws: bool,
    /// The stack on the real AWS: sluice if only --aws is given.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "aws_endpoint")]
    pub stack: Option<String>,
}

impl AccountArguments {
    /// The stack that is meant; `None` is `cargo dev up`.
    pub fn stack(&self) -> Option<&str> {
        let usual = self.aws.then_some(USUAL_NAME);
        self.stack.as_deref().or(usual)
    }
}

/// An account, reached.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its clients.
    pub clients: Clients,
    /// Its table of payments.
    pub payments_table: String,
    /// Its table of merchants.
    pub merchants_table: String,
    /// Its table of gates.
    pub gates_table: String,
    /// Its lanes and its DLQ.
    pub queues: QueueUrls,
    /// Where people look.
    pub parked_url: String,
    /// The function that writes payments for an operator, unless it is this machine's.
    pub operator: Option<Deployed>,
    /// The stack that it is, unless it is the one on this machine.
    pub stack: Option<Stack>,
}

impl Account {
    /// Reaches it, and finds its queues.
    pub async fn open(arguments: &AccountArguments) -> Result<Self, String> {
        match arguments.stack() {
            Some(stack) => Self::real(stack).await,
            None => Self::local(&arguments.aws_endpoint).await,
        }
    }

    async fn local(endpoint: &str) -> Result<Self, String> {
        let credentials = Credentials::new(COMMAND, COMMAND, None, None, "local");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(endpoint)
            .build();
        let clients = Clients::new(&config);
        let sqs = clients.sqs.clone();
        let url = async |name: &str| {
            let output = sqs.get_queue_url().queue_name(name).send().await.map_err(|error| {
                format!(
                    "no Sluice answers as AWS at {endpoint}: start it with `cargo dev up`, or name another with \
                     --aws-endpoint ({})",
                    why(&error)
                )
            })?;
            output.queue_url.ok_or_else(|| format!("the queue {name} at {endpoint} has no URL"))
        };
        let queues = QueueUrls {
            high: url("high").await?,
            standard: url("standard").await?,
            dead_letter: Some(url("dead-letter").await?),
        };
        Ok(Self {
            parked_url: url("parked").await?,
            clients,
            payments_table: PAYMENTS_TABLE.to_owned(),
            merchants_table: MERCHANTS_TABLE.to_owned(),
            gates_table: GATES_TABLE.to_owned(),
            queues,
            operator: None,
            stack: None,
        })
    }

    async fn real(stack: &str) -> Result<Self, String> {
        let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
        let stack = Stack::read(&aws_sdk_cloudformation::Client::new(&config), stack).await?;
        Ok(Self {
            payments_table: stack.output("PaymentsTableName")?,
            merchants_table: stack.output("MerchantsTableName")?,
            gates_table: stack.output("GatesTableName")?,
            queues: stack.queues()?,
            parked_url: stack.output("ParkedQueueUrl")?,
            clients: Clients::new(&config),
            operator: Some(Deployed::new(&config, &stack.output("ReconcileFunctionName")?)?),
            stack: Some(stack),
        })
    }

    /// Whether it is the one on this machine.
    pub fn is_local(&self) -> bool {
        self.stack.is_none()
    }

    /// The payments.
    pub fn store(&self) -> DynamoStore {
        DynamoStore::new(self.clients.dynamodb.clone(), self.payments_table.clone())
    }

    /// The gates.
    pub fn gates(&self) -> DynamoGates {
        DynamoGates::new(self.clients.dynamodb.clone(), self.gates_table.clone())
    }

    /// The lanes and the DLQ.
    pub fn queue(&self) -> SqsQueue {
        SqsQueue::new(self.clients.sqs.clone(), self.queues.clone())
    }
}

/// Why a call to AWS failed, in one line for a person: what the service said, or the innermost cause.
pub fn why<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: fmt::Debug,
{
    match error.as_service_error() {
        Some(said) => {
            let (code, message) = (said.code().unwrap_or("no code"), said.message().unwrap_or("no message"));
            format!("{code}: {message}")
        }
        None => {
            let mut innermost: &dyn Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            innermost.to_string()
        }
    }
}

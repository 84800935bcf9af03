//! Which Sluice a command speaks to: the one that `cargo dev up` keeps on this machine, or a deployed stack. Both are AWS to it.

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

use crate::caller::{self, Caller};
use crate::function::Function;
use crate::stack::Stack;

/// Where `cargo dev up` answers as AWS, unless told otherwise.
pub const LOCAL_ENDPOINT: &str = "http://127.0.0.1:8070";
/// What it calls the stack that it keeps.
pub const LOCAL_STACK: &str = "local";
/// The Region that it stands in for.
const LOCAL_REGION: &str = "eu-central-1";

/// Which one. Each may stand anywhere on the command line.
#[derive(Args, Clone, Debug)]
pub struct AccountArguments {
    /// The deployed stack; without it what `cargo dev up` keeps on this machine
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "endpoint")]
    pub stack: Option<String>,
    /// Where `cargo dev up` answers as AWS
    #[arg(long, global = true, value_name = "URL", default_value = LOCAL_ENDPOINT)]
    pub endpoint: String,
}

/// A Sluice, reached.
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
    /// The function that writes payments for an operator.
    pub writer: Function,
    /// What it says of itself.
    pub stack: Stack,
    /// How AWS is reached.
    pub config: SdkConfig,
    /// Whether it is the one on this machine.
    pub is_local: bool,
}

impl Account {
    /// Reaches it, and asks for its names and numbers.
    pub async fn open(arguments: &AccountArguments) -> Result<Self, String> {
        match &arguments.stack {
            Some(name) => {
                let config = aws_config::defaults(BehaviorVersion::latest()).load().await;
                let stack = Stack::read(&aws_sdk_cloudformation::Client::new(&config), name).await;
                Self::of(config, stack.map_err(|why| format!("cannot read the stack {name}: {why}"))?, false)
            }
            None => {
                let (config, endpoint) = (local(&arguments.endpoint), &arguments.endpoint);
                let stack = Stack::read(&aws_sdk_cloudformation::Client::new(&config), LOCAL_STACK).await;
                let stack = stack.map_err(|why| {
                    format!(
                        "no Sluice answers at {endpoint}: start one with `cargo dev up`, or name a deployed one with --stack \
                         ({why})"
                    )
                })?;
                Self::of(config, stack, true)
            }
        }
    }

    fn of(config: SdkConfig, stack: Stack, is_local: bool) -> Result<Self, String> {
        Ok(Self {
            clients: Clients::new(&config),
            payments_table: stack.output("PaymentsTableName")?,
            merchants_table: stack.output("MerchantsTableName")?,
            gates_table: stack.output("GatesTableName")?,
            queues: stack.queues()?,
            parked_url: stack.output("ParkedQueueUrl")?,
            writer: Function::new(&config, &stack.output("ReconcileFunctionName")?)?,
            stack,
            config,
            is_local,
        })
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

    /// Who runs the command, as AWS knows them.
    pub async fn caller(&self) -> Result<Caller, String> {
        caller::ask(&aws_sdk_sts::Client::new(&self.config)).await
    }

    /// What follows `sluice` in a command that somebody may type next to speak to the same one.
    pub fn option(&self) -> String {
        if self.is_local { String::new() } else { format!(" --stack {}", self.stack.name()) }
    }
}

/// This machine's AWS knows nobody: who signs is who the user's name says.
fn local(endpoint: &str) -> SdkConfig {
    let user = caller::user();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(LOCAL_REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(&user, &user, None, None, "local")))
        .endpoint_url(endpoint)
        .build()
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

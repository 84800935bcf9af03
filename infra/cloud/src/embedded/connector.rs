//! The SDK's HTTP client that never leaves the process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde_json::Value;
use winterbaume_core::{MockRequest, MockResponse};

use super::faults::{Fault, Faults};
use super::messages::Messages;
use super::stack::{Asked, Stack};
use super::tables::Tables;

/// The services, their faults and their counters.
pub(super) struct Inside {
    tables: Tables,
    messages: Messages,
    stack: Mutex<Arc<Stack>>,
    faults: Faults,
    calls: Mutex<BTreeMap<(String, String), u64>>,
    permissions: Mutex<BTreeSet<Permission>>,
}

/// What a call needs from IAM: who calls, the action, and the table, index or queue by its name.
pub type Permission = (String, String, String);

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl Inside {
    pub(super) fn new() -> Self {
        Self {
            tables: Tables::default(),
            messages: Messages::new(),
            stack: Mutex::default(),
            faults: Faults::default(),
            calls: Mutex::default(),
            permissions: Mutex::default(),
        }
    }

    pub(super) fn deploy(&self, stack: Stack) {
        *self.deployed() = Arc::new(stack);
    }

    fn deployed(&self) -> MutexGuard<'_, Arc<Stack>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(super) fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.counters().clone()
    }

    pub(super) fn forget_calls(&self) {
        self.counters().clear();
    }

    /// What all calls so far have needed, each once.
    pub(super) fn permissions(&self) -> BTreeSet<Permission> {
        self.needed().clone()
    }

    fn needed(&self) -> MutexGuard<'_, BTreeSet<Permission>> {
        self.permissions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn move_messages(&self, from: &str, to: Option<&str>) -> Result<usize, String> {
        self.messages.move_all(from, to)
    }

    pub(super) fn begin_counts_anew(&self) {
        self.messages.begin_counts_anew();
    }

    fn counters(&self) -> MutexGuard<'_, BTreeMap<(String, String), u64>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn answer(&self, label: &str, request: MockRequest) -> Result<MockResponse, ConnectorError> {
        let (service, operation) = Service::of(&request);
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let needs = service.needs(&operation, &body);
        self.needed().extend(needs.into_iter().map(|(action, resource)| (label.to_owned(), action, resource)));
        *self.counters().entry((label.to_owned(), operation.clone())).or_default() += 1;
        // A network's answer is never there at once; without this, tasks on one thread would never interleave.
        tokio::task::yield_now().await;
        let fault = match (&service, operation.as_str()) {
            (Service::Sqs, "SendMessage" | "SendMessageBatch") if self.refuses_sends(&body) => Some(Fault::FailBefore),
            _ => self.faults.of(&operation),
        };
        match fault {
            Some(Fault::Throttle) => return Ok(service.throttled()),
            Some(Fault::FailBefore) => return Ok(service.failed()),
            Some(Fault::Stall) => std::future::pending::<()>().await,
            Some(Fault::FailAfter | Fault::LoseAnswer) | None => {}
        }
        let response = match &service {
            Service::DynamoDb => self.tables.answer(&operation, &request),
            Service::Sqs => self.messages.answer(&operation, request).await,
            Service::Stack(asked) => {
                let stack = Arc::clone(&self.deployed());
                stack.answer(asked, label, &request).await
            }
            Service::Unknown => failure(400, "UnknownOperationException", "the embedded AWS has no such service"),
        };
        tokio::task::yield_now().await;
        match fault {
            Some(Fault::FailAfter) => Ok(service.failed()),
            Some(Fault::LoseAnswer) => Err(ConnectorError::timeout("the answer was lost, as asked for".into())),
            Some(Fault::Throttle | Fault::FailBefore | Fault::Stall) | None => Ok(response),
        }
    }

    fn refuses_sends(&self, body: &Value) -> bool {
        body["QueueUrl"].as_str().is_some_and(|url| self.faults.refuses(url))
    }
}

enum Service {
    DynamoDb,
    Sqs,
    /// CloudFormation, Lambda, Secrets Manager and STS, as far as they show a stack.
    Stack(Asked),
    Unknown,
}

impl Service {
    /// The service that a request is for, and its operation.
    fn of(request: &MockRequest) -> (Self, String) {
        if let Some(asked) = Asked::of(request) {
            let operation = asked.operation().to_owned();
            return (Self::Stack(asked), operation);
        }
        let target = request.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let (service, operation) = target.and_then(|target| target.split_once('.')).unwrap_or_default();
        let service = match service {
            "DynamoDB_20120810" => Self::DynamoDb,
            "AmazonSQS" => Self::Sqs,
            _ => Self::Unknown,
        };
        (service, operation.to_owned())
    }

    /// Actions and resources of a call. A transaction needs those of its items ("IAM and DynamoDB transactions"), a batch
    /// of messages that of one ("Amazon SQS API permissions").
    fn needs(&self, operation: &str, body: &Value) -> Vec<(String, String)> {
        let table = |of: &Value| {
            let name = of["TableName"].as_str().unwrap_or_default();
            of["IndexName"].as_str().map_or_else(|| name.to_owned(), |index| format!("{name}/index/{index}"))
        };
        match (self, operation) {
            (Self::DynamoDb, "TransactWriteItems") => {
                let items = body["TransactItems"].as_array().into_iter().flatten().filter_map(Value::as_object);
                let parts = items.flatten().map(|(kind, part)| {
                    let action = if kind == "ConditionCheck" { kind.clone() } else { format!("{kind}Item") };
                    (format!("dynamodb:{action}"), table(part))
                });
                parts.collect()
            }
            (Self::DynamoDb, operation) => vec![(format!("dynamodb:{operation}"), table(body))],
            (Self::Sqs, operation) => {
                let queue = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
                vec![(format!("sqs:{}", operation.trim_end_matches("Batch")), queue.to_owned())]
            }
            (Self::Stack(asked), _) => asked.needs().into_iter().collect(),
            (Self::Unknown, _) => Vec::new(),
        }
    }

    fn throttled(&self) -> MockResponse {
        match self {
            Self::DynamoDb => failure(
                400,
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                "the level of configured throughput was exceeded, as asked for",
            ),
            Self::Sqs | Self::Stack(_) | Self::Unknown => {
                failure(400, "com.amazonaws.sqs#RequestThrottled", "request was throttled, as asked for")
            }
        }
    }

    fn failed(&self) -> MockResponse {
        match self {
            Self::DynamoDb => {
                failure(500, "com.amazonaws.dynamodb.v20120810#InternalServerError", "an internal error, as asked for")
            }
            Self::Sqs | Self::Stack(_) | Self::Unknown => {
                failure(500, "InternalError", "an internal error, as asked for")
            }
        }
    }
}

/// An error as the JSON protocol has it.
pub(super) fn failure(status: u16, code: &str, message: &str) -> MockResponse {
    MockResponse::json(status, serde_json::json!({ "__type": code, "message": message }).to_string())
}

/// The HTTP client of one component.
#[derive(Clone, Debug)]
pub(super) struct LabelledClient {
    inside: Arc<Inside>,
    label: Arc<str>,
}

impl LabelledClient {
    pub(super) fn new(inside: Arc<Inside>, label: &str) -> Self {
        Self { inside, label: label.into() }
    }
}

impl HttpClient for LabelledClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for LabelledClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inside, label) = (Arc::clone(&self.inside), Arc::clone(&self.label));
        HttpConnectorFuture::new(async move {
            let response = inside.answer(&label, to_mock(&request)).await?;
            let status =
                StatusCode::try_from(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut answer = HttpResponse::new(status, SdkBody::from(response.body));
            for (name, value) in &response.headers {
                if let Ok(value) = value.to_str() {
                    answer.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(answer)
        })
    }
}

fn to_mock(request: &HttpRequest) -> MockRequest {
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let name = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, http::HeaderValue::from_str(value).ok()?))
        })
        .collect();
    MockRequest {
        method: request.method().to_owned(),
        uri: request.uri().to_owned(),
        headers,
        body: request.body().bytes().map(Bytes::copy_from_slice).unwrap_or_default(),
    }
}

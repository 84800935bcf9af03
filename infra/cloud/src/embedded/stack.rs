//! A stack as AWS shows it to an operator: what it tells (CloudFormation), an answer of one of its functions (Lambda), a secret
//! of its (Secrets Manager), and who is asking (STS). As much of each as the operator's commands ask for.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::header;
use serde_json::{Value, json};
use winterbaume_core::protocol::aws_query_error_response;
use winterbaume_core::{MockRequest, MockResponse, aws_query_response, default_account_id, xml_escape};

use super::connector::failure;

/// Where Lambda's API has its functions ("Invoke", AWS Lambda API Reference).
const FUNCTIONS_PATH: &str = "/2015-03-31/functions/";
const CLOUDFORMATION: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// A function's answer, on its way.
pub type Answering = Pin<Box<dyn Future<Output = Value> + Send>>;

/// A function of the stack: an event in, its answer out.
pub type Handler = Arc<dyn Fn(Value) -> Answering + Send + Sync>;

/// A stack.
#[derive(Clone, Default)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its outputs by name.
    pub outputs: BTreeMap<String, String>,
    /// Its parameters by name.
    pub parameters: BTreeMap<String, String>,
    /// The account's secrets by name.
    pub secrets: BTreeMap<String, String>,
    /// Its functions by name.
    pub functions: BTreeMap<String, Handler>,
}

impl fmt::Debug for Stack {
    /// Everything but the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack").field("name", &self.name).field("outputs", &self.outputs).finish_non_exhaustive()
    }
}

/// What is asked of a stack and its surroundings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `DescribeStacks` of this one.
    Describe(String),
    /// `GetCallerIdentity`.
    Identity,
    /// `Invoke` of this function.
    Invoke(String),
    /// `GetSecretValue` of this secret.
    Secret(String),
}

impl Asked {
    /// What a request asks, if it is about a stack. CloudFormation and STS speak the query protocol, Lambda REST, and Secrets
    /// Manager names its operation as DynamoDB and SQS do.
    pub(super) fn of(request: &MockRequest) -> Option<Self> {
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some(target) = target {
            let body: Value = serde_json::from_slice(&request.body).ok()?;
            let secret = body["SecretId"].as_str()?.to_owned();
            return (target == "secretsmanager.GetSecretValue").then_some(Self::Secret(secret));
        }
        let uri: http::Uri = request.uri.parse().ok()?;
        if let Some(rest) = uri.path().strip_prefix(FUNCTIONS_PATH) {
            return rest.strip_suffix("/invocations").map(|function| Self::Invoke(function.to_owned()));
        }
        let media_type = request.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        if !media_type.starts_with("application/x-www-form-urlencoded") {
            return None;
        }
        let form: BTreeMap<_, _> = form_urlencoded::parse(&request.body).into_owned().collect();
        match form.get("Action")?.as_str() {
            "DescribeStacks" => Some(Self::Describe(form.get("StackName").cloned().unwrap_or_default())),
            "GetCallerIdentity" => Some(Self::Identity),
            _ => None,
        }
    }

    /// The operation's name.
    pub(super) const fn operation(&self) -> &'static str {
        match self {
            Self::Describe(_) => "DescribeStacks",
            Self::Identity => "GetCallerIdentity",
            Self::Invoke(_) => "Invoke",
            Self::Secret(_) => "GetSecretValue",
        }
    }

    /// What it needs from IAM: the action, and on what. STS answers everybody ("GetCallerIdentity").
    pub(super) fn needs(&self) -> Option<(String, String)> {
        let (action, on) = match self {
            Self::Describe(name) => ("cloudformation:DescribeStacks", name),
            Self::Identity => return None,
            Self::Invoke(name) => ("lambda:InvokeFunction", name),
            Self::Secret(name) => ("secretsmanager:GetSecretValue", name),
        };
        Some((action.to_owned(), on.clone()))
    }
}

impl Stack {
    /// Answers, to who signs with this access key.
    pub(super) async fn answer(&self, asked: &Asked, caller: &str, request: &MockRequest) -> MockResponse {
        match asked {
            Asked::Describe(name) if *name == self.name => self.described(),
            Asked::Describe(name) => {
                let message = format!("Stack with id {name} does not exist");
                aws_query_error_response(400, "ValidationError", &message, CLOUDFORMATION)
            }
            Asked::Identity => identity(caller),
            Asked::Invoke(name) => match (self.functions.get(name), serde_json::from_slice(&request.body)) {
                (None, _) => failure(404, "ResourceNotFoundException", &format!("Function not found: {name}")),
                (Some(_), Err(error)) => failure(400, "InvalidRequestContentException", &error.to_string()),
                (Some(function), Ok(event)) => MockResponse::json(200, function(event).await.to_string()),
            },
            Asked::Secret(name) => match self.secrets.get(name) {
                Some(secret) => MockResponse::json(200, json!({ "Name": name, "SecretString": secret }).to_string()),
                None => failure(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
            },
        }
    }

    fn described(&self) -> MockResponse {
        let members = |told: &BTreeMap<String, String>, kind: &str| -> String {
            let member = |(name, value): (&String, &String)| {
                let (name, value) = (xml_escape(name), xml_escape(value));
                format!("<member><{kind}Key>{name}</{kind}Key><{kind}Value>{value}</{kind}Value></member>")
            };
            told.iter().map(member).collect()
        };
        let (outputs, parameters) = (members(&self.outputs, "Output"), members(&self.parameters, "Parameter"));
        let stacks = format!(
            "<Stacks><member><StackName>{}</StackName><CreationTime>2026-01-31T12:00:00Z</CreationTime>\
             <StackStatus>CREATE_COMPLETE</StackStatus><Outputs>{outputs}</Outputs>\
             <Parameters>{parameters}</Parameters></member></Stacks>",
            xml_escape(&self.name),
        );
        aws_query_response("DescribeStacks", CLOUDFORMATION, &stacks)
    }
}

/// Every access key is a user's of the same name.
fn identity(caller: &str) -> MockResponse {
    let (account, user) = (default_account_id(), xml_escape(caller));
    let text =
        format!("<Arn>arn:aws:iam::{account}:user/{user}</Arn><UserId>{user}</UserId><Account>{account}</Account>");
    aws_query_response("GetCallerIdentity", STS, &text)
}

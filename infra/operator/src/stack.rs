//! What a deployed stack says of itself: the names of its tables and queues, and the provider's numbers. One call of
//! `DescribeStacks` answers both, and nothing in its answer is a secret: those parameters are names of secrets.

use std::collections::BTreeMap;
use std::str::FromStr;

use aws::queue::QueueUrls;
use aws_sdk_cloudformation::Client;
use payments::history::{HistoryKey, HistoryKeys};
use payments::policy::Policy;

use crate::account::why;

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    name: String,
    /// Its outputs and its parameters, by their names, which are different ones.
    told: BTreeMap<String, String>,
}

impl Stack {
    /// Asks for it.
    pub async fn read(client: &Client, name: &str) -> Result<Self, String> {
        let answer = client.describe_stacks().stack_name(name).send().await;
        let answer = answer.map_err(|error| why(&error))?;
        let stack = answer.stacks().first().ok_or("there is no such stack")?;
        let outputs = stack.outputs().iter().map(|output| (output.output_key(), output.output_value()));
        let parameters =
            stack.parameters().iter().map(|parameter| (parameter.parameter_key(), parameter.parameter_value()));
        let told = outputs.chain(parameters).filter_map(|(name, value)| Some((name?.to_owned(), value?.to_owned())));
        Ok(Self { name: name.to_owned(), told: told.collect() })
    }

    /// One that says this.
    pub fn new(name: &str, told: BTreeMap<String, String>) -> Self {
        Self { name: name.to_owned(), told }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An output or a parameter.
    pub fn output(&self, name: &str) -> Result<String, String> {
        self.told.get(name).cloned().ok_or_else(|| {
            let stack = &self.name;
            format!(
                "the stack {stack} tells no {name}: it is another template's, or older than this tool; deploy again"
            )
        })
    }

    /// Its lanes and its DLQ.
    pub fn queues(&self) -> Result<QueueUrls, String> {
        Ok(QueueUrls {
            high: self.output("HighQueueUrl")?,
            standard: self.output("StandardQueueUrl")?,
            dead_letter: Some(self.output("DeadLetterQueueUrl")?),
        })
    }

    /// The provider's numbers, as its functions are told them: they have judged them, and do not start with others. The keys of
    /// histories are none of the stack's: those here link nothing that anybody believes.
    pub fn policy(&self) -> Result<Policy, String> {
        Ok(Policy {
            connect_timeout_ms: self.number("ConnectTimeoutMs")?,
            call_timeout_ms: self.number("CallTimeoutMs")?,
            claim_lead_ms: self.number("ClaimLeadMs")?,
            settle_allowance_ms: self.number("SettleAllowanceMs")?,
            absence_bound_ms: self.number("AbsenceBoundMs")?,
            key_window_ms: self.number("KeyWindowMs")?,
            clock_skew_ms: self.number("ClockSkewMs")?,
            max_attempts: self.number("MaxAttempts")?,
            backoff_base_ms: self.number("BackoffBaseMs")?,
            backoff_cap_ms: self.number("BackoffCapMs")?,
            pending_backoff_base_ms: self.number("PendingBackoffBaseMs")?,
            pending_backoff_cap_ms: self.number("PendingBackoffCapMs")?,
            max_heals: self.number("MaxHeals")?,
            missing_item_grace_ms: self.number("MissingItemGraceMs")?,
            newer_version_grace_ms: self.number("NewerVersionGraceMs")?,
            retention_ms: self.number("RetentionMs")?,
            overdue_after_ms: self.number("OverdueAfterMs")?,
            park_overdue_after_ms: self.number("ParkOverdueAfterMs")?,
            history_keys: HistoryKeys::one(HistoryKey::of(&[0; 32])),
        })
    }

    /// A parameter that is a number.
    fn number<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self.output(name)?;
        text.parse().map_err(|_| format!("the stack {} tells {text} as its {name}, which is no such number", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stack_lacks_is_named_with_what_to_do() {
        let stack = Stack::new("shop", BTreeMap::from([("PaymentsTableName".to_owned(), "t".to_owned())]));
        assert_eq!(stack.output("PaymentsTableName").as_deref(), Ok("t"));
        let said = stack.output("HighQueueUrl").unwrap_err();
        assert!(said.contains("the stack shop tells no HighQueueUrl"), "{said}");
        let said = stack.policy().unwrap_err();
        assert!(said.contains("ConnectTimeoutMs"), "{said}");
    }

    /// As AWS answers ("DescribeStacks", the query protocol): made by hand, because no emulator that runs here knows our
    /// template's stack.
    const ANSWER: &str = "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
        <DescribeStacksResult><Stacks><member><StackName>shop</StackName>\
        <CreationTime>2026-01-31T12:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
        <Outputs><member><OutputKey>PaymentsTableName</OutputKey><OutputValue>shop-payments</OutputValue></member></Outputs>\
        <Parameters><member><ParameterKey>MaxHeals</ParameterKey><ParameterValue>10</ParameterValue></member></Parameters>\
        </member></Stacks></DescribeStacksResult></DescribeStacksResponse>";
    const REFUSAL: &str = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error>\
        <Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id other does not exist</Message></Error>\
        <RequestId>1</RequestId></ErrorResponse>";

    #[tokio::test]
    async fn a_stack_is_asked_for_by_its_name_and_one_that_is_not_there_is_named() {
        let answer = async |body: String| {
            let is_known = body.contains("Action=DescribeStacks") && body.contains("StackName=shop");
            let (status, answer) =
                if is_known { (http::StatusCode::OK, ANSWER) } else { (http::StatusCode::BAD_REQUEST, REFUSAL) };
            (status, [(http::header::CONTENT_TYPE, "text/xml")], answer)
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = aws_sdk_cloudformation::Config::builder()
            .behavior_version_latest()
            .region(aws_sdk_cloudformation::config::Region::new("eu-central-1"))
            .credentials_provider(aws_sdk_cloudformation::config::Credentials::new("a", "b", None, None, "test"))
            .endpoint_url(url)
            .build();
        let client = Client::from_conf(config);
        let told = [("PaymentsTableName", "shop-payments"), ("MaxHeals", "10")];
        let told = told.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(Stack::read(&client, "shop").await, Ok(Stack::new("shop", told)));
        let said = Stack::read(&client, "other").await.unwrap_err();
        assert_eq!(said, "ValidationError: Stack with id other does not exist");
    }
}

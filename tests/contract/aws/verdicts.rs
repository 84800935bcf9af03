//! Every answer that a write may get, and whether the write may have been done: refused only where that is sure.

use std::time::Duration;

use aws::clients::Clients;
use aws::store::DynamoStore;
use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use cloud::embedded::{Fault, PAYMENTS_TABLE, When};
use payments::payment::Payment;
use payments::write::Written;
use ports::{Store, StoreError};
use serde_json::json;
use tokio::time::Instant;

use super::Aws;
use crate::contract::samples::{accepted, charged, claim_of, order, policy, refund};

/// Puts this answer in place of whatever was answered.
#[derive(Clone, Debug)]
struct Answers {
    status: u16,
    body: String,
}

impl Intercept for Answers {
    fn name(&self) -> &'static str {
        "Answers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        *response.status_mut() = self.status.try_into()?;
        *response.body_mut() = self.body.as_str().into();
        Ok(())
    }
}

fn answering(aws: &Aws, status: u16, body: &str) -> DynamoStore {
    let config = aws.clients.dynamodb.config().to_builder();
    let answers = Answers { status, body: body.to_owned() };
    let config = config.retry_config(RetryConfig::disabled()).interceptor(answers).build();
    DynamoStore::new(aws_sdk_dynamodb::Client::from_conf(config), PAYMENTS_TABLE)
}

fn error(code: &str) -> String {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "as told" }).to_string()
}

/// Each kind of write: alone, with a charge's amount, and in place of what was read.
async fn each_write(store: &DynamoStore) -> [(&'static str, Result<Written, StoreError>); 4] {
    let queued: Payment = accepted(order());
    let after = claim_of(&queued).apply(&queued, &policy()).unwrap();
    [
        ("put", store.put(&queued).await),
        ("put of a refund", store.put(&refund(&charged(100), 60)).await),
        ("claim", store.claim(&claim_of(&queued)).await),
        ("replace", store.replace(&queued, &after).await),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Refused,
    Unresolved,
}

/// "Error handling with DynamoDB" names the codes; a code that nobody has named goes by its status.
#[tokio::test(start_paused = true)]
async fn each_error_is_refused_only_where_nothing_can_have_been_written() {
    let aws = Aws::start().await;
    let cases = [
        (400, "AccessDeniedException", Said::Refused),
        (400, "ExpiredTokenException", Said::Refused),
        (400, "IncompleteSignatureException", Said::Refused),
        (400, "ItemCollectionSizeLimitExceededException", Said::Refused),
        (400, "LimitExceededException", Said::Refused),
        (400, "MissingAuthenticationTokenException", Said::Refused),
        (400, "ProvisionedThroughputExceededException", Said::Refused),
        (400, "ReplicatedWriteConflictException", Said::Refused),
        (400, "RequestLimitExceeded", Said::Refused),
        (400, "ResourceNotFoundException", Said::Refused),
        (400, "ThrottlingException", Said::Refused),
        (400, "TransactionConflictException", Said::Refused),
        (400, "UnrecognizedClientException", Said::Refused),
        (400, "ValidationException", Said::Refused),
        (413, "RequestEntityTooLarge", Said::Refused),
        (429, "TooManyRequests", Said::Refused),
        // An earlier attempt of this very transaction is still under way.
        (400, "TransactionInProgressException", Said::Unresolved),
        (408, "RequestTimeout", Said::Unresolved),
        (500, "InternalServerError", Said::Unresolved),
        (502, "BadGateway", Said::Unresolved),
        (503, "ServiceUnavailable", Said::Unresolved),
        // Throttling by name, and a status that does not say so.
        (503, "ThrottlingException", Said::Unresolved),
        (500, "ProvisionedThroughputExceededException", Said::Unresolved),
        (504, "GatewayTimeout", Said::Unresolved),
        (307, "TemporaryRedirect", Said::Unresolved),
        (399, "Nobody", Said::Unresolved),
        (400, "Nobody", Said::Refused),
        (499, "Nobody", Said::Refused),
        (599, "Nobody", Said::Unresolved),
    ];
    for (status, code, expected) in cases {
        let store = answering(&aws, status, &error(code));
        for (write, written) in each_write(&store).await {
            let said = match written {
                Err(StoreError::Refused(_)) => Said::Refused,
                Err(StoreError::Unresolved(_)) => Said::Unresolved,
                other => panic!("{write}, {status} {code}: {other:?}"),
            };
            assert_eq!(said, expected, "{write}, {status} {code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_read_leaves_it_open() {
    let aws = Aws::start().await;
    for body in ["", "<html>", "{\"__type\":"] {
        for status in [408, 500, 503] {
            for (write, written) in each_write(&answering(&aws, status, body)).await {
                assert!(matches!(written, Err(StoreError::Unresolved(_))), "{write}, {status} {body:?}: {written:?}");
            }
        }
    }
    // A claim is told what stands now; an answer without it is none.
    let queued = accepted(order());
    let claimed = answering(&aws, 200, "{}").claim(&claim_of(&queued)).await;
    assert!(matches!(claimed, Err(StoreError::Unresolved(_))), "{claimed:?}");
}

/// A transaction's reasons, one for each of its writes: the payment's own first, the charge's second.
#[tokio::test(start_paused = true)]
async fn a_canceled_transaction_is_read_by_its_reasons() {
    let aws = Aws::start().await;
    let put = async |reasons: &[&str]| {
        let reasons: Vec<_> = reasons.iter().map(|code| json!({ "Code": code })).collect();
        let body = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "message": "as told",
            "CancellationReasons": reasons,
        });
        answering(&aws, 400, &body.to_string()).put(&refund(&charged(100), 60)).await
    };
    assert_eq!(put(&["ConditionalCheckFailed", "None"]).await, Ok(Written::Refused(None)));
    assert_eq!(put(&["None", "ConditionalCheckFailed"]).await, Ok(Written::ChargeRefused(None)));
    // What stands under its own id is what a repeat is told.
    assert_eq!(put(&["ConditionalCheckFailed", "ConditionalCheckFailed"]).await, Ok(Written::Refused(None)));
    for other in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "ValidationError"] {
        for reasons in [[other, "None"], ["None", other]] {
            let written = put(&reasons).await;
            assert!(matches!(written, Err(StoreError::Refused(_))), "{reasons:?}: {written:?}");
        }
    }
}

/// A write that outlives its lease would be made under somebody else's. The template's time to settle is the shortest.
#[tokio::test(start_paused = true)]
async fn no_call_is_waited_for_longer_than_there_is_time_to_settle() {
    let aws = Aws::start().await;
    aws.embedded.faults().inject(&["PutItem", "UpdateItem", "GetItem"], Fault::Stall, When::Share(1.0));
    let begin = Instant::now();
    let written = aws.store().put(&accepted(order())).await;
    assert!(matches!(written, Err(StoreError::Unresolved(_))), "{written:?}");
    let waited = begin.elapsed();
    assert!(waited > Duration::from_secs(7) && waited <= Duration::from_millis(8_010), "{waited:?}");
    assert!(waited.as_millis() < u128::from(default_of("SettleAllowanceMs")), "{waited:?}");
}

/// A parameter's default in the template.
fn default_of(parameter: &str) -> u64 {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    let (_, rest) = template.split_once(&format!("\n  {parameter}:\n")).expect(parameter);
    let line = rest.lines().find_map(|line| line.trim().strip_prefix("Default: ")).expect("a default");
    line.trim_matches(['\'', '"']).parse().expect("a number")
}

/// Of both services, and of what is welcome and not needed.
#[test]
fn the_clients_have_these_retries_and_time_outs() {
    let config = cloud::embedded::Embedded::start().config("suite");
    let clients = Clients::new(&config);
    let hasty = clients.hasty();
    let ms = |ms| Some(Duration::from_millis(ms));
    for (retries, timeouts) in [
        (clients.dynamodb.config().retry_config().cloned(), clients.dynamodb.config().timeout_config().cloned()),
        (clients.sqs.config().retry_config().cloned(), clients.sqs.config().timeout_config().cloned()),
    ] {
        let (retries, timeouts) = (retries.unwrap(), timeouts.unwrap());
        assert_eq!(retries.max_attempts(), 3);
        assert_eq!((retries.initial_backoff(), retries.max_backoff()), (ms(50).unwrap(), ms(1_000).unwrap()));
        assert_eq!(timeouts.connect_timeout(), ms(1_000));
        assert_eq!((timeouts.operation_attempt_timeout(), timeouts.operation_timeout()), (ms(3_000), ms(8_000)));
    }
    for (retries, timeouts) in [
        (hasty.dynamodb.config().retry_config().cloned(), hasty.dynamodb.config().timeout_config().cloned()),
        (hasty.sqs.config().retry_config().cloned(), hasty.sqs.config().timeout_config().cloned()),
    ] {
        let timeouts = timeouts.unwrap();
        assert_eq!(retries.unwrap().max_attempts(), 1);
        let all = [timeouts.connect_timeout(), timeouts.operation_attempt_timeout(), timeouts.operation_timeout()];
        assert_eq!(all, [ms(300); 3]);
    }
}

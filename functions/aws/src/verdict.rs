//! Whether a failed request may have been carried out. Saying "refused" of a write that was done would let a payment be
//! sent twice, so only what is sure counts as refused; everything else is unresolved.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::{BoxError, ConnectorError, DisplayErrorContext, ProvideErrorMetadata, SdkError};
use ports::{Failure, PortError, StoreError};

/// Watches every attempt of one operation. The SDK tries again by itself and reports only its last attempt, so a lost
/// answer followed by a throttled retry would look like a plain refusal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts {
    doubtful: Arc<AtomicBool>,
}

impl Attempts {
    fn doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Acquire)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context.response().map(|response| response.status().as_u16());
        let refused = match context.output_or_error() {
            Some(Ok(_)) => true,
            Some(Err(error)) if error.is_operation_error() => status.is_some_and(refuses),
            Some(Err(error)) => error.as_connector_error().is_some_and(never_connected),
            None => false,
        };
        if !refused {
            self.doubtful.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// "Error handling with DynamoDB": a status in the 400s says that the request was not carried out, throttling
/// included; one in the 500s does not say that. 408 is a time-out by another name.
fn refuses(status: u16) -> bool {
    (400..500).contains(&status) && status != 408
}

/// Whether the failure lies in making the connection, before any byte of the request could be written.
fn never_connected(error: &ConnectorError) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            return cause.is_connect();
        }
        next = cause.source();
    }
    false
}

/// What to tell the core about a failed operation that no answer of its own kind explains.
pub(crate) fn store_error<E>(operation: &str, error: &SdkError<E>, attempts: &Attempts) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let what = describe(operation, error);
    if attempts.doubtful() {
        return StoreError::Unresolved(what);
    }
    match error {
        // The transaction that is still under way is an earlier attempt of this very one.
        SdkError::ServiceError(service) if service.err().code() == Some("TransactionInProgressException") => {
            StoreError::Unresolved(what)
        }
        SdkError::ServiceError(service) if refuses(service.raw().status().as_u16()) => StoreError::Refused(what),
        SdkError::DispatchFailure(failure) if failure.as_connector_error().is_some_and(never_connected) => {
            StoreError::Refused(what)
        }
        SdkError::ConstructionFailure(_) => StoreError::Refused(what),
        _ => StoreError::Unresolved(what),
    }
}

/// What to tell of a failed operation that writes no payment. "Error handling with DynamoDB" and "Common error types" of SQS:
/// a code that says Throttl… or Limit… asks for patience, any other status in the 400s says that nothing was done.
pub(crate) fn port_error<E>(operation: &str, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failure = match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or_default();
            let is_throttled =
                code.contains("Throttl") || code.contains("LimitExceeded") || code.contains("Throughput");
            if is_throttled || status == 429 || status == 503 {
                Failure::Throttled
            } else if refuses(status) {
                Failure::Denied
            } else {
                Failure::Lost
            }
        }
        SdkError::ConstructionFailure(_) => Failure::Denied,
        _ => Failure::Lost,
    };
    PortError::new(failure, describe(operation, error))
}

/// The operation and what came of it, without the request's or the item's contents.
pub(crate) fn describe<E>(operation: &str, error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().unwrap_or("no code");
            let message = service.err().message().unwrap_or("no message");
            format!("{operation}: {code} (HTTP {status}): {message}")
        }
        _ => format!("{operation}: {}", DisplayErrorContext(error)),
    }
}

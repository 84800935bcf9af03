//! Writes each history's head down outside of the table: in the function's log, which CloudWatch Logs keeps under
//! permissions and a retention of its own. Whoever can write the table alone cannot change what stands there.

use payments::id::Nonce;
use payments::write::Written;
use ports::{EventName, StoreError};
use tracing::info;

/// Logs what a write has made of a payment, also when its answer was lost and its own mark shows that it was done. A
/// write whose function dies before this line is anchored by the next one.
pub(super) fn anchored(written: Result<Written, StoreError>, nonce: &Nonce) -> Result<Written, StoreError> {
    let stands = match &written {
        Ok(Written::Applied(stands)) => Some(stands),
        Ok(Written::Refused(Some(stands))) if stands.nonce == *nonce => Some(stands),
        Ok(Written::Refused(_) | Written::ChargeRefused(_)) | Err(_) => None,
    };
    if let Some(payment) = stands {
        info!(
            event = EventName::PaymentChanged.as_str(),
            payment_id = payment.id.as_str(),
            version = payment.version,
            state = payment.state.as_str(),
            history_head = payment.history_head().map(|head| head.to_string()),
        );
    }
    written
}

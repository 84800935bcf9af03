//! The last look before a request's first byte: nothing is awaited between it and the write.

use crate::payment::{Claim, Payment};
use crate::state::State;
use crate::time::Timestamp;

/// Whether the request of this claim may be written now. `latest` is the last moment at which its whole call fits under lease and
/// invocation ([`crate::policy::Policy::latest_write`]). A query may be made of what has expired; a payment may not be sent.
pub fn may_be_written(payment: &Payment, claim: &Claim, now: Timestamp, latest: Timestamp) -> bool {
    let too_late_to_start = now > latest;
    let too_late_to_pay = claim.from == State::Queued && payment.is_expired(now);
    !(too_late_to_start || too_late_to_pay)
}

//! Whether a payment may come in: a merchant's bucket, and the way ahead.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pacing::admission::{Backlog, Gathered, Outlook};
use pacing::bucket::{Admitted, Decision, Limiter, Take, Taken};
use pacing::gate::GateState;
use payments::id::MerchantId;
use payments::limit::Limit;
use payments::time::Timestamp;

use crate::PortError;

/// What decides whether a payment may come in, and what its merchant is told about the wait: the merchants' buckets,
/// the figure of the lanes, and the gate. An implementation answers quickly or not at all.
pub trait Admission: Sync {
    /// One conditional update of a merchant's bucket.
    fn take(&self, take: &Take) -> impl Future<Output = Result<Taken, PortError>> + Send;

    /// The gate as it stands, and the lanes as somebody last measured them.
    fn look(&self) -> impl Future<Output = Result<(Option<GateState>, Option<Backlog>), PortError>> + Send;

    /// Measures the lanes, adds what is known already, and writes the figure down for everybody, unless somebody else
    /// began to within [`pacing::admission::BUSY_MS`].
    fn measure(
        &self,
        now: Timestamp,
        known: &Gathered,
    ) -> impl Future<Output = Result<Option<Backlog>, PortError>> + Send;
}

/// Most updates that one payment may cause.
const TAKES_MAX: u32 = 4;

/// Locks; no holder of such a lock can panic between two changes of what it guards.
fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decides whether a payment of this merchant's may come in now. In the ordinary case no call is made. The error says why
/// the bucket gave no answer, if that is so: the payment comes in then.
pub async fn admit<A: Admission>(
    buckets: &A,
    limiter: &Mutex<Limiter>,
    merchant: &MerchantId,
    limit: Limit,
    now_us: u64,
) -> (Admitted, Option<PortError>) {
    let mut step = lock(limiter).begin(merchant, limit, now_us);
    for _ in 0..TAKES_MAX {
        let asked = match step {
            Decision::Decided(verdict) => return (verdict, None),
            Decision::Ask(asked) => asked,
        };
        step = match buckets.take(&asked.take).await {
            Ok(taken) => lock(limiter).answered(&asked, taken, limit, now_us),
            Err(error) => return (lock(limiter).unanswered(&asked, limit, now_us), Some(error)),
        };
    }
    match step {
        Decision::Decided(verdict) => (verdict, None),
        Decision::Ask(asked) => (lock(limiter).overtaken(&asked, limit, now_us), None),
    }
}

/// Looks at gate and lanes if it is time to, and measures the lanes if nobody has lately. What cannot be read is not
/// known; the error is returned to be logged, and refuses nobody.
pub async fn look<A: Admission>(port: &A, outlook: &Mutex<Outlook>, now: Timestamp) -> Result<(), PortError> {
    let measured_again_after_ms = {
        let mut outlook = lock(outlook);
        if !outlook.is_due(now) {
            return Ok(());
        }
        outlook.looks(now)
    };
    let (gate, backlog) = port.look().await?;
    let is_due = backlog.as_ref().is_none_or(|backlog| now.since_ms(backlog.at) >= measured_again_after_ms);
    let known = {
        let mut outlook = lock(outlook);
        outlook.saw(gate.clone(), backlog.clone(), now);
        is_due.then(|| outlook.known(backlog))
    };
    if let Some(known) = known
        && let Some(measured) = port.measure(now, &known).await?
    {
        let mut outlook = lock(outlook);
        outlook.has_told();
        outlook.saw(gate, Some(measured), now);
    }
    Ok(())
}

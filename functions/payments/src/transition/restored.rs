//! After the table was restored to an earlier moment, it lies about everything since: what is open in it may have been
//! sent, and what is not in it at all may have been charged. So nothing is believed before the provider was asked.

use crate::payment::Payment;
use crate::state::{Reason, State};
use crate::time::Timestamp;

use super::draft::Draft;
use super::{Kept, Moment, Step};

/// A restore of the table of payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The moment that the table was restored to.
    pub point: Timestamp,
    /// From when on nobody wrote a request any more: the consumers were off.
    pub at: Timestamp,
}

/// What was open at the recovery point is unknown. A request may have been written at any time from then until the
/// consumers were off, and if the provider has none, a person decides: the merchant may have been told another end since.
pub(super) fn restored(payment: &Payment, recovery: &Recovery, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked => {
            if payment.recovered_at == Some(recovery.at) {
                return Step::Keep(Kept::NotDue);
            }
            let mut draft = Draft::of(payment, moment);
            doubt(&mut draft.next, recovery, payment.created_at);
            draft.next.recovered_at = Some(recovery.at);
            draft.go(State::Unknown, Reason::Restored, None)
        }
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// A payment that is new here, while orders may be missing that were charged after the recovery point: as unknown as if it
/// had been sent since. It is written as a first version, so that only an order that is really not here takes it. Proved
/// absent, it is an ordinary payment and is sent.
pub fn accepted_after_recovery(accepted: &Payment, recovery: &Recovery, moment: &Moment<'_>) -> Payment {
    let mut draft = Draft::of(accepted, moment);
    doubt(&mut draft.next, recovery, recovery.point);
    match draft.go(State::Unknown, Reason::MayHaveBeenMade, None) {
        Step::Change(next) => Payment { version: accepted.version, ..*next },
        Step::Keep(_) => accepted.clone(),
    }
}

fn doubt(next: &mut Payment, recovery: &Recovery, earliest: Timestamp) {
    next.attempts = next.attempts.max(1);
    next.first_sent_at = Some(next.first_sent_at.map_or(earliest, |at| at.min(earliest)));
    next.written_until = Some(next.written_until.map_or(recovery.at, |until| until.max(recovery.at)));
    next.due_at = None;
    next.waits = 0;
}

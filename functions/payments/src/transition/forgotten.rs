//! What is forgotten of a payment when its time has come, and what is kept of it for ever: enough that its order is never
//! paid again, that what is said of it stays true, and that a refund or a late word of the provider's still finds it.

use crate::case::Case;
use crate::history::{self, Entry, HistoryKeys};
use crate::payment::Payment;
use crate::state::{Reason, State};
use crate::time::Timestamp;

use super::{Kept, Moment, Step};

/// Forgets the details of what has ended, once it is as old as the retention. What is open is never touched: while there is
/// something to do, or to decide about, it has no `forget_at`.
pub(super) fn forget(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Succeeded | State::Declined | State::Canceled | State::Expired => match payment.forget_at {
            Some(at) if at <= moment.now => strip(payment, moment),
            Some(_) | None => Step::Keep(Kept::NotDue),
        },
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
    }
}

/// The short history is begun anew, because the old chain began with the order's details. A history that does not verify
/// is not: whoever changed it by hand would have it blessed by that, and it is needed as it is.
fn strip(payment: &Payment, moment: &Moment<'_>) -> Step {
    let held = held(payment, moment.history_keys);
    if held.is_some_and(|keys| !history::verify(payment, keys).holds()) {
        return Step::Keep(Kept::HistoryDoubted);
    }
    let mut next = without_details(payment, moment);
    // Without a chain, or its key, nothing vouches for the old lines, and nothing is to seem to.
    if let Some(keys) = held {
        history::begin(&mut next, keys.current());
    }
    Step::Change(Box::new(next))
}

/// The keys, if the payment's chain was made with one of them.
fn held<'a>(payment: &Payment, keys: Option<&'a HistoryKeys>) -> Option<&'a HistoryKeys> {
    let chain = payment.chain.as_ref()?;
    keys.filter(|keys| keys.with(chain.key).is_some())
}

/// Every attribute is named, so that a new one does not compile until somebody has said whether it is kept.
fn without_details(payment: &Payment, moment: &Moment<'_>) -> Payment {
    let Payment {
        id,
        order,
        fingerprint,
        created_at,
        state,
        reason,
        changed_at,
        version,
        nonce: _,
        attempts,
        attempts_left,
        waits: _,
        claim: _,
        first_sent_at: _,
        written_until: _,
        due_at: _,
        acknowledged,
        cancel_requested_at: _,
        parked_at: _,
        recovered_at: _,
        heal: _,
        provider_text,
        case,
        refundable,
        open_shard: _,
        forget_at: _,
        forgotten_at: _,
        history: _,
        chain: _,
    } = payment.clone();
    Payment {
        id,
        order: order.without_details(),
        fingerprint,
        created_at,
        state,
        reason,
        changed_at,
        version: version.saturating_add(1),
        nonce: moment.nonce.clone(),
        attempts,
        attempts_left,
        waits: 0,
        claim: None,
        first_sent_at: None,
        written_until: None,
        due_at: None,
        acknowledged,
        cancel_requested_at: None,
        parked_at: None,
        recovered_at: None,
        heal: None,
        provider_text,
        // Who decided is forgotten; what became of the money is not.
        case: case.map(|case| Case { owner: None, ..case }),
        refundable,
        open_shard: None,
        forget_at: None,
        forgotten_at: Some(moment.now),
        history: short_history(payment, moment.now),
        chain: None,
    }
}

/// How it ended, what became of a late success, and that the rest was forgotten.
fn short_history(payment: &Payment, now: Timestamp) -> Vec<Entry> {
    let line = |at, reason, provider_text| Entry {
        at,
        state: payment.state,
        reason,
        attempt: payment.attempts,
        times: 1,
        provider_text,
        tag: None,
    };
    let mut lines = vec![line(payment.changed_at, payment.reason, payment.provider_text.clone())];
    if let Some(case) = &payment.case {
        lines.push(line(case.opened_at, Reason::LateSuccess, Some(case.reference.clone())));
        if let (Some(at), Some(resolution)) = (case.closed_at, case.resolution) {
            lines.push(line(at, resolution.reason(), None));
        }
    }
    lines.push(line(now, Reason::Forgotten, None));
    lines
}

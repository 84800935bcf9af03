//! What a replay would do to one payment, found by asking the transition function itself.

use payments::answer::QueryAnswer;
use payments::backoff::Dice;
use payments::id::{ClaimId, Nonce};
use payments::payment::{Payment, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use payments::transition::{Event, Moment, Step, transition};

/// The first thing that a replay would lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Would {
    /// The provider is asked before anything else.
    Query,
    /// It is sent.
    Send,
    /// It ends, or is parked again, without a call.
    End,
    /// Nothing.
    Nothing,
}

impl Would {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Send => "send",
            Self::End => "end",
            Self::Nothing => "nothing",
        }
    }
}

/// What a replay would do, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// What.
    pub would: Would,
    /// Why, in a sentence.
    pub why: String,
}

impl Preview {
    pub(super) fn nothing(why: String) -> Self {
        Self { would: Would::Nothing, why }
    }
}

/// Follows a replay from this payment as far as it can be told without asking the provider.
pub fn preview(payment: &Payment, policy: &Policy, now: Timestamp) -> Preview {
    let back = match step(payment, &Event::Replay, policy, now) {
        Some(back) => back,
        None if payment.state.is_terminal() => {
            let (state, since) = (payment.state.as_str(), payment.changed_at);
            return Preview::nothing(format!("it has ended as {state} since {since}: the message is dropped"));
        }
        None => {
            let state = payment.state.as_str();
            return Preview::nothing(format!("it is not parked but {state}: the message only makes somebody look"));
        }
    };
    let claimed = claim(&back, policy, now);
    match (back.state, claimed.state) {
        (State::Queued, State::Sending) => {
            Preview { would: Would::Send, why: "it was never sent, or surely without an effect".to_owned() }
        }
        (State::Queued, end) => {
            Preview { would: Would::End, why: format!("it becomes {}: {}", end.as_str(), claimed.reason.as_str()) }
        }
        _ => Preview { would: Would::Query, why: query(payment, &claimed, policy, now) },
    }
}

fn query(payment: &Payment, claimed: &Payment, policy: &Policy, now: Timestamp) -> String {
    let sent = match (payment.attempts, payment.first_sent_at) {
        (0, _) | (_, None) => "the provider once said that it has it".to_owned(),
        (1, Some(at)) => format!("it may have been sent once, at {at}"),
        (times, Some(at)) => format!("it may have been sent {times} times, first at {at}"),
    };
    // By when its absence is proved the answer "not found" decides; before, it is asked again.
    let proved_at = payment.written_until.map_or(now, |until| until.plus_ms(policy.absence_proof_ms())).max(now);
    let id = claimed.claim.as_ref().map(|claim| claim.id.clone());
    let absent = id.and_then(|id| {
        step(claimed, &Event::QueryAnswered { claim: &id, answer: &QueryAnswer::NotFound }, policy, proved_at)
    });
    let then = match absent {
        Some(absent) if absent.state == State::Queued => "it is sent once more".to_owned(),
        Some(absent) => format!("it becomes {}: {}", absent.state.as_str(), absent.reason.as_str()),
        None => "nothing changes".to_owned(),
    };
    let when = if proved_at > now { format!(" (believed from {proved_at} on)") } else { String::new() };
    format!("{sent}; should the provider not know it{when}, {then}")
}

fn claim(payment: &Payment, policy: &Policy, now: Timestamp) -> Payment {
    let event = Event::Claim { id: ClaimId::from_bits(0), lease_until: now.plus_ms(policy.lease_ms()) };
    step(payment, &event, policy, now).unwrap_or_else(|| payment.clone())
}

fn step(payment: &Payment, event: &Event<'_>, policy: &Policy, now: Timestamp) -> Option<Payment> {
    let moment = Moment { now, nonce: Nonce::from_bits(0), dice: Dice(0), policy, history_keys: None };
    match transition(payment, event, &moment) {
        Step::Change(after) => Some(*after),
        Step::Keep(_) => None,
    }
}

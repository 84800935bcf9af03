//! The one function that decides what becomes of a payment. Every Lambda asks it; none writes a state of its own.
//!
//! It is given what stands in the table, what happened, and the time and dice; it answers with what is to be written
//! next, or why nothing is. The rules are those of ARCHITECTURE.md's invariants I1, I3 and I9.

use crate::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use crate::backoff::{Dice, full_jitter_ms};
use crate::history::{self, Entry};
use crate::id::{ClaimId, Nonce};
use crate::payment::{Claim, Heal, PARKED_SHARD, Payment, Reason, State, open_shard};
use crate::policy::Policy;
use crate::time::Timestamp;

/// What the decision depends on besides the payment and the event.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// Now, by the caller's clock.
    pub now: Timestamp,
    /// The mark of the write that may follow.
    pub nonce: Nonce,
    /// For jitter.
    pub dice: Dice,
    /// The provider's numbers.
    pub policy: &'a Policy,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A consumer wants to make a call for it, under a lease.
    Claim {
        /// The claim's own id.
        id: ClaimId,
        /// When the lease ends.
        lease_until: Timestamp,
    },
    /// The claim's send was answered, or was not.
    SendAnswered {
        /// Under which claim.
        claim: &'a ClaimId,
        /// What came.
        answer: &'a SendAnswer,
    },
    /// The claim's query was answered, or was not.
    QueryAnswered {
        /// Under which claim.
        claim: &'a ClaimId,
        /// What came.
        answer: &'a QueryAnswer,
    },
    /// The provider's own callback.
    CalledBack(&'a Found),
    /// The merchant takes it back.
    Cancel,
    /// Somebody looked whether its time is over.
    Expire,
    /// Its message came to the DLQ: park it if there is nothing left to try.
    DeadLettered,
    /// Its message is to be put back in its queue.
    Heal {
        /// The dead-lettered message that it replaces, if that is why.
        replaces: Option<Replaced<'a>>,
    },
    /// A person put it back.
    Replay,
    /// A person says how it ended, with evidence.
    Resolve {
        /// The end.
        end: Resolution,
        /// Where to look it up.
        evidence: &'a ProviderText,
    },
}

/// A dead-lettered message whose place a new one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced<'a> {
    /// Its id.
    pub message_id: &'a str,
    /// When its sender wrote it.
    pub sent_at: Timestamp,
}

/// How a person may end a parked payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The provider did it.
    Succeeded,
    /// The provider refused it.
    Declined,
    /// It was never done and is not to be.
    Canceled,
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this in place of what was read.
    Change(Box<Payment>),
    /// Write nothing.
    Keep(Kept),
}

/// Why nothing is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It has ended, and an end is for ever.
    Ended,
    /// Somebody else holds a lease on it.
    LeaseHeld {
        /// Until then.
        until: Timestamp,
    },
    /// It is in front of a person.
    Parked,
    /// It is not parked, so there is nothing to replay or resolve.
    NotParked,
    /// The claim was lost meanwhile, and the answer does not change what the new one will find.
    ClaimLost,
    /// Nothing to do yet.
    NotDue,
    /// It can be put back no more; the sweep will find it.
    HealsUsedUp,
    /// Another message of it was put back a moment ago.
    HealedElsewhere,
    /// It cannot be canceled: a person has to look first.
    NotCancelable,
}

/// The longest Retry-After that is honoured, in ms: a provider that asks for more is asked again by then.
pub const RETRY_AFTER_MAX_MS: u64 = 15 * 60 * 1_000;

/// How long after a heal by somebody else no second message is put back, in ms.
pub const HEAL_PAUSE_MS: u64 = 120_000;

/// How long a payment that nobody has touched waits before a repeated request puts a message back for it, in ms.
pub const REPEAT_HEAL_MS: u64 = 10_000;

/// Whether a repeated request finds its payment as a crash between put and send would have left it: queued, never
/// touched, and no longer new. Its message may never have been sent; a second one does no harm, no message does.
pub fn may_lack_its_message(payment: &Payment, now: Timestamp) -> bool {
    let (last_heard, times) = payment.heal.as_ref().map_or((payment.created_at, 0), |heal| (heal.at, heal.times));
    // Each time twice as long, so that a merchant who asks again and again in a long sale does not fill the queue.
    let patience_ms = REPEAT_HEAL_MS.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX));
    payment.state == State::Queued && payment.reason == Reason::Accepted && now.since_ms(last_heard) >= patience_ms
}

/// How long nothing was heard of an open payment before the sweep takes its message for lost: its lane being empty.
pub const LOST_IN_EMPTY_LANE_MS: u64 = 180_000;

/// The same while its lane holds messages, one of which may be its own.
pub const LOST_IN_BUSY_LANE_MS: u64 = 60 * 60 * 1_000;

/// Whether the sweep takes an open payment's message for lost. Where it is mistaken, a second message does no harm.
pub fn has_lost_its_message(payment: &Payment, lane_is_empty: bool, now: Timestamp) -> bool {
    let patience_ms = if lane_is_empty { LOST_IN_EMPTY_LANE_MS } else { LOST_IN_BUSY_LANE_MS };
    let heard = [
        Some(payment.changed_at),
        payment.due_at,
        payment.heal.as_ref().map(|heal| heal.at),
        payment.claim.as_ref().map(|claim| claim.lease_until),
    ];
    let last_heard = heard.into_iter().flatten().max().unwrap_or(payment.created_at);
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown => now.since_ms(last_heard) >= patience_ms,
        State::Parked | State::Succeeded | State::Declined | State::Canceled | State::Expired => false,
    }
}

/// Decides what becomes of `payment` after `event`.
pub fn transition(payment: &Payment, event: &Event<'_>, moment: &Moment<'_>) -> Step {
    match event {
        Event::Claim { id, lease_until } => claim(payment, id, *lease_until, moment),
        Event::SendAnswered { claim, answer } => send_answered(payment, claim, answer, moment),
        Event::QueryAnswered { claim, answer } => query_answered(payment, claim, answer, moment),
        Event::CalledBack(found) => called_back(payment, found, moment),
        Event::Cancel => cancel(payment, moment),
        Event::Expire => expire(payment, moment),
        Event::DeadLettered => dead_lettered(payment, moment),
        Event::Heal { replaces } => heal(payment, *replaces, moment),
        Event::Replay => replay(payment, moment),
        Event::Resolve { end, evidence } => resolve(payment, *end, evidence, moment),
    }
}

fn claim(payment: &Payment, id: &ClaimId, lease_until: Timestamp, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => match why_not_sendable(payment, moment) {
            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None => {
                let mut draft = Draft::of(payment, moment);
                draft.next.attempts = draft.next.attempts.saturating_add(1);
                draft.next.attempts_left = draft.next.attempts_left.saturating_sub(1);
                draft.next.first_sent_at = draft.next.first_sent_at.or(Some(moment.now));
                draft.next.written_until = Some(lease_until);
                draft.next.due_at = None;
                draft.next.claim = Some(Claim { id: id.clone(), from: State::Queued, lease_until });
                draft.go(State::Sending, Reason::Claimed, None)
            }
        },
        State::Sending => match &payment.claim {
            Some(held) if held.lease_until > moment.now && held.id != *id => {
                Step::Keep(Kept::LeaseHeld { until: held.lease_until })
            }
            Some(_) | None => {
                let mut draft = Draft::of(payment, moment);
                draft.note(State::Unknown, Reason::LeaseEnded);
                draft.take(id, lease_until)
            }
        },
        State::Pending | State::Unknown => Draft::of(payment, moment).take(id, lease_until),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// What a queued payment becomes instead of being sent, if it may not be sent.
fn why_not_sendable(payment: &Payment, moment: &Moment<'_>) -> Option<(State, Reason)> {
    let key_may_be_forgotten =
        payment.first_sent_at.is_some_and(|at| moment.now.since_ms(at) >= moment.policy.sure_key_window_ms());
    if payment.cancel_requested_at.is_some() {
        Some((State::Canceled, Reason::CanceledByMerchant))
    } else if payment.is_expired(moment.now) {
        Some((State::Expired, Reason::ExpiryOver))
    } else if key_may_be_forgotten {
        Some((State::Parked, Reason::KeyWindowOver))
    } else if payment.attempts_left == 0 {
        Some((State::Parked, Reason::AttemptsUsedUp))
    } else {
        None
    }
}

fn send_answered(payment: &Payment, claim: &ClaimId, answer: &SendAnswer, moment: &Moment<'_>) -> Step {
    let mine = holds(payment, claim);
    match answer {
        SendAnswer::Found(Found::Approved { reference }) => approve(payment, reference, Reason::Approved, moment),
        SendAnswer::Found(Found::Accepted { reference }) => acknowledge(payment, mine, reference.as_ref(), moment),
        SendAnswer::Found(Found::Declined { code }) => {
            // Providers answer "already succeeded" as an error: after an attempt that may have had an effect, a
            // refusal says nothing about that one.
            let only_attempt = payment.attempts == 1 && !payment.acknowledged;
            match (only_attempt, mine) {
                (true, _) => decline(payment, code, Reason::DeclinedByProvider, moment),
                (false, true) => wait(payment, State::Unknown, Reason::NegativeAfterUnknown, None, moment),
                (false, false) => kept_without_claim(payment),
            }
        }
        SendAnswer::NotTaken(why) if mine => not_taken(payment, *why, moment),
        SendAnswer::Unclear(why) if mine => wait(payment, State::Unknown, reason_of_unclear(*why), None, moment),
        SendAnswer::NotTaken(_) | SendAnswer::Unclear(_) => kept_without_claim(payment),
    }
}

/// The request surely had no effect: the attempt is given back.
fn not_taken(payment: &Payment, why: NotTaken, moment: &Moment<'_>) -> Step {
    let (reason, wait_ms) = match why {
        NotTaken::RateLimited { retry_after_ms } => (Reason::RateLimited, retry_after_ms),
        NotTaken::ConnectFailed => (Reason::ConnectFailed, None),
        NotTaken::CredentialsRefused => (Reason::CredentialsRefused, None),
        NotTaken::NotWritten => (Reason::NotWritten, None),
    };
    let mut draft = Draft::of(payment, moment);
    draft.next.attempts = draft.next.attempts.saturating_sub(1);
    draft.next.attempts_left = draft.next.attempts_left.saturating_add(1);
    if draft.next.attempts == 0 {
        draft.next.first_sent_at = None;
        draft.next.written_until = None;
    }
    if !payment.acknowledged && payment.cancel_requested_at.is_some() {
        return draft.go(State::Canceled, Reason::CanceledByMerchant, None);
    }
    if !payment.acknowledged && payment.is_expired(moment.now) {
        return draft.go(State::Expired, Reason::ExpiryOver, None);
    }
    draft.wait(wait_ms);
    // An acknowledgement that came meanwhile is for good: what the provider has is never sent again.
    let state = if payment.acknowledged { State::Pending } else { State::Queued };
    draft.go(state, reason, None)
}

fn query_answered(payment: &Payment, claim: &ClaimId, answer: &QueryAnswer, moment: &Moment<'_>) -> Step {
    let mine = holds(payment, claim);
    match answer {
        QueryAnswer::Found(Found::Approved { reference }) => approve(payment, reference, Reason::Approved, moment),
        QueryAnswer::Found(Found::Declined { code }) => decline(payment, code, Reason::DeclinedByProvider, moment),
        QueryAnswer::Found(Found::Accepted { reference }) => acknowledge(payment, mine, reference.as_ref(), moment),
        QueryAnswer::NotFound if mine => not_found(payment, moment),
        QueryAnswer::NotTaken(why) if mine => {
            let (reason, retry_after_ms) = match why {
                NotTaken::RateLimited { retry_after_ms } => (Reason::RateLimited, *retry_after_ms),
                NotTaken::ConnectFailed => (Reason::ConnectFailed, None),
                NotTaken::CredentialsRefused => (Reason::CredentialsRefused, None),
                NotTaken::NotWritten => (Reason::NotWritten, None),
            };
            wait(payment, still_open(payment), reason, retry_after_ms, moment)
        }
        QueryAnswer::Unclear(why) if mine => wait(payment, still_open(payment), reason_of_unclear(*why), None, moment),
        QueryAnswer::NotFound | QueryAnswer::NotTaken(_) | QueryAnswer::Unclear(_) => kept_without_claim(payment),
    }
}

/// The provider does not know it. Only after its stated bound does that prove that no effect is to come.
fn not_found(payment: &Payment, moment: &Moment<'_>) -> Step {
    let Some(written_until) = payment.written_until else {
        // Nothing was ever written, so there is nothing to prove.
        return absent(payment, moment);
    };
    let proved_at = written_until.plus_ms(moment.policy.absence_proof_ms());
    if moment.now >= proved_at {
        return absent(payment, moment);
    }
    let mut draft = Draft::of(payment, moment);
    draft.wait(None);
    // Looking at the very moment of the proof saves the wait after it.
    draft.next.due_at = draft.next.due_at.map(|due| due.min(proved_at));
    draft.go(still_open(payment), Reason::NotFoundYet, None)
}

fn absent(payment: &Payment, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    if payment.acknowledged {
        return draft.go(State::Parked, Reason::VanishedAtProvider, None);
    }
    match why_not_sendable(payment, moment) {
        Some((state, reason)) => draft.go(state, reason, None),
        None => {
            draft.next.waits = 0;
            draft.next.due_at = Some(moment.now);
            draft.go(State::Queued, Reason::ProvedAbsent, None)
        }
    }
}

fn called_back(payment: &Payment, found: &Found, moment: &Moment<'_>) -> Step {
    match found {
        Found::Approved { reference } => approve(payment, reference, Reason::CalledBack, moment),
        Found::Declined { code } => decline(payment, code, Reason::CalledBack, moment),
        Found::Accepted { reference } => acknowledge(payment, false, reference.as_ref(), moment),
    }
}

fn approve(payment: &Payment, reference: &ProviderText, why: Reason, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked => {
            Draft::of(payment, moment).go(State::Succeeded, why, Some(reference))
        }
        State::Succeeded => Step::Keep(Kept::Ended),
        State::Declined | State::Canceled | State::Expired => {
            if payment.late_success_at.is_some() {
                return Step::Keep(Kept::Ended);
            }
            let mut draft = Draft::of(payment, moment);
            draft.next.late_success_at = Some(moment.now);
            // A case is kept until a person has closed it.
            draft.next.delete_after = None;
            draft.append(payment.state, Reason::LateSuccess, Some(reference));
            draft.done()
        }
    }
}

fn decline(payment: &Payment, code: &ProviderText, why: Reason, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown | State::Parked => {
            Draft::of(payment, moment).go(State::Declined, why, Some(code))
        }
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// The provider has it. Whoever holds the claim settles; everybody else only makes sure that it is remembered.
fn acknowledge(payment: &Payment, mine: bool, reference: Option<&ProviderText>, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    draft.next.acknowledged = true;
    match (payment.state, mine) {
        (State::Sending, true) | (State::Unknown | State::Queued, _) => {
            draft.wait(None);
            draft.go(State::Pending, Reason::PendingAtProvider, reference)
        }
        (State::Sending | State::Parked, _) if payment.acknowledged => kept_without_claim(payment),
        (State::Sending | State::Parked, _) => draft.done(),
        (State::Pending, _) => Step::Keep(Kept::NotDue),
        (State::Succeeded | State::Declined | State::Canceled | State::Expired, _) => Step::Keep(Kept::Ended),
    }
}

fn cancel(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None),
        State::Sending | State::Pending | State::Unknown => {
            if payment.cancel_requested_at.is_some() {
                return Step::Keep(Kept::NotDue);
            }
            let mut draft = Draft::of(payment, moment);
            draft.next.cancel_requested_at = Some(moment.now);
            draft.done()
        }
        State::Parked if payment.ever_sent() => Step::Keep(Kept::NotCancelable),
        State::Parked => Draft::of(payment, moment).go(State::Canceled, Reason::CanceledByMerchant, None),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

/// A payment that is canceled before it was ever there. It is written as a first version, so that only an order that
/// is really not here takes it.
pub fn canceled_unseen(accepted: &Payment, moment: &Moment<'_>) -> Option<Payment> {
    match cancel(accepted, moment) {
        Step::Change(canceled) => Some(Payment { version: accepted.version, ..*canceled }),
        Step::Keep(_) => None,
    }
}

fn expire(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued if payment.is_expired(moment.now) => {
            Draft::of(payment, moment).go(State::Expired, Reason::ExpiryOver, None)
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

fn dead_lettered(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued => match why_not_sendable(payment, moment) {
            Some((state, reason)) => Draft::of(payment, moment).go(state, reason, None),
            None => Step::Keep(Kept::NotDue),
        },
        State::Sending => match &payment.claim {
            Some(held) if held.lease_until > moment.now => Step::Keep(Kept::LeaseHeld { until: held.lease_until }),
            Some(_) | None => Step::Keep(Kept::NotDue),
        },
        State::Pending | State::Unknown => Step::Keep(Kept::NotDue),
        State::Parked => Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

fn heal(payment: &Payment, replaces: Option<Replaced<'_>>, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Queued | State::Sending | State::Pending | State::Unknown => {}
        State::Parked => return Step::Keep(Kept::Parked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => {
            return Step::Keep(Kept::Ended);
        }
    }
    let times = match (&payment.heal, replaces) {
        (None, _) => 1,
        // The same message's work again: it crashed between its write and its send, or its send's answer was lost.
        (Some(heal), Some(it)) if heal.message_id.as_deref() == Some(it.message_id) => heal.times,
        (Some(heal), Some(_)) if heal.times >= moment.policy.max_heals => {
            return Step::Keep(Kept::HealsUsedUp);
        }
        // An older message than the heal: the message that it put back is on its way, because the one that it replaced
        // comes again until it is. One that was written after the heal may itself be the one that it put back.
        (Some(heal), Some(it))
            if heal.message_id.is_some() && it.sent_at < heal.at && moment.now.since_ms(heal.at) < HEAL_PAUSE_MS =>
        {
            return Step::Keep(Kept::HealedElsewhere);
        }
        (Some(heal), _) => heal.times.saturating_add(1),
    };
    let mut draft = Draft::of(payment, moment);
    draft.next.heal = Some(Heal { at: moment.now, message_id: replaces.map(|it| it.message_id.to_owned()), times });
    draft.done()
}

/// A person put it back: what was ever sent is queried first, and coming back grants one attempt.
fn replay(payment: &Payment, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Parked => {
            let mut draft = Draft::of(payment, moment);
            draft.next.attempts_left = draft.next.attempts_left.max(1);
            draft.next.waits = 0;
            draft.next.due_at = Some(moment.now);
            let state = if payment.ever_sent() { State::Unknown } else { State::Queued };
            draft.go(state, Reason::Replayed, None)
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotParked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

fn resolve(payment: &Payment, end: Resolution, evidence: &ProviderText, moment: &Moment<'_>) -> Step {
    match payment.state {
        State::Parked => {
            let state = match end {
                Resolution::Succeeded => State::Succeeded,
                Resolution::Declined => State::Declined,
                Resolution::Canceled => State::Canceled,
            };
            Draft::of(payment, moment).go(state, Reason::ResolvedByOperator, Some(evidence))
        }
        State::Queued | State::Sending | State::Pending | State::Unknown => Step::Keep(Kept::NotParked),
        State::Succeeded | State::Declined | State::Canceled | State::Expired => Step::Keep(Kept::Ended),
    }
}

fn wait(payment: &Payment, state: State, reason: Reason, at_least_ms: Option<u64>, moment: &Moment<'_>) -> Step {
    let mut draft = Draft::of(payment, moment);
    draft.wait(at_least_ms);
    draft.go(state, reason, None)
}

fn holds(payment: &Payment, claim: &ClaimId) -> bool {
    payment.state == State::Sending && payment.claim.as_ref().is_some_and(|held| held.id == *claim)
}

/// Where a payment stands when a query said nothing: pending if it was that, else unknown.
fn still_open(payment: &Payment) -> State {
    if payment.acknowledged { State::Pending } else { State::Unknown }
}

fn kept_without_claim(payment: &Payment) -> Step {
    Step::Keep(if payment.state.is_terminal() { Kept::Ended } else { Kept::ClaimLost })
}

const fn reason_of_unclear(why: Unclear) -> Reason {
    match why {
        Unclear::TimedOut => Reason::TimedOut,
        Unclear::ConnectionLost => Reason::ConnectionLost,
        Unclear::ProviderError => Reason::ProviderError,
        Unclear::Conflict => Reason::ConflictAtProvider,
        Unclear::Unreadable => Reason::UnreadableAnswer,
    }
}

/// The next version of a payment while it is being written down.
struct Draft<'a> {
    next: Payment,
    moment: &'a Moment<'a>,
}

impl<'a> Draft<'a> {
    fn of(payment: &Payment, moment: &'a Moment<'a>) -> Self {
        let mut next = payment.clone();
        next.version = next.version.saturating_add(1);
        next.nonce = moment.nonce.clone();
        Self { next, moment }
    }

    /// Sets when to look again: after a jittered backoff, at least after what the provider asked for.
    fn wait(&mut self, at_least_ms: Option<u64>) {
        let Moment { now, dice, policy, .. } = *self.moment;
        let backoff_ms = full_jitter_ms(policy.backoff_base_ms, policy.backoff_cap_ms, self.next.waits, dice);
        let wait_ms = backoff_ms.max(at_least_ms.unwrap_or(0).min(RETRY_AFTER_MAX_MS));
        self.next.due_at = Some(now.plus_ms(wait_ms));
        self.next.waits = self.next.waits.saturating_add(1);
    }

    /// A line of history for a state that was found to have been passed through.
    fn note(&mut self, state: State, reason: Reason) {
        self.append(state, reason, None);
    }

    fn append(&mut self, state: State, reason: Reason, text: Option<&ProviderText>) {
        let entry = Entry {
            at: self.moment.now,
            state,
            reason,
            attempt: self.next.attempts,
            times: 1,
            provider_text: text.cloned(),
        };
        history::append(&mut self.next.history, entry);
    }

    /// Claims for a query, which is no line of history: its answer will be.
    fn take(mut self, id: &ClaimId, lease_until: Timestamp) -> Step {
        let from = self.next.state;
        self.next.state = State::Sending;
        self.next.reason = Reason::Claimed;
        self.next.changed_at = self.moment.now;
        self.next.due_at = None;
        self.next.claim = Some(Claim { id: id.clone(), from, lease_until });
        self.done()
    }

    /// Goes to `state`, with all that the state implies.
    fn go(mut self, state: State, reason: Reason, text: Option<&ProviderText>) -> Step {
        let now = self.moment.now;
        self.append(state, reason, text);
        if let Some(text) = text {
            self.next.provider_text = Some(text.clone());
        }
        self.next.state = state;
        self.next.reason = reason;
        self.next.changed_at = now;
        if state != State::Sending {
            self.next.claim = None;
        }
        self.next.parked_at = None;
        match state {
            State::Queued | State::Sending | State::Pending | State::Unknown => {
                self.next.open_shard = Some(open_shard(&self.next.id));
            }
            State::Parked => {
                self.next.parked_at = Some(now);
                self.next.due_at = None;
                self.next.open_shard = Some(PARKED_SHARD.to_owned());
            }
            State::Succeeded | State::Declined | State::Canceled | State::Expired => {
                self.next.due_at = None;
                self.next.open_shard = None;
                let ends = now.plus_ms(self.moment.policy.retention_ms);
                self.next.delete_after = Some(ends.seconds());
            }
        }
        self.done()
    }

    fn done(self) -> Step {
        Step::Change(Box::new(self.next))
    }
}

//! A history in plain words, for people who read it: each reason as a sentence, and which call a line is about.

use crate::payment::Payment;
use crate::state::{Reason, State};

use crate::entry::{Entry, KEPT_AT_THE_BEGINNING};

/// The call to the provider whose answer a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The attempt before it.
    Send,
    /// A query.
    Query,
    /// The attempt the first time, queries afterwards.
    SendThenQueries,
}

impl Call {
    /// The name used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Query => "query",
            Self::SendThenQueries => "send_then_queries",
        }
    }
}

/// A payment's lines, each with its number, from 1, and the call that it surely is about.
pub fn lines(payment: &Payment) -> impl Iterator<Item = (usize, &Entry, Option<Call>)> {
    let gap = payment.chain.as_ref().is_some_and(|chain| chain.gap.is_some());
    let mut before: Option<State> = None;
    payment.history.iter().enumerate().map(move |(index, entry)| {
        if gap && index == KEPT_AT_THE_BEGINNING {
            before = None;
        }
        let call = before.and_then(|before| call(before, entry));
        before = Some(entry.state);
        (index.saturating_add(1), entry, call)
    })
}

/// Only whoever holds the claim writes these; a claim to send is a line of its own, one for a query is not.
fn call(before: State, entry: &Entry) -> Option<Call> {
    match entry.reason {
        Reason::TimedOut
        | Reason::ConnectionLost
        | Reason::ProviderError
        | Reason::ConflictAtProvider
        | Reason::UnreadableAnswer
        | Reason::RateLimited
        | Reason::ConnectFailed
        | Reason::CredentialsRefused
        | Reason::NotWritten => Some(match (before, entry.times) {
            (State::Sending, 0 | 1) => Call::Send,
            (State::Sending, _) => Call::SendThenQueries,
            (_, _) => Call::Query,
        }),
        Reason::NotFoundYet | Reason::ProvedAbsent | Reason::VanishedAtProvider | Reason::AbsentAfterRestore => {
            Some(Call::Query)
        }
        Reason::NegativeAfterUnknown => Some(Call::Send),
        // An answer, a callback or a late one: the line does not say which.
        Reason::Approved | Reason::DeclinedByProvider | Reason::PendingAtProvider => None,
        Reason::Accepted
        | Reason::Claimed
        | Reason::LeaseEnded
        | Reason::KeyWindowOver
        | Reason::AttemptsUsedUp
        | Reason::CanceledByMerchant
        | Reason::ExpiryOver
        | Reason::Replayed
        | Reason::Healed
        | Reason::CalledBack
        | Reason::ResolvedByOperator
        | Reason::LateSuccess
        | Reason::CaseTaken
        | Reason::CaseRefunded
        | Reason::CaseRefundedElsewhere
        | Reason::CaseAccepted
        | Reason::Overdue
        | Reason::Restored
        | Reason::MayHaveBeenMade
        | Reason::Forgotten => None,
    }
}

impl Reason {
    /// What the reason means, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Accepted => "The order was taken from the merchant and waits to be sent.",
            Self::Claimed => "It was taken up to be sent to the provider.",
            Self::Approved => "The provider did it.",
            Self::DeclinedByProvider => "The provider refused it for good.",
            Self::PendingAtProvider => "The provider has it and will answer later; it is asked, and never sent again.",
            Self::TimedOut => "The provider did not answer in time; it may have done it, so it is asked.",
            Self::ConnectionLost => "The connection broke before the answer; it may be done, so the provider is asked.",
            Self::ProviderError => "The provider answered with an error of its own; it may be done, so it is asked.",
            Self::ConflictAtProvider => "The provider was busy with this payment; it may be done, so it is asked.",
            Self::UnreadableAnswer => "The provider's answer could not be read; it may be done, so it is asked.",
            Self::NegativeAfterUnknown => {
                "The provider refused it after an attempt that may have been done; it is asked before that is believed."
            }
            Self::LeaseEnded => "Whoever took it up did not say how it went; it may be done, so the provider is asked.",
            Self::RateLimited => "The provider asked us to slow down; nothing was done, and it waits.",
            Self::ConnectFailed => "The provider could not be reached; nothing was sent, and it waits.",
            Self::CredentialsRefused => "The provider refused our credentials; nothing was done, and it waits.",
            Self::NotWritten => "It was taken up and not sent after all; nothing was done, and it waits.",
            Self::NotFoundYet => {
                "The provider does not know it; it is too early to believe that, so it is asked again."
            }
            Self::ProvedAbsent => "The provider does not know it, long enough to be sure; it may be sent again.",
            Self::VanishedAtProvider => "The provider said that it has it and later that it does not; a person looks.",
            Self::KeyWindowOver => {
                "The provider may have forgotten the first attempt, and sending again might pay twice; a person looks."
            }
            Self::AttemptsUsedUp => "Every attempt that it had was used; a person looks.",
            Self::CanceledByMerchant => "The merchant took it back before it was done.",
            Self::ExpiryOver => "Its time was over before it was done.",
            Self::Replayed => "A person put it back.",
            Self::Healed => "Its message was put back in its queue.",
            Self::CalledBack => "The provider said by itself how it ended.",
            Self::ResolvedByOperator => "A person said how it ended, with evidence.",
            Self::LateSuccess => "The provider did it after it had ended otherwise here; a person looks.",
            Self::CaseTaken => "A person sees to the case.",
            Self::CaseRefunded => "The case is closed: the money goes back by a refund.",
            Self::CaseRefundedElsewhere => "The case is closed: the money went back outside of Sluice.",
            Self::CaseAccepted => "The case is closed: the money stays.",
            Self::Overdue => "Nobody learned for so long how it ended that a person looks.",
            Self::Restored => {
                "The table was restored to an earlier moment; it may be done since, so the provider is asked."
            }
            Self::MayHaveBeenMade => {
                "A restore may have lost an earlier request for this order; it may be done, so the provider is asked."
            }
            Self::AbsentAfterRestore => {
                "The provider does not know it, and a restore lost what the merchant was told since; a person looks."
            }
            Self::Forgotten => "Its details were forgotten, with the lines before its end; the end stands for ever.",
        }
    }
}

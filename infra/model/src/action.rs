//! The steps that there are, as a person reads them.

use std::fmt;

use crate::world::{Place, Reply};

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A consumer's.
    Consumer(u8, ConsumerAct),
    /// The triage's.
    DeadLetter(DeadLetterAct),
    /// Somebody's who has no message.
    Desk(DeskAct),
    /// A queue's, or a person's with a message.
    Message(MessageAct),
    /// The provider's.
    Provider(ProviderAct),
    /// Ten minutes pass.
    Tick,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// It was carried out or refused, and the answer came.
    Answered,
    /// It was carried out and the answer was lost: it is on its way again.
    AnswerLost,
    /// It was carried out, and whoever sent it has died.
    ThenDies,
}

/// A consumer's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerAct {
    /// A message is delivered to it, and its claim that has not read the item arrives.
    Receive(u8, Landing),
    /// Its write arrives.
    Land(Landing),
    /// It looks at slot and lease, and writes its request if it may.
    Call,
    /// It gets no connection.
    ConnectFails,
    /// It reads the provider's reply.
    Read,
    /// It waits for it no longer, or the connection breaks.
    TimeOut,
    /// It dies.
    Crash,
}

/// A step of the triage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeadLetterAct {
    /// A message is delivered to it.
    Receive(u8),
    /// Its write arrives.
    Land(Landing),
    /// It sends the message of its heal and deletes the one that it replaces.
    Send,
    /// It sends it and dies.
    SendThenDie,
    /// It dies.
    Crash,
}

/// A step of somebody without a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeskAct {
    /// The merchant takes it back.
    Cancel,
    /// The provider calls back.
    CallBack,
    /// The sweep takes its message for lost.
    Sweep,
    /// The write arrives.
    Land(Landing),
    /// The sweep sends the message of its heal.
    Send,
    /// It dies.
    Crash,
}

/// What happens to a message without a function of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageAct {
    /// Received too often, it goes where the redrive policy says.
    Redrive(u8),
    /// A person moves it.
    Move(u8, Place),
}

/// The provider's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderAct {
    /// The request arrives, with this end.
    Arrive(Reply),
    /// A query arrives.
    Answer(u8),
    /// What it has is done, or refused.
    Resolve(Reply),
    /// It no longer says that it has it.
    Vanish,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(consumer, act) => write!(f, "consumer {consumer}: {act}"),
            Self::DeadLetter(act) => write!(f, "dead_letter: {act}"),
            Self::Desk(act) => write!(f, "{act}"),
            Self::Message(act) => write!(f, "{act}"),
            Self::Provider(act) => write!(f, "provider: {act}"),
            Self::Tick => write!(f, "a tick passes"),
        }
    }
}

impl fmt::Display for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ThenDies => "its write is carried out and it dies",
            Self::Answered => "its write arrives",
            Self::AnswerLost => "its write is carried out and the answer lost",
        })
    }
}

impl fmt::Display for ConsumerAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receive(message, landing) => write!(f, "receives message {message} to claim it; {landing}"),
            Self::Land(landing) => write!(f, "{landing}"),
            Self::Call => f.write_str("looks at its lease and calls if it may"),
            Self::ConnectFails => f.write_str("gets no connection"),
            Self::Read => f.write_str("reads the reply"),
            Self::TimeOut => f.write_str("waits no longer"),
            Self::Crash => f.write_str("dies"),
        }
    }
}

impl fmt::Display for DeadLetterAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receive(message) => write!(f, "receives message {message}"),
            Self::Land(landing) => write!(f, "{landing}"),
            Self::Send => f.write_str("puts a message into the lane and deletes its own"),
            Self::SendThenDie => f.write_str("puts a message into the lane and dies"),
            Self::Crash => f.write_str("dies"),
        }
    }
}

impl fmt::Display for DeskAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancel => f.write_str("merchant: takes it back"),
            Self::CallBack => f.write_str("provider: calls back"),
            Self::Sweep => f.write_str("reconcile: takes its message for lost"),
            Self::Land(landing) => write!(f, "desk: {landing}"),
            Self::Send => f.write_str("reconcile: puts a message into the lane"),
            Self::Crash => f.write_str("desk: dies"),
        }
    }
}

impl fmt::Display for MessageAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redrive(message) => write!(f, "queue: message {message} was received too often and moves on"),
            Self::Move(message, to) => write!(f, "operator: moves message {message} to {to:?}"),
        }
    }
}

impl fmt::Display for ProviderAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vanish => f.write_str("no longer says that it has what is pending"),
            Self::Arrive(reply) => write!(f, "the request arrives, answer {reply:?}"),
            Self::Answer(consumer) => write!(f, "the query of consumer {consumer} arrives and is answered"),
            Self::Resolve(reply) => write!(f, "what was pending is {reply:?}"),
        }
    }
}

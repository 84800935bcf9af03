//! What an operator asks for, by an invocation of its own: what only a person can decide, written by who has the keys of
//! histories. IAM says who may invoke, CloudTrail who did, and no key leaves the function.
//!
//! It goes through the transition function as everything does, so that nobody can ask for what the rules forbid.

use payments::case::CaseResolution;
use payments::evidence::{Evidence, EvidenceError, Operator};
use payments::id::PaymentId;
use payments::payment::Payment;
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Recovery, Resolution};
use ports::{Depths, EndedPayments, EventName, GateStore, Ledger, OpenPayments, Outcome, Store, StoreError};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::{ANSWER_ALLOWANCE_MS, Reconcile, Sweep};

/// Most payments that one invocation doubts: each is a read, a write and a message, some 20 ms together.
pub const DOUBTS_MAX: usize = 100;

/// What this function is invoked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The schedule's event.
    Sweep,
    /// An operator's.
    Operate(Box<Request>),
    /// Neither.
    Unknown {
        /// What is wrong with it.
        why: String,
    },
}

/// An event as far as it says whose it is.
#[derive(Deserialize)]
struct Head {
    source: Option<String>,
    operate: Option<serde_json::Value>,
}

impl Invocation {
    /// Reads an event. The schedule's is known by its source, as EventBridge Scheduler writes it and as its older form
    /// does; an operator's holds a request and nothing else.
    pub fn read(event: serde_json::Value) -> Self {
        let unknown = |why: String| Self::Unknown { why };
        let head = match Head::deserialize(event) {
            Ok(head) => head,
            Err(error) => return unknown(format!("it is no event: {error}")),
        };
        match (head.operate, head.source.as_deref()) {
            (Some(request), None) => match Request::deserialize(request) {
                Ok(request) => Self::Operate(Box::new(request)),
                Err(error) => unknown(format!("its operation cannot be read: {error}")),
            },
            (None, Some("aws.scheduler" | "aws.events")) => Self::Sweep,
            (Some(_), Some(_)) => unknown("it has a source and an operation: give one of them".to_owned()),
            (None, _) => unknown("it is neither the schedule's nor an operator's".to_owned()),
        }
    }
}

/// What a person says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Where to look it up.
    pub reference: String,
    /// Who says so.
    pub who: String,
    /// Why.
    pub why: String,
}

impl Said {
    fn evidence(&self) -> Result<Evidence, EvidenceError> {
        Evidence::new(&self.reference, &self.who, &self.why)
    }
}

/// How a parked payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The provider did it.
    Succeeded,
    /// The provider refused it.
    Declined,
    /// It was never done and is not to be.
    Canceled,
}

impl From<End> for Resolution {
    fn from(end: End) -> Self {
        match end {
            End::Succeeded => Self::Succeeded,
            End::Declined => Self::Declined,
            End::Canceled => Self::Canceled,
        }
    }
}

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// To end a parked payment.
    Resolve {
        /// Which.
        payment_id: PaymentId,
        /// How it ended.
        end: End,
        /// The evidence.
        said: Said,
    },
    /// To give a case an owner.
    TakeCase {
        /// Whose.
        payment_id: PaymentId,
        /// Who sees to it.
        who: String,
    },
    /// To close a case.
    CloseCase {
        /// Whose.
        payment_id: PaymentId,
        /// What became of the money.
        resolution: CaseResolution,
        /// The evidence.
        said: Said,
    },
    /// To take a parked payment up again without a message: it gets a new one.
    Replay {
        /// Which.
        payment_id: PaymentId,
    },
    /// To doubt what was open when the table was restored.
    Doubt {
        /// Which, [`DOUBTS_MAX`] at most.
        payment_ids: Vec<PaymentId>,
        /// The moment that the table was restored to, in ms since the epoch.
        point_ms: u64,
        /// When the consumers were off, likewise.
        off_ms: u64,
    },
}

impl Request {
    const fn name(&self) -> &'static str {
        match self {
            Self::Resolve { .. } => "resolve",
            Self::TakeCase { .. } => "take_case",
            Self::CloseCase { .. } => "close_case",
            Self::Replay { .. } => "replay",
            Self::Doubt { .. } => "doubt",
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is written, and the payment is this now.
    Changed {
        /// Its state.
        state: String,
    },
    /// Nothing was written: the payment does not stand where this can be asked of it.
    Kept {
        /// Its state.
        state: String,
        /// Why nothing was.
        why: String,
    },
    /// There is no such payment.
    Missing,
    /// The payments that were doubted now, those that were already, and those for which there was no time or no answer of the
    /// table.
    Doubted {
        /// Now.
        unknown: Vec<PaymentId>,
        /// By an earlier request.
        before: Vec<PaymentId>,
        /// To be asked for again.
        left: Vec<PaymentId>,
    },
    /// It cannot be asked for so, or nobody knows whether it is written: asking again does it once.
    Refused {
        /// What is wrong.
        why: String,
    },
}

/// What an invocation answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// A sweep's counts.
    Swept(Sweep),
    /// An operator's answer.
    Operated(Answer),
}

fn kept(payment: &Payment, kept: Kept) -> Answer {
    Answer::Kept { state: payment.state.as_str().to_owned(), why: kept.why().to_owned() }
}

fn refused(why: &impl ToString) -> Answer {
    Answer::Refused { why: why.to_string() }
}

impl<L, G> Reconcile<L, G>
where
    L: Ledger<Store: OpenPayments + EndedPayments, Queue: Depths>,
    G: GateStore,
{
    /// Does what an event asks for, and stops before `deadline`.
    pub async fn invoked(&self, event: serde_json::Value, deadline: Timestamp) -> Done {
        match Invocation::read(event) {
            Invocation::Sweep => Done::Swept(self.handle(deadline).await),
            Invocation::Operate(request) => Done::Operated(self.operate(&request, deadline).await),
            Invocation::Unknown { why } => {
                warn!(event = EventName::InvocationRefused.as_str(), why);
                Done::Operated(refused(&why))
            }
        }
    }

    /// Does what an operator asks for.
    pub async fn operate(&self, request: &Request, deadline: Timestamp) -> Answer {
        let answer = match request {
            Request::Resolve { payment_id, end, said } => match said.evidence() {
                Ok(evidence) => {
                    self.asked(payment_id, &Event::Resolve { end: (*end).into(), evidence: &evidence }).await
                }
                Err(error) => Ok(refused(&error)),
            },
            Request::TakeCase { payment_id, who } => match Operator::new(who) {
                Ok(owner) => self.asked(payment_id, &Event::TakeCase { owner: &owner }).await,
                Err(error) => Ok(refused(&error)),
            },
            Request::CloseCase { payment_id, resolution, said } => match said.evidence() {
                Ok(evidence) => {
                    let event = Event::CloseCase { resolution: *resolution, evidence: &evidence };
                    self.asked(payment_id, &event).await
                }
                Err(error) => Ok(refused(&error)),
            },
            Request::Replay { payment_id } => self.replay(payment_id).await,
            Request::Doubt { payment_ids, .. } if payment_ids.len() > DOUBTS_MAX => {
                Ok(refused(&format!("{} payments are more than {DOUBTS_MAX}", payment_ids.len())))
            }
            Request::Doubt { payment_ids, point_ms, off_ms } => {
                let recovery = Recovery { point: Timestamp::from_ms(*point_ms), at: Timestamp::from_ms(*off_ms) };
                Ok(self.doubt(payment_ids, &recovery, deadline.minus_ms(ANSWER_ALLOWANCE_MS)).await)
            }
        };
        let answer = answer.unwrap_or_else(|error| refused(&error));
        let operation = request.name();
        match &answer {
            Answer::Refused { why } => warn!(event = EventName::OperationRefused.as_str(), operation, why),
            Answer::Changed { .. } | Answer::Kept { .. } | Answer::Missing | Answer::Doubted { .. } => {
                info!(event = EventName::OperationDone.as_str(), operation);
            }
        }
        answer
    }

    /// Decides on a payment and writes it.
    async fn asked(&self, id: &PaymentId, event: &Event<'_>) -> Result<Answer, StoreError> {
        let Some(payment) = self.ledger.store().get(id).await? else { return Ok(Answer::Missing) };
        Ok(match self.decide(payment, event).await? {
            Outcome::Changed(payment) => Answer::Changed { state: payment.state.as_str().to_owned() },
            Outcome::Kept(payment, why) => kept(&payment, why),
            Outcome::Missing => Answer::Missing,
        })
    }

    /// First written down, then sent. Should the send fail, the sweep finds it.
    async fn replay(&self, id: &PaymentId) -> Result<Answer, StoreError> {
        let Some(mut payment) = self.ledger.store().get(id).await? else { return Ok(Answer::Missing) };
        for event in [Event::Replay, Event::Heal { replaces: None }] {
            match self.decide(payment, &event).await? {
                Outcome::Changed(changed) => payment = *changed,
                Outcome::Kept(payment, why) => return Ok(kept(&payment, why)),
                Outcome::Missing => return Ok(Answer::Missing),
            }
        }
        self.send(&payment).await?;
        Ok(Answer::Changed { state: payment.state.as_str().to_owned() })
    }

    /// Each by itself: first written down, then a message, because the one that it had may be gone. What fails is left, and
    /// may be asked for again.
    async fn doubt(&self, ids: &[PaymentId], recovery: &Recovery, end: Timestamp) -> Answer {
        let (mut unknown, mut before, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids {
            if self.ledger.now() >= end {
                left.push(id.clone());
                continue;
            }
            match self.doubt_one(id, recovery).await {
                Ok(Some(Doubt::Now)) => unknown.push(id.clone()),
                Ok(Some(Doubt::Before)) => before.push(id.clone()),
                Ok(None) => {}
                Err(error) => {
                    error!(event = EventName::DoubtFailed.as_str(), payment_id = id.as_str(), %error);
                    left.push(id.clone());
                }
            }
        }
        Answer::Doubted { unknown, before, left }
    }

    async fn doubt_one(&self, id: &PaymentId, recovery: &Recovery) -> Result<Option<Doubt>, StoreError> {
        let Some(payment) = self.ledger.store().get(id).await? else { return Ok(None) };
        match self.decide(payment, &Event::Restored(recovery)).await? {
            Outcome::Changed(payment) => {
                self.send(&payment).await?;
                Ok(Some(Doubt::Now))
            }
            // Its message may have failed then: the sweep finds it.
            Outcome::Kept(_, Kept::NotDue) => Ok(Some(Doubt::Before)),
            // It has ended meanwhile: the index is a moment behind its table.
            Outcome::Kept(..) | Outcome::Missing => Ok(None),
        }
    }
}

/// What became of an open payment.
enum Doubt {
    Now,
    Before,
}

//! What the sandbox knows: its ledger, to which is only ever added, the calls, and what came of each key.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use payments::payment::Kind;
use payments::time::Timestamp;
use serde::Serialize;

/// Money that moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The payment, whose id is the idempotency key.
    pub payment_id: Arc<str>,
    /// What happened.
    pub kind: Kind,
    /// Minor units.
    pub amount: u64,
    /// ISO 4217.
    pub currency: &'static str,
    /// When it happened.
    pub at: Timestamp,
}

/// What a call wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A payment.
    Send,
    /// To know what became of one.
    Query,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The payment that it named.
    pub payment_id: Arc<str>,
    /// What it wanted.
    pub operation: Operation,
    /// What it was told: the answer's status, `dropped` if it was told nothing on purpose, `open` if nothing yet.
    pub answer: &'static str,
    /// When it arrived.
    pub at: Timestamp,
}

/// A callback that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalledBack {
    /// The payment.
    pub payment_id: Arc<str>,
    /// What was said of it.
    pub status: &'static str,
    /// What was answered in the end; 0 for nothing.
    pub answered: u16,
    /// When.
    pub at: Timestamp,
}

/// A call's place in the book.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    index: usize,
    /// The how-manieth of its payment's calls, from 0. What was refused over the rate does not count: that depends
    /// on the time, and the dice must not.
    pub(super) number: u32,
}

/// When a call arrived, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) instant: Instant,
    at: Timestamp,
}

impl Arrival {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), at: wall_clock() }
    }
}

pub(super) fn wall_clock() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_us(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

/// What is asked under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) amount: u64,
    pub(super) currency: &'static str,
    /// Of the whole body.
    pub(super) body_hash: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Approved,
    Accepted,
    Declined(&'static str),
}

/// How a key stands when a send comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// Never seen: the caller processes it.
    New,
    /// Seen, and this came of it.
    Known(Outcome),
    /// The first send is still being processed.
    Busy,
    /// Seen with another body.
    OtherBody,
}

#[derive(Default)]
struct Key {
    calls: u32,
    callbacks: u32,
    record: Option<Record>,
    /// What had come of the request that was forgotten last.
    forgotten: Option<Outcome>,
}

struct Record {
    begun: Instant,
    asked: Asked,
    busy: bool,
    outcome: Option<Outcome>,
}

#[derive(Default)]
struct Pages {
    keys: HashMap<Arc<str>, Key>,
    ledger: Vec<Effect>,
    calls: Vec<Call>,
    callbacks: Vec<CalledBack>,
    taken: VecDeque<Instant>,
    connections: u64,
}

/// The book.
#[derive(Default)]
pub(super) struct Book(Mutex<Pages>);

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connected(&self) {
        self.pages().connections += 1;
    }

    pub(super) fn connections(&self) -> u64 {
        self.pages().connections
    }

    pub(super) fn ledger(&self) -> Vec<Effect> {
        self.pages().ledger.clone()
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.pages().calls.clone()
    }

    pub(super) fn callbacks(&self) -> Vec<CalledBack> {
        self.pages().callbacks.clone()
    }

    /// How many callbacks of a payment were begun so far.
    pub(super) fn callbacks_begun(&self, id: &str) -> u32 {
        self.pages().keys.get(id).map_or(0, |key| key.callbacks)
    }

    /// A callback is on its way.
    pub(super) fn callback_begins(&self, id: &str) {
        if let Some(key) = self.pages().keys.get_mut(id) {
            key.callbacks += 1;
        }
    }

    /// A callback is over.
    pub(super) fn callback_ended(&self, id: &str, status: &'static str, answered: u16) {
        let mut pages = self.pages();
        let payment_id = pages.key(id);
        pages.callbacks.push(CalledBack { payment_id, status, answered, at: wall_clock() });
    }

    /// Notes a call that was refused before it counted.
    pub(super) fn refuse(&self, id: &str, operation: Operation, arrival: Arrival, answer: &'static str) {
        let mut pages = self.pages();
        let payment_id = pages.key(id);
        pages.calls.push(Call { payment_id, operation, answer, at: arrival.at });
    }

    /// Notes a call, if fewer than `rate_per_second` were taken in the second before it; 0 is no limit.
    pub(super) fn admit(
        &self,
        id: &str,
        operation: Operation,
        arrival: Arrival,
        rate_per_second: u32,
    ) -> Option<Ticket> {
        let mut pages = self.pages();
        while pages
            .taken
            .front()
            .is_some_and(|taken| arrival.instant.saturating_duration_since(*taken) >= Duration::from_secs(1))
        {
            pages.taken.pop_front();
        }
        let room = usize::try_from(rate_per_second).unwrap_or(usize::MAX);
        let payment_id = pages.key(id);
        if room > 0 && pages.taken.len() >= room {
            let answer = "rate_limited";
            pages.calls.push(Call { payment_id, operation, answer, at: arrival.at });
            return None;
        }
        pages.taken.push_back(arrival.instant);
        let index = pages.calls.len();
        let key = pages.keys.entry(Arc::clone(&payment_id)).or_default();
        let number = key.calls;
        key.calls += 1;
        pages.calls.push(Call { payment_id, operation, answer: "open", at: arrival.at });
        Some(Ticket { index, number })
    }

    /// Notes what a call was told.
    pub(super) fn answered(&self, ticket: Ticket, answer: &'static str) {
        self.pages().calls[ticket.index].answer = answer;
    }

    /// Takes the key for processing, or says why not. Once its window is over it is one that was never seen; only what is
    /// still under way is remembered for longer.
    pub(super) fn begin(&self, id: &str, asked: Asked, arrival: Arrival, key_window: Duration) -> Begun {
        let mut pages = self.pages();
        let id = pages.key(id);
        let key = pages.keys.entry(id).or_default();
        let begun = arrival.instant;
        let over = key.record.take_if(|record| {
            let is_over = matches!(record.outcome, Some(Outcome::Approved | Outcome::Declined(_))) && !record.busy;
            is_over && begun.saturating_duration_since(record.begun) >= key_window
        });
        if let Some(over) = over {
            key.forgotten = over.outcome;
        }
        match &key.record {
            None => {
                key.record = Some(Record { begun, asked, busy: true, outcome: None });
                Begun::New
            }
            Some(record) if record.asked != asked => Begun::OtherBody,
            Some(record) => match record.outcome {
                Some(outcome) if !record.busy => Begun::Known(outcome),
                Some(_) | None => Begun::Busy,
            },
        }
    }

    /// Writes what came of it; if it is approved, that is an effect. A key has at most one within its window.
    pub(super) fn settle(&self, id: &str, outcome: Outcome) {
        let mut pages = self.pages();
        let payment_id = pages.key(id);
        let Some(record) = pages.keys.get_mut(&payment_id).and_then(|key| key.record.as_mut()) else {
            return;
        };
        if matches!(record.outcome, Some(Outcome::Approved | Outcome::Declined(_))) {
            return;
        }
        record.outcome = Some(outcome);
        if outcome == Outcome::Approved {
            let Asked { kind, amount, currency, .. } = record.asked;
            pages.ledger.push(Effect { payment_id, kind, amount, currency, at: wall_clock() });
        }
    }

    /// The first send is through: from now on its key answers what came of it.
    pub(super) fn finish(&self, id: &str) {
        if let Some(record) = self.pages().keys.get_mut(id).and_then(|key| key.record.as_mut()) {
            record.busy = false;
        }
    }

    /// What had come of a key's request when it was forgotten and used again, if anything had.
    pub(super) fn ended(&self, id: &str) -> Option<Outcome> {
        self.pages().keys.get(id).and_then(|key| key.forgotten)
    }

    /// What was asked under this key and what has come of it, if anything has. Also when a key's window is over: what a provider
    /// has done can be asked about for much longer than its keys hold. One that forgets is the simulator's
    /// (`ProviderFaults::forgets`).
    pub(super) fn find(&self, id: &str) -> Option<(Asked, Outcome)> {
        let pages = self.pages();
        let record = pages.keys.get(id)?.record.as_ref()?;
        record.outcome.map(|outcome| (record.asked, outcome))
    }
}

impl Pages {
    /// The id as it stands in the book, so that every mention shares one text.
    fn key(&mut self, id: &str) -> Arc<str> {
        if let Some((known, _)) = self.keys.get_key_value(id) {
            return Arc::clone(known);
        }
        let id: Arc<str> = id.into();
        self.keys.insert(Arc::clone(&id), Key::default());
        id
    }
}

/// The ledger as `GET /ledger` shows it.
pub(super) fn ledger_lines(ledger: &[Effect]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        payment_id: &'a str,
        kind: Kind,
        amount: u64,
        currency: &'a str,
        at: String,
    }
    lines(ledger.iter().map(|effect| Line {
        payment_id: &effect.payment_id,
        kind: effect.kind,
        amount: effect.amount,
        currency: effect.currency,
        at: effect.at.to_string(),
    }))
}

/// The calls as `GET /calls` shows them.
pub(super) fn call_lines(calls: &[Call]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        payment_id: &'a str,
        operation: Operation,
        answer: &'a str,
        at: String,
    }
    lines(calls.iter().map(|call| Line {
        payment_id: &call.payment_id,
        operation: call.operation,
        answer: call.answer,
        at: call.at.to_string(),
    }))
}

/// The callbacks as `GET /callbacks` shows them.
pub(super) fn callback_lines(callbacks: &[CalledBack]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        payment_id: &'a str,
        status: &'a str,
        answered: u16,
        at: String,
    }
    lines(callbacks.iter().map(|callback| Line {
        payment_id: &callback.payment_id,
        status: callback.status,
        answered: callback.answered,
        at: callback.at.to_string(),
    }))
}

fn lines<T: Serialize>(all: impl Iterator<Item = T>) -> Vec<u8> {
    let mut text = Vec::new();
    for one in all {
        // Neither a text nor a number can fail to be written to memory.
        if serde_json::to_writer(&mut text, &one).is_ok() {
            text.push(b'\n');
        }
    }
    text
}

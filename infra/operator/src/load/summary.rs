//! What a run amounts to: figures and a verdict from what was sent, what stands in the table, and what the provider
//! says of itself. Pure functions over plain values; nothing here asks anybody.

mod print;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::load::books::{Call, Effect};
use payments::history::Entry;
use payments::payment::{Payment, State};

pub use print::{AwsCalls, Inside, Report};

/// A payment that `ingest` took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub payment_id: String,
    /// `charge`, `refund` or `payout`.
    pub kind: String,
    /// Minor units, as sent.
    pub amount: u64,
    /// ISO 4217, as sent.
    pub currency: String,
    /// What stands in the table at the end; `None` when nothing does.
    pub stands: Option<Standing>,
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: State,
    /// From accepted to its end, in ms; `None` while it is open.
    pub settled_after_ms: Option<u64>,
    /// Minor units, as stored.
    pub amount: u64,
    /// Ways that its history shows, such as `timed_out`.
    pub reasons: BTreeSet<&'static str>,
}

impl Standing {
    /// What an item says.
    pub fn of(payment: &Payment) -> Self {
        let settled_after_ms = payment
            .state
            .is_terminal()
            .then(|| payment.history.iter().rev().find(|entry| entry.state == payment.state))
            .flatten()
            .map(|entry: &Entry| entry.at.since_ms(payment.created_at));
        Self {
            state: payment.state,
            settled_after_ms,
            amount: payment.order.money.amount(),
            reasons: payment.history.iter().map(|entry| entry.reason.as_str()).collect(),
        }
    }

    /// Whether nothing more will happen by itself.
    pub fn is_settled(&self) -> bool {
        self.state.is_terminal() || self.state == State::Parked
    }
}

/// Most calls in any one second, however it is laid: `[t, t + 1 s)`.
pub fn most_in_a_second(at_ms: impl IntoIterator<Item = u64>) -> usize {
    let mut times: Vec<u64> = at_ms.into_iter().collect();
    times.sort_unstable();
    let mut window = VecDeque::new();
    let mut most = 0;
    for at in times {
        while window.front().is_some_and(|first| first + 1_000 <= at) {
            window.pop_front();
        }
        window.push_back(at);
        most = most.max(window.len());
    }
    most
}

/// Calls that were made while some payment waited for its first, and how long that was, in ms; `None` where none waited.
pub fn made_while_queued(calls: &[Call]) -> Option<(u64, u64)> {
    let mut first_ms: BTreeMap<&str, u64> = BTreeMap::new();
    for call in calls {
        let first = first_ms.entry(&call.payment_id).or_insert(call.at_ms);
        *first = call.at_ms.min(*first);
    }
    let (from_ms, until_ms) = (*first_ms.values().min()?, *first_ms.values().max()?);
    let made = calls.iter().filter(|call| (from_ms..until_ms).contains(&call.at_ms)).count();
    (until_ms > from_ms).then(|| (u64::try_from(made).unwrap_or(u64::MAX), until_ms - from_ms))
}

/// The value that `percent` of all lie at or below (nearest rank); `None` of nothing.
pub fn percentile(values: impl IntoIterator<Item = u64>, percent: u64) -> Option<u64> {
    let mut sorted: Vec<u64> = values.into_iter().collect();
    sorted.sort_unstable();
    let count = u64::try_from(sorted.len()).ok()?;
    let rank = (count * percent.min(100)).div_ceil(100).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

/// Sums by what is done and in which currency.
pub type Sums = BTreeMap<(String, String), u64>;

/// Adds up amounts by kind and currency.
pub fn sums<'a>(amounts: impl IntoIterator<Item = (&'a str, &'a str, u64)>) -> Sums {
    let mut sums = Sums::new();
    for (kind, currency, amount) in amounts {
        *sums.entry((kind.to_owned(), currency.to_owned())).or_default() += amount;
    }
    sums
}

/// Payments that the ledger has more than once.
pub fn doubles(ledger: &[Effect]) -> BTreeMap<&str, usize> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    for effect in ledger {
        *lines.entry(&effect.payment_id).or_default() += 1;
    }
    lines.retain(|_, count| *count > 1);
    lines
}

/// All that the verdict goes by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Every payment taken, once each.
    pub accepted: &'a [Accepted],
    /// Transactions that were neither taken nor refused for a reason.
    pub unanswered: usize,
    /// The provider's ledger.
    pub ledger: &'a [Effect],
    /// The provider's calls.
    pub calls: &'a [Call],
    /// Calls a second that the provider allows.
    pub limit: u32,
    /// Whether the provider was started again meanwhile, so that its books lack what came before.
    pub books_are_torn: bool,
}

/// What is wrong, one line each; empty when nothing is.
pub fn faults(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence { accepted, unanswered, ledger, calls, limit, books_are_torn } = *evidence;
    let mut faults = Vec::new();
    let mut found = |payment_ids: Vec<&str>, what: &str| {
        if let Some(first) = payment_ids.first() {
            faults.push(format!("{} {what}, such as {first}", payment_ids.len()));
        }
    };
    let ids_where = |wanted: &dyn Fn(&Accepted) -> bool| -> Vec<&str> {
        accepted.iter().filter(|payment| wanted(payment)).map(|payment| payment.payment_id.as_str()).collect()
    };
    found(ids_where(&|payment| payment.stands.is_none()), "accepted without an item: lost");
    found(ids_where(&|payment| payment.stands.as_ref().is_some_and(|stands| !stands.is_settled())), "still open");
    found(
        ids_where(&|payment| payment.stands.as_ref().is_some_and(|stands| stands.amount != payment.amount)),
        "stored with another amount than was sent",
    );
    found(doubles(ledger).into_keys().collect(), "charged more than once");
    let effects: BTreeMap<&str, &Effect> = ledger.iter().map(|effect| (effect.payment_id.as_str(), effect)).collect();
    let succeeded: BTreeMap<&str, &Accepted> = accepted
        .iter()
        .filter(|payment| payment.stands.as_ref().is_some_and(|stands| stands.state == State::Succeeded))
        .map(|payment| (payment.payment_id.as_str(), payment))
        .collect();
    let without_effect = if books_are_torn {
        "succeeded and cannot be judged, because the provider was started again and its books lack what came before"
    } else {
        "succeeded without an effect"
    };
    found(succeeded.keys().filter(|id| !effects.contains_key(*id)).copied().collect(), without_effect);
    // An open payment has been named already; its effect may be what it has yet to find.
    let is_open = |id: &str| {
        let mut open = accepted.iter().filter(|p| p.stands.as_ref().is_some_and(|stands| !stands.is_settled()));
        open.any(|payment| payment.payment_id == id)
    };
    found(
        effects.keys().filter(|id| !succeeded.contains_key(*id) && !is_open(id)).copied().collect(),
        "in the ledger without having succeeded",
    );
    let differs = |id: &str, effect: &Effect| {
        succeeded.get(id).is_some_and(|payment| {
            (payment.amount, &payment.currency, &payment.kind) != (effect.amount, &effect.currency, &effect.kind)
        })
    };
    found(
        effects.iter().filter(|(id, effect)| differs(id, effect)).map(|(id, _)| *id).collect(),
        "in the ledger with another amount, currency or kind than was sent",
    );
    if unanswered > 0 {
        faults.push(format!("{unanswered} sent without an answer that says what became of it"));
    }
    let most = most_in_a_second(calls.iter().map(|call| call.at_ms));
    if most > usize::try_from(limit).unwrap_or(usize::MAX) {
        faults.push(format!("{most} calls in one second against a limit of {limit}"));
    }
    faults
}

#[cfg(test)]
#[path = "summary/tests.rs"]
mod tests;

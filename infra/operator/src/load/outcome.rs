//! What is sent for a file of payments, and what its merchants know from the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::load::sender::{Hit, Problem, Shot};
use crate::load::summary::Accepted;
use crate::load::transactions::{BadRow, Transaction};
use crate::merchants::keys::ApiKeys;

/// Most refused lines that are named; what is more is a file of another kind.
const BAD_ROWS_MAX: usize = 1_000;

/// Names the lines of a file that are left out.
pub fn report_bad_rows(bad: &[BadRow]) {
    for bad in bad.iter().take(BAD_ROWS_MAX) {
        println!("left out, {bad}");
    }
    if bad.len() > BAD_ROWS_MAX {
        println!("left out, {} lines more", bad.len() - BAD_ROWS_MAX);
    }
}

/// The requests for these transactions, each with its merchant's key.
pub fn shots(transactions: &[Transaction], api_keys: &ApiKeys) -> Result<Vec<Shot>, String> {
    let shot = |(index, transaction): (usize, &Transaction)| {
        let api_key = api_keys
            .get(&transaction.merchant)
            .ok_or_else(|| format!("merchant {} has no API key", transaction.merchant))?;
        let body = Bytes::from(transaction.body().to_string());
        Ok(Shot { index, api_key: Arc::clone(api_key), body })
    };
    transactions.iter().enumerate().map(shot).collect()
}

/// What the merchants know after their requests.
#[derive(Debug, Default)]
pub struct Answers {
    /// Every payment taken, once each, without where it stands.
    pub accepted: Vec<Accepted>,
    /// Refusals, each transaction once.
    pub refused: BTreeMap<(u16, Problem), usize>,
    /// Answers marked as replays.
    pub replayed: usize,
    /// Answers with 429, after each of which the request was made again.
    pub rate_limited: u32,
    /// Transactions that were neither taken nor refused for a reason, with what was said last.
    pub unanswered: Vec<String>,
}

impl Answers {
    /// Sorts the answers to these transactions.
    pub fn of(transactions: &[Transaction], hits: &[Hit]) -> Self {
        let replayed = hits.iter().filter(|hit| hit.is_replay).count();
        let rate_limited = hits.iter().map(|hit| hit.rate_limited).sum();
        let mut answers = Self { replayed, rate_limited, ..Self::default() };
        let mut by_index: BTreeMap<usize, Vec<&Hit>> = BTreeMap::new();
        for hit in hits {
            by_index.entry(hit.index).or_default().push(hit);
        }
        let mut seen = BTreeSet::new();
        for (index, transaction) in transactions.iter().enumerate() {
            let hits = by_index.remove(&index).unwrap_or_default();
            if hits.iter().any(|hit| hit.is_accepted()) {
                // A file may name an order twice; it is one payment.
                let payment_id = transaction.payment_id().to_string();
                if seen.insert(payment_id.clone()) {
                    answers.accepted.push(accepted(transaction, payment_id));
                }
                continue;
            }
            let refusal = hits.iter().find_map(|hit| match (&hit.status, &hit.problem) {
                (Ok(status @ 400..=499), Some(problem)) if *status != 429 => Some((*status, problem.clone())),
                _ => None,
            });
            match refusal {
                Some(refusal) => *answers.refused.entry(refusal).or_default() += 1,
                None => answers.unanswered.push(unanswered(transaction, &hits)),
            }
        }
        answers
    }
}

/// A transaction that was taken, without where it stands.
pub fn accepted(transaction: &Transaction, payment_id: String) -> Accepted {
    Accepted {
        payment_id,
        kind: transaction.kind.as_str().to_owned(),
        amount: transaction.amount,
        currency: transaction.currency.clone(),
        stands: None,
    }
}

fn unanswered(transaction: &Transaction, hits: &[&Hit]) -> String {
    let last = match hits.last() {
        None => "never sent".to_owned(),
        Some(Hit { status: Err(reason), .. }) => reason.clone(),
        Some(Hit { status: Ok(status), problem, .. }) => {
            let title = problem.as_ref().map_or("no reason given", |problem| problem.title.as_str());
            format!("{status} {title}")
        }
    };
    format!("line {}, order {}: {last}", transaction.line, transaction.order_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(index: usize, status: Result<u16, String>, is_replay: bool) -> Hit {
        let problem = Problem {
            title: "The request has faults".to_owned(),
            field: "amount".to_owned(),
            reason: "must be at least 1".to_owned(),
        };
        let is_success = matches!(status, Ok(200..=299));
        Hit {
            index,
            status,
            payment_id: None,
            state: None,
            is_replay,
            problem: (!is_success).then_some(problem),
            tries: 1,
            rate_limited: 0,
            latency_ms: 1,
        }
    }

    fn transactions() -> Vec<Transaction> {
        let file = "order_id,kind,merchant,amount,currency\n1,charge,a,5,EUR\n2,charge,a,0,EUR\n3,charge,a,7,EUR\n";
        let mut rows = crate::load::transactions::read(file.as_bytes(), &[]).unwrap().rows;
        rows.push(Transaction { line: 5, ..rows[0].clone() });
        rows
    }

    #[test]
    fn each_transaction_is_counted_once() {
        let hits = [
            hit(0, Ok(202), false),
            hit(0, Ok(202), true),
            hit(1, Ok(400), false),
            hit(1, Ok(400), false),
            hit(2, Err("lost".to_owned()), false),
            hit(3, Ok(200), true),
        ];
        let answers = Answers::of(&transactions(), &hits);
        assert_eq!(answers.accepted.len(), 1);
        assert_eq!(answers.accepted[0].amount, 5);
        assert_eq!(answers.refused.values().sum::<usize>(), 1);
        assert_eq!(answers.replayed, 2);
        assert_eq!(answers.unanswered, ["line 4, order 3: lost"]);
    }

    #[test]
    fn what_asks_to_come_again_is_no_refusal() {
        let answers = Answers::of(&transactions()[..1], &[hit(0, Ok(429), false)]);
        assert!(answers.refused.is_empty());
        assert_eq!(answers.unanswered.len(), 1);
    }
}

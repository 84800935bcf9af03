//! `sluice payments list`: the payments that wait, for something or for somebody.

use clap::{Args, ValueEnum};
use payments::case::Case;
use payments::index::Shard;
use payments::payment::{Payment, State};
use ports::Store;
use serde_json::json;

use super::get::document;
use crate::account::Account;
use crate::failure::Failure;
use crate::index::{indexed, next};

/// A state that the index can find. What has ended is in no index: it is asked for by id or order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// All of the following but parked
    Open,
    /// Waiting to be sent
    Queued,
    /// Claimed by somebody
    Sending,
    /// The provider has it and answers later
    Pending,
    /// A request may have had an effect
    Unknown,
    /// In front of a person
    Parked,
}

/// Which payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Everything that waits: open, parked, and open cases.
    Waiting,
    /// Those in this state.
    In(Wanted),
    /// Those that have ended, and were done by the provider all the same: open cases.
    Cases,
}

impl Which {
    fn takes(self, payment: &Payment) -> bool {
        let state = payment.state;
        let is_open = matches!(state, State::Queued | State::Sending | State::Pending | State::Unknown);
        let is_case = payment.case.as_ref().is_some_and(Case::is_open);
        match self {
            Self::Waiting => is_open || is_case || state == State::Parked,
            Self::Cases => is_case,
            Self::In(Wanted::Open) => is_open,
            Self::In(Wanted::Queued) => state == State::Queued,
            Self::In(Wanted::Sending) => state == State::Sending,
            Self::In(Wanted::Pending) => state == State::Pending,
            Self::In(Wanted::Unknown) => state == State::Unknown,
            Self::In(Wanted::Parked) => state == State::Parked,
        }
    }

    /// Where the index has them; first what a person has to see to first, should there be more than the limit.
    fn shards(self) -> Vec<Vec<Shard>> {
        let (cases, parked) = (Shard::all_cases().collect(), Shard::all_parked().collect());
        match self {
            Self::Waiting => vec![cases, parked, Shard::all_open().collect()],
            Self::Cases => vec![cases],
            Self::In(Wanted::Parked) => vec![parked],
            Self::In(Wanted::Open | Wanted::Queued | Wanted::Sending | Wanted::Pending | Wanted::Unknown) => {
                vec![Shard::all_open().collect()]
            }
        }
    }
}

/// How many of them, and for whom.
#[derive(Args, Clone, Copy, Debug)]
pub struct Extent {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// One JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Which payments.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The state to list; without it everything that waits: open, parked, and open cases
    #[arg(long, value_enum)]
    pub state: Option<Wanted>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub extent: Extent,
}

/// Prints them.
pub async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    print(account, arguments.state.map_or(Which::Waiting, Which::In), arguments.extent).await
}

/// Prints them, a line each, oldest first, and how many.
pub async fn print(account: &Account, which: Which, extent: Extent) -> Result<(), Failure> {
    let (found, is_cut) = find(account, which, extent.limit).await?;
    if extent.json {
        let payments: Vec<_> = found.iter().map(document).collect();
        println!("{:#}", json!({ "payments": payments, "more": is_cut }));
        return Ok(());
    }
    for payment in &found {
        println!("{}", line(payment));
    }
    let (count, s) = (found.len(), if found.len() == 1 { "" } else { "s" });
    println!("{count} payment{s}{}", if is_cut { ", and more: raise --limit" } else { "" });
    Ok(())
}

/// These payments, and whether there are more of them.
pub async fn find(account: &Account, which: Which, limit: usize) -> Result<(Vec<Payment>, bool), String> {
    let store = account.store();
    let mut found = Vec::new();
    for shards in which.shards() {
        let mut ids = indexed(&store, shards);
        while let Some(id) = next(&mut ids).await? {
            let payment = store.get(&id).await.map_err(|error| format!("cannot read payment {id}: {error}"))?;
            // The index is a moment behind its table: the item says what is true.
            let Some(payment) = payment.filter(|payment| which.takes(payment)) else { continue };
            if found.len() == limit {
                return Ok((sorted(found), true));
            }
            found.push(payment);
        }
    }
    Ok((sorted(found), false))
}

fn sorted(mut payments: Vec<Payment>) -> Vec<Payment> {
    payments.sort_by_key(|payment| payment.created_at);
    payments
}

fn line(payment: &Payment) -> String {
    let Payment { id, order, state, reason, changed_at, .. } = payment;
    format!(
        "{id}  {:<8} since {changed_at}  {}  {} {} {} of {}",
        state.as_str(),
        reason.as_str(),
        order.kind.as_str(),
        order.order_id,
        order.money,
        order.merchant,
    )
}

//! `cargo dev list`: the payments that wait, for something or for somebody.

use clap::{Args, ValueEnum};
use payments::case::Case;
use payments::index::Shard;
use payments::payment::{Payment, State};
use ports::Store;

use super::{indexed, next};
use crate::account::{Account, AccountArguments};

/// A state that the index can find. What has ended is in no index: it is asked for by id or order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// All of the following but parked.
    Open,
    /// Waiting to be sent.
    Queued,
    /// Claimed by somebody.
    Sending,
    /// The provider has it and answers later.
    Pending,
    /// A request may have had an effect.
    Unknown,
    /// In front of a person.
    Parked,
    /// Ended, and done by the provider all the same: an open case.
    Case,
}

impl Wanted {
    fn takes(self, payment: &Payment) -> bool {
        let state = payment.state;
        match self {
            Self::Open => matches!(state, State::Queued | State::Sending | State::Pending | State::Unknown),
            Self::Queued => state == State::Queued,
            Self::Sending => state == State::Sending,
            Self::Pending => state == State::Pending,
            Self::Unknown => state == State::Unknown,
            Self::Parked => state == State::Parked,
            Self::Case => payment.case.as_ref().is_some_and(Case::is_open),
        }
    }
}

/// Which payments.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The state to list; without it everything that waits: open, parked, and open cases.
    #[arg(long, value_enum)]
    pub state: Option<Wanted>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub account: AccountArguments,
}

/// Prints them, a line each, oldest first, and how many.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let account = Account::open(&arguments.account).await?;
    let (found, is_cut) = find(&account, arguments.state, arguments.limit).await?;
    for payment in &found {
        println!("{}", line(payment));
    }
    let count = found.len();
    println!(
        "{count} payment{}{}",
        if count == 1 { "" } else { "s" },
        if is_cut { ", and more: raise --limit" } else { "" }
    );
    Ok(())
}

/// The payments in this state, or all that wait, and whether there are more of them.
pub async fn find(account: &Account, wanted: Option<Wanted>, limit: usize) -> Result<(Vec<Payment>, bool), String> {
    let (cases, parked, open) =
        (Shard::all_cases().collect(), Shard::all_parked().collect(), Shard::all_open().collect());
    let kinds: Vec<Vec<Shard>> = match wanted {
        // What a person has to see to first, should there be more than the limit.
        None => vec![cases, parked, open],
        Some(Wanted::Parked) => vec![parked],
        Some(Wanted::Case) => vec![cases],
        Some(Wanted::Open | Wanted::Queued | Wanted::Sending | Wanted::Pending | Wanted::Unknown) => vec![open],
    };
    let store = account.store();
    let mut found = Vec::new();
    for shards in kinds {
        let mut ids = indexed(&store, shards);
        while let Some(id) = next(&mut ids).await? {
            let payment = store.get(&id).await.map_err(|error| format!("cannot read payment {id}: {error}"))?;
            // The index is a moment behind its table: the item says what is true.
            let Some(payment) = payment.filter(|payment| takes(wanted, payment)) else { continue };
            if found.len() == limit {
                return Ok((sorted(found), true));
            }
            found.push(payment);
        }
    }
    Ok((sorted(found), false))
}

fn takes(wanted: Option<Wanted>, payment: &Payment) -> bool {
    match wanted {
        Some(wanted) => wanted.takes(payment),
        None => [Wanted::Open, Wanted::Parked, Wanted::Case].into_iter().any(|wanted| wanted.takes(payment)),
    }
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

//! `sluice cases`: late successes, which somebody takes and decides on, with evidence. A payment without an open case is left as
//! it is.

use clap::{Args, Subcommand, ValueEnum};
use payments::case::CaseResolution;
use payments::id::PaymentId;
use reconcile::operate::Request;

use crate::account::Account;
use crate::evidence::{EvidenceArguments, write};
use crate::failure::Failure;
use crate::payments::get::describe;
use crate::payments::list::{self, Extent, Which};
use crate::payments::read_id;

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// The open cases, oldest first
    List(Extent),
    /// Says that you see to one, so that two people do not give the money back twice
    Take {
        /// The payment's id, or MERCHANT/KIND/ORDER_ID
        #[arg(value_name = "ID", value_parser = read_id)]
        id: PaymentId,
    },
    /// Says what becomes of the money, with evidence
    Close(Close),
}

/// What becomes of the money of a late success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Money {
    /// It goes back by a refund of the order through Sluice
    Refund,
    /// It went back elsewhere, such as in the provider's console: nothing more can be refunded here
    RefundElsewhere,
    /// It stays
    Accept,
}

/// How a case is closed.
#[derive(Args, Clone, Debug)]
pub struct Close {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID
    #[arg(value_name = "ID", value_parser = read_id)]
    id: PaymentId,
    /// What becomes of the money
    #[arg(long = "as", value_enum)]
    money: Money,
    #[command(flatten)]
    evidence: EvidenceArguments,
}

/// Does it.
pub(crate) async fn run(account: &Account, command: &Command) -> Result<(), Failure> {
    let request = match command {
        Command::List(extent) => return list::print(account, Which::Cases, *extent).await,
        Command::Take { id } => {
            Request::TakeCase { payment_id: id.clone(), who: account.caller().await?.operator().to_string() }
        }
        Command::Close(Close { id, money, evidence }) => {
            let resolution = match money {
                Money::Refund => CaseResolution::Refund,
                Money::RefundElsewhere => CaseResolution::RefundElsewhere,
                Money::Accept => CaseResolution::Accept,
            };
            let said = evidence.said_by(&account.caller().await?)?;
            Request::CloseCase { payment_id: id.clone(), resolution, said }
        }
    };
    print!("{}", describe(&write(account, &request).await?));
    Ok(())
}

//! `sluice payments resolve`: what only a person can decide about a parked payment, in its own history. One that is not parked is
//! left as it is.

use clap::{Args, ValueEnum};
use payments::id::PaymentId;
use reconcile::operate::{self, Request};

use super::get::describe;
use super::read_id;
use crate::account::Account;
use crate::evidence::{EvidenceArguments, write};
use crate::failure::Failure;

/// How a parked payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// The provider did it
    Succeeded,
    /// The provider refused it
    Declined,
    /// It was never done and is not to be
    Canceled,
}

/// Which parked payment, and how it ended.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID
    #[arg(value_name = "ID", value_parser = read_id)]
    id: PaymentId,
    /// How it ended
    #[arg(long = "as", value_enum)]
    end: End,
    #[command(flatten)]
    evidence: EvidenceArguments,
}

/// Ends it, and prints it as it is then.
pub async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    let end = match arguments.end {
        End::Succeeded => operate::End::Succeeded,
        End::Declined => operate::End::Declined,
        End::Canceled => operate::End::Canceled,
    };
    let said = arguments.evidence.said_by(&account.caller().await?)?;
    let request = Request::Resolve { payment_id: arguments.id.clone(), end, said };
    print!("{}", describe(&write(account, &request).await?));
    Ok(())
}

//! `cargo dev resolve`, `take-case` and `close-case`: what only a person can decide, with evidence, in the payment's own
//! history. A payment that is not parked, or has no open case, is left as it is.

use clap::{Args, ValueEnum};
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::payment::Payment;
use ports::Store;
use reconcile::operate::{self, Answer, Request, Said};

use super::get::{describe, read_id};
use super::hand::ask;
use crate::account::{Account, AccountArguments};

/// Where to look it up, who says so, and why.
#[derive(Args, Clone, Debug)]
pub struct EvidenceArguments {
    /// The provider's own number for what happened, or where else to look it up; 48 characters, no space.
    #[arg(long)]
    reference: String,
    /// Who says so.
    #[arg(long)]
    who: String,
    /// Why, in a few words.
    #[arg(long)]
    why: String,
}

impl EvidenceArguments {
    /// What is no evidence is refused here already.
    fn read(&self) -> Result<Said, String> {
        let Self { reference, who, why } = self.clone();
        Evidence::new(&reference, &who, &why).map_err(|error| error.to_string())?;
        Ok(Said { reference, who, why })
    }
}

/// How a parked payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// The provider did it.
    Succeeded,
    /// The provider refused it.
    Declined,
    /// It was never done and is not to be.
    Canceled,
}

/// What becomes of the money of a late success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Money {
    /// It goes back by a refund of the order through Sluice.
    Refund,
    /// It went back elsewhere, such as in the provider's console: nothing more can be refunded here.
    RefundElsewhere,
    /// It stays.
    Accept,
}

/// Which parked payment, and how it ended.
#[derive(Args, Clone, Debug)]
pub struct Resolve {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID.
    #[arg(value_name = "ID")]
    id: String,
    /// How it ended.
    #[arg(long = "as", value_enum)]
    end: End,
    #[command(flatten)]
    evidence: EvidenceArguments,
    #[command(flatten)]
    account: AccountArguments,
}

/// Whose case it is from now on.
#[derive(Args, Clone, Debug)]
pub struct TakeCase {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID.
    #[arg(value_name = "ID")]
    id: String,
    /// Who sees to it.
    #[arg(long)]
    who: String,
    #[command(flatten)]
    account: AccountArguments,
}

/// How a case is closed.
#[derive(Args, Clone, Debug)]
pub struct CloseCase {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID.
    #[arg(value_name = "ID")]
    id: String,
    /// What becomes of the money.
    #[arg(long = "as", value_enum)]
    money: Money,
    #[command(flatten)]
    evidence: EvidenceArguments,
    #[command(flatten)]
    account: AccountArguments,
}

/// Ends a parked payment.
pub async fn resolve(arguments: &Resolve) -> Result<(), String> {
    let end = match arguments.end {
        End::Succeeded => operate::End::Succeeded,
        End::Declined => operate::End::Declined,
        End::Canceled => operate::End::Canceled,
    };
    let said = arguments.evidence.read()?;
    let account = Account::open(&arguments.account).await?;
    let request = Request::Resolve { payment_id: read_id(&arguments.id)?, end, said };
    print!("{}", describe(&write(&account, &request).await?));
    Ok(())
}

/// Gives a case an owner.
pub async fn take_case(arguments: &TakeCase) -> Result<(), String> {
    let who = Operator::new(&arguments.who).map_err(|error| error.to_string())?.into();
    let account = Account::open(&arguments.account).await?;
    let request = Request::TakeCase { payment_id: read_id(&arguments.id)?, who };
    print!("{}", describe(&write(&account, &request).await?));
    Ok(())
}

/// Closes a case.
pub async fn close_case(arguments: &CloseCase) -> Result<(), String> {
    let resolution = match arguments.money {
        Money::Refund => CaseResolution::Refund,
        Money::RefundElsewhere => CaseResolution::RefundElsewhere,
        Money::Accept => CaseResolution::Accept,
    };
    let said = arguments.evidence.read()?;
    let account = Account::open(&arguments.account).await?;
    let request = Request::CloseCase { payment_id: read_id(&arguments.id)?, resolution, said };
    print!("{}", describe(&write(&account, &request).await?));
    Ok(())
}

/// Has one payment written, and reads it as it is then.
pub async fn write(account: &Account, request: &Request) -> Result<Payment, String> {
    let id = match request {
        Request::Resolve { payment_id, .. }
        | Request::TakeCase { payment_id, .. }
        | Request::CloseCase { payment_id, .. }
        | Request::Replay { payment_id } => payment_id,
        Request::Doubt { .. } => return Err("a doubt is about many payments".to_owned()),
    };
    let failed = |error: &dyn std::fmt::Display| format!("payment {id} is not changed: {error}");
    match ask(account, request).await.map_err(|error| failed(&error))? {
        Answer::Changed { .. } => {}
        Answer::Kept { state, why } => return Err(failed(&format_args!("it is {state} ({why})"))),
        Answer::Missing => return Err(format!("there is no payment {id}")),
        Answer::Refused { why } => return Err(failed(&why)),
        Answer::Doubted { .. } => return Err(failed(&"another question was answered")),
    }
    let payment = account.store().get(id).await.map_err(|error| format!("payment {id} is changed; {error}"))?;
    payment.ok_or_else(|| format!("there is no payment {id}"))
}

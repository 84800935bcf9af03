//! `cargo dev resolve`, `take-case` and `close-case`: what only a person can decide, with evidence, in the payment's own
//! history. A payment that is not parked, or has no open case, is left as it is.

use aws::system::{SystemClock, SystemEntropy};
use clap::{Args, ValueEnum};
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::payment::Payment;
use payments::ports::Store;
use payments::store::{self, Outcome};
use payments::transition::{Event, Resolution};

use super::get::{describe, read_id};
use super::policy_to_write;
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
    fn read(&self) -> Result<Evidence, String> {
        Evidence::new(&self.reference, &self.who, &self.why).map_err(|error| error.to_string())
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
        End::Succeeded => Resolution::Succeeded,
        End::Declined => Resolution::Declined,
        End::Canceled => Resolution::Canceled,
    };
    let evidence = arguments.evidence.read()?;
    let account = Account::open(&arguments.account).await?;
    print!("{}", describe(&write(&account, &arguments.id, &Event::Resolve { end, evidence: &evidence }).await?));
    Ok(())
}

/// Gives a case an owner.
pub async fn take_case(arguments: &TakeCase) -> Result<(), String> {
    let owner = Operator::new(&arguments.who).map_err(|error| error.to_string())?;
    let account = Account::open(&arguments.account).await?;
    print!("{}", describe(&write(&account, &arguments.id, &Event::TakeCase { owner: &owner }).await?));
    Ok(())
}

/// Closes a case.
pub async fn close_case(arguments: &CloseCase) -> Result<(), String> {
    let resolution = match arguments.money {
        Money::Refund => CaseResolution::Refund,
        Money::RefundElsewhere => CaseResolution::RefundElsewhere,
        Money::Accept => CaseResolution::Accept,
    };
    let evidence = arguments.evidence.read()?;
    let account = Account::open(&arguments.account).await?;
    let event = Event::CloseCase { resolution, evidence: &evidence };
    print!("{}", describe(&write(&account, &arguments.id, &event).await?));
    Ok(())
}

/// Decides and writes through the transition function, as every function does.
pub async fn write(account: &Account, id: &str, event: &Event<'_>) -> Result<Payment, String> {
    let id = read_id(id)?;
    let (store, policy) = (account.store(), policy_to_write(account)?);
    let failed = |error: &dyn std::fmt::Display| format!("payment {id} is not changed: {error}");
    let payment = store.get(&id).await.map_err(|error| failed(&error))?;
    let payment = payment.ok_or_else(|| format!("there is no payment {id}"))?;
    let entropy = SystemEntropy;
    match store::decide(&store, &SystemClock, &entropy, &policy, payment, event)
        .await
        .map_err(|error| failed(&error))?
    {
        Outcome::Changed(payment) => Ok(*payment),
        Outcome::Kept(payment, kept) => Err(failed(&format_args!("it is {} ({kept:?})", payment.state.as_str()))),
        Outcome::Missing => Err(failed(&"it is gone")),
    }
}

//! `sluice payments`: one payment, those that wait, a replay with its preview, an end by evidence.

pub mod explain;
pub mod get;
pub mod list;
pub mod replay;
pub mod resolve;

use clap::Subcommand;
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::{Kind, Payment};
use ports::Store;

use crate::account::Account;
use crate::failure::Failure;

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// One payment as it stands
    Get(get::Arguments),
    /// The payments that wait, for something or for a person
    List(list::Arguments),
    /// One payment's story, and whether it is the one that was written
    Explain(explain::Arguments),
    /// Puts everything parked back to work, as "Start DLQ redrive" does; with --dry-run says what that would do
    Replay(replay::Arguments),
    /// Ends a parked payment by a person's word, with evidence
    Resolve(resolve::Arguments),
}

/// Does it.
pub(crate) async fn run(account: &Account, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Get(arguments) => get::run(account, arguments).await,
        Command::List(arguments) => list::run(account, arguments).await,
        Command::Explain(arguments) => explain::run(account, arguments).await,
        Command::Replay(arguments) => replay::run(account, arguments).await,
        Command::Resolve(arguments) => resolve::run(account, arguments).await,
    }
}

/// Reads an id as it is, or derives it from what the merchant knows. Order ids may hold a slash, the other two may not.
pub fn read_id(text: &str) -> Result<PaymentId, String> {
    let mut parts = text.splitn(3, '/');
    let (Some(merchant), Some(kind), Some(order_id)) = (parts.next(), parts.next(), parts.next()) else {
        return PaymentId::new(text.to_owned()).map_err(|error| format!("{text} is no payment's id: {error}"));
    };
    let kind = Kind::parse(kind).ok_or_else(|| format!("{kind} is no kind: charge, refund or payout"))?;
    let merchant = MerchantId::new(merchant).map_err(|error| format!("the merchant {error}"))?;
    let order_id = OrderId::new(order_id).map_err(|error| format!("the order id {error}"))?;
    Ok(PaymentId::derive(&merchant, kind, &order_id))
}

/// A payment that has to be there.
pub(crate) async fn read(store: &impl Store, id: &PaymentId) -> Result<Payment, Failure> {
    let payment = store.get(id).await.map_err(|error| format!("cannot read payment {id}: {error}"))?;
    payment.ok_or_else(|| Failure::Found(format!("there is no payment {id} in this table")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_named_by_its_id_or_by_what_its_merchant_knows() {
        let id = read_id("shop-a/charge/2026/A-1001").unwrap();
        assert_eq!(read_id(id.as_str()), Ok(id));
        assert!(read_id("shop-a/gift/A-1001").unwrap_err().contains("gift"));
        assert!(read_id("pay_nothing").is_err());
    }
}

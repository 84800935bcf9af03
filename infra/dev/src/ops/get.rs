//! `cargo dev get`: one payment as it stands, with all that decides what happens next.

use std::fmt::{self, Write};

use clap::Args;
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::payment::{Kind, Payment};
use payments::time::Timestamp;
use ports::Store;

use super::payment_id;
use crate::account::{Account, AccountArguments};

/// Which payment.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The payment's id, such as pay_vfh77az5qm4i2pu44ogavm4r2xyaibpx, or what its merchant knows:
    /// MERCHANT/KIND/ORDER_ID, such as shop-a/charge/A-1001.
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub account: AccountArguments,
}

/// Prints it.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let id = read_id(&arguments.id)?;
    let account = Account::open(&arguments.account).await?;
    let payment = account.store().get(&id).await.map_err(|error| format!("cannot read payment {id}: {error}"))?;
    let payment = payment.ok_or_else(|| format!("there is no payment {id}"))?;
    print!("{}", describe(&payment));
    Ok(())
}

/// An id as it is, or derived from what the merchant knows. Order ids may hold a slash, the other two may not.
pub fn read_id(text: &str) -> Result<PaymentId, String> {
    let mut parts = text.splitn(3, '/');
    let (Some(merchant), Some(kind), Some(order_id)) = (parts.next(), parts.next(), parts.next()) else {
        return payment_id(text);
    };
    let kind = Kind::parse(kind).ok_or_else(|| format!("{kind} is no kind: charge, refund or payout"))?;
    let merchant = MerchantId::new(merchant).map_err(|error| format!("the merchant {error}"))?;
    let order_id = OrderId::new(order_id).map_err(|error| format!("the order id {error}"))?;
    Ok(PaymentId::derive(&merchant, kind, &order_id))
}

/// Everything that a person looks for, a line each; what says nothing is left out.
pub fn describe(payment: &Payment) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn fmt::Display| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<16} {value}");
    };
    let order = &payment.order;
    line("payment", &payment.id);
    line("order", &format_args!("{} {} of merchant {}", order.kind.as_str(), order.order_id, order.merchant));
    line("amount", &order.money);
    line("state", &format_args!("{}, {}", payment.state.as_str(), payment.reason.as_str()));
    line("since", &payment.changed_at);
    line("accepted", &payment.created_at);
    line("lane", &order.lane.as_str());
    line("attempts", &format_args!("{} made, {} left", payment.attempts, payment.attempts_left));
    let mut at = |name: &str, time: Option<Timestamp>| {
        if let Some(time) = time {
            line(name, &time);
        }
    };
    at("expires", order.expires_at);
    at("first sent", payment.first_sent_at);
    at("written until", payment.written_until);
    at("due", payment.due_at);
    at("parked", payment.parked_at);
    at("cancel asked", payment.cancel_requested_at);
    at("late success", payment.case.as_ref().map(|case| case.opened_at));
    if let Some(claim) = &payment.claim {
        line("claimed", &format_args!("from {} until {}", claim.from.as_str(), claim.lease_until));
    }
    if let Some(heal) = &payment.heal {
        line("put back", &format_args!("{} times, last {}", heal.times, heal.at));
    }
    if let Some(said) = &payment.provider_text {
        line("provider said", &said.as_str());
    }
    if payment.acknowledged {
        line("acknowledged", &"the provider said that it has it");
    }
    if let Some(refundable) = payment.refundable_amount() {
        line("refundable", &refundable);
    }
    for entry in &payment.history {
        let times = if entry.times > 1 { format!(" × {}", entry.times) } else { String::new() };
        let said = entry.provider_text.as_ref().map(|said| format!(", {}", said.as_str())).unwrap_or_default();
        let (state, reason) = (entry.state.as_str(), entry.reason.as_str());
        line("history", &format_args!("{} {state}, {reason}, attempt {}{times}{said}", entry.at, entry.attempt));
    }
    text
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

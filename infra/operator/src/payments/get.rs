//! `sluice payments get`: one payment as it stands, with all that decides what happens next.

use std::fmt::{self, Write};

use clap::Args;
use payments::id::PaymentId;
use payments::payment::Payment;
use payments::time::Timestamp;
use serde_json::{Value, json};

use super::{read, read_id};
use crate::account::Account;
use crate::failure::Failure;

/// Which payment.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The payment's id, such as pay_vfh77az5qm4i2pu44ogavm4r2xyaibpx, or what its merchant knows: MERCHANT/KIND/ORDER_ID, such
    /// as shop-a/charge/A-1001
    #[arg(value_name = "ID", value_parser = read_id)]
    pub id: PaymentId,
    /// One JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// Prints it.
pub async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    let payment = read(&account.store(), &arguments.id).await?;
    if arguments.json {
        println!("{:#}", document(&payment));
    } else {
        print!("{}", describe(&payment));
    }
    Ok(())
}

/// The same for a program. Times are RFC 3339 in UTC, amounts minor units; what says nothing is null.
pub fn document(payment: &Payment) -> Value {
    let order = &payment.order;
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let case = payment.case.as_ref().map(|case| {
        json!({
            "opened_at": case.opened_at.to_string(),
            "reference": case.reference.as_str(),
            "owner": case.owner.as_ref().map(ToString::to_string),
            "resolution": case.resolution.map(payments::case::CaseResolution::as_str),
            "closed_at": time(case.closed_at),
        })
    });
    json!({
        "payment_id": payment.id.as_str(),
        "merchant": order.merchant.as_str(),
        "kind": order.kind.as_str(),
        "order_id": order.order_id.as_str(),
        "amount": order.money.amount(),
        "currency": order.money.currency().code(),
        "lane": order.lane.as_str(),
        "state": payment.state.as_str(),
        "reason": payment.reason.as_str(),
        "changed_at": payment.changed_at.to_string(),
        "created_at": payment.created_at.to_string(),
        "version": payment.version,
        "attempts": payment.attempts,
        "attempts_left": payment.attempts_left,
        "expires_at": time(order.expires_at),
        "first_sent_at": time(payment.first_sent_at),
        "written_until": time(payment.written_until),
        "due_at": time(payment.due_at),
        "parked_at": time(payment.parked_at),
        "cancel_requested_at": time(payment.cancel_requested_at),
        "lease_until": time(payment.claim.as_ref().map(|claim| claim.lease_until)),
        "acknowledged": payment.acknowledged,
        "provider_text": payment.provider_text.as_ref().map(payments::answer::ProviderText::as_str),
        "refundable": payment.refundable,
        "case": case,
    })
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

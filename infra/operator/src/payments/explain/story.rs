//! A payment's story, for a person and for a program.

use std::fmt::Write;

use payments::answer::ProviderText;
use payments::history::{Call, Entry, KEPT_AT_THE_BEGINNING, lines};
use payments::payment::Payment;
use payments::time::Timestamp;
use serde_json::{Value, json};

/// Each line with its sentence, and what the item says beside them.
pub(super) fn text(payment: &Payment) -> String {
    let order = &payment.order;
    let mut text = format!(
        "{}  {} {} of merchant {}, order {}\n{} since {}, version {}\n\n",
        payment.id,
        order.kind.as_str(),
        order.money,
        order.merchant,
        order.order_id,
        payment.state.as_str(),
        payment.changed_at,
        payment.version,
    );
    let dropped = payment.chain.as_ref().and_then(|chain| chain.gap).map(|gap| gap.lines);
    for (number, entry, call) in lines(payment) {
        if let Some(dropped) = dropped.filter(|_| number == KEPT_AT_THE_BEGINNING + 1) {
            let _ = writeln!(text, "     … {dropped} lines were dropped here for want of room");
        }
        let _ = writeln!(text, "{}", line(number, entry, call));
    }
    for (name, value) in beside(payment) {
        let _ = write!(text, "\n{name:<24} {value}");
    }
    text.push('\n');
    text
}

fn line(number: usize, entry: &Entry, call: Option<Call>) -> String {
    let Entry { at, state, reason, attempt, times, provider_text, tag: _ } = entry;
    let mut line = format!("{number:>3}  {at}  {:<9}  {}", state.as_str(), reason.sentence());
    let mut notes = Vec::new();
    if *attempt > 0 {
        notes.push(format!("attempt {attempt}"));
    }
    match (call, times) {
        (None | Some(Call::Send), 1) => {}
        (None | Some(Call::Send), _) => notes.push(format!("{times} times")),
        (Some(Call::Query), 1) => notes.push("by a query".to_owned()),
        (Some(Call::Query), _) => notes.push(format!("{times} times, by queries")),
        (Some(Call::SendThenQueries), _) => {
            notes.push(format!("{times} times, after the first by queries"));
        }
    }
    if let Some(text) = provider_text {
        notes.push(text.as_str().to_owned());
    }
    if !notes.is_empty() {
        let _ = write!(line, " ({})", notes.join("; "));
    }
    line
}

/// What the item says that no line does.
fn beside(payment: &Payment) -> Vec<(&'static str, String)> {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let found = [
        ("cancel requested", time(payment.cancel_requested_at)),
        ("expires", time(payment.order.expires_at)),
        ("claimed until", time(payment.claim.as_ref().map(|claim| claim.lease_until))),
        ("looked at again", time(payment.due_at)),
        ("late success", time(payment.case.as_ref().map(|case| case.opened_at))),
        ("details forgotten", time(payment.forgotten_at)),
        ("message put back", payment.heal.as_ref().map(|heal| format!("{} times, last {}", heal.times, heal.at))),
        (
            "may still be refunded",
            payment.refundable_amount().map(|amount| format!("{amount} {}", payment.order.money.currency())),
        ),
        ("head of the history", payment.history_head().map(|head| head.to_string())),
    ];
    found.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The same as one JSON document.
pub(super) fn json(payment: &Payment) -> Value {
    let story: Vec<Value> = lines(payment)
        .map(|(number, entry, call)| {
            json!({
                "line": number,
                "at": entry.at.to_string(),
                "state": entry.state.as_str(),
                "reason": entry.reason.as_str(),
                "explanation": entry.reason.sentence(),
                "attempt": entry.attempt,
                "times": entry.times,
                "call": call.map(Call::as_str),
                "provider_text": entry.provider_text.as_ref().map(ProviderText::as_str),
            })
        })
        .collect();
    let beside: serde_json::Map<String, Value> =
        beside(payment).into_iter().map(|(name, value)| (name.replace(' ', "_"), value.into())).collect();
    json!({
        "id": payment.id.as_str(),
        "merchant": payment.order.merchant.as_str(),
        "kind": payment.order.kind.as_str(),
        "order_id": payment.order.order_id.as_str(),
        "amount": payment.order.money.amount(),
        "currency": payment.order.money.currency().code(),
        "state": payment.state.as_str(),
        "reason": payment.reason.as_str(),
        "version": payment.version,
        "lines": story,
        "beside": beside,
    })
}

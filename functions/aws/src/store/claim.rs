//! `SendClaim` as an update expression: what its `apply` does to an item that was read, done to one that was not. The
//! contract suite compares the two field by field.

use aws_sdk_dynamodb::types::AttributeValue;
use payments::history::{ENTRIES_MAX, Entry};
use payments::payment::{State, open_shard};
use payments::write::SendClaim;
use ports::StoreError;

use crate::item::{Update, number, to_attribute};

/// The update and its condition.
pub(super) fn expressions(claim: &SendClaim) -> Result<(Update, String), StoreError> {
    let mut update = Update::default();
    let one = update.value("one", number(1));
    let now = update.value("now", to_attribute(&claim.now)?);
    // The number of an attempt is part of its entry and cannot be computed by an expression: only the first is known.
    let entry = Entry {
        at: claim.now,
        state: State::Sending,
        reason: SendClaim::REASON,
        attempt: 1,
        times: 1,
        provider_text: None,
        // The head is not known here; the next write that has read the item links the line.
        tag: None,
    };
    let entries = AttributeValue::L(vec![AttributeValue::S(entry.to_string())]);
    let entries = update.value("entries", entries);

    update.set("state", to_attribute(&State::Sending)?);
    update.set("reason", to_attribute(&SendClaim::REASON)?);
    update.set_to("changed_at", &now);
    increase(&mut update, "version", '+', &one);
    update.set("nonce", to_attribute(&claim.nonce)?);
    update.set_to("attempts", &one);
    increase(&mut update, "attempts_left", '-', &one);
    let first_sent_at = update.name("first_sent_at");
    update.set_to("first_sent_at", &format!("if_not_exists({first_sent_at}, {now})"));
    update.set("written_until", to_attribute(&claim.lease_until)?);
    update.set("claim", to_attribute(&claim.kept())?);
    // Unchanged in an item of ours; an index is written only when its attributes change.
    update.set("open_shard", AttributeValue::S(open_shard(&claim.payment_id)));
    let history = update.name("history");
    update.set_to("history", &format!("list_append({history}, {entries})"));
    update.remove("due_at");
    update.remove("parked_at");

    let condition = condition(&mut update, claim, &now)?;
    Ok((update, condition))
}

fn condition(update: &mut Update, claim: &SendClaim, now: &str) -> Result<String, StoreError> {
    let zero = update.value("zero", number(0));
    let state = update.name("state");
    let queued = update.value("queued", to_attribute(&State::Queued)?);
    let order = update.name("order");
    let merchant = update.name("merchant");
    let named = update.value("merchant", to_attribute(&claim.merchant)?);
    let expires_at = update.name("expires_at");
    let first_sent_at = update.name("first_sent_at");
    let sent_after = update.value("first_sent_after", to_attribute(&claim.first_sent_after)?);
    let cancel_requested_at = update.name("cancel_requested_at");
    let due_at = update.name("due_at");
    let history = update.name("history");
    let entries_max = u64::try_from(ENTRIES_MAX).unwrap_or(u64::MAX);
    let entries_max = update.value("entries_max", number(entries_max));
    let attempts = update.name("attempts");
    let attempts_left = update.name("attempts_left");
    Ok(format!(
        "{state} = {queued} AND {order}.{merchant} = {named} \
         AND {attempts} = {zero} AND {attempts_left} > {zero} \
         AND (attribute_not_exists({order}.{expires_at}) OR {order}.{expires_at} > {now}) \
         AND (attribute_not_exists({first_sent_at}) OR {first_sent_at} > {sent_after}) \
         AND (attribute_not_exists({due_at}) OR {due_at} <= {now}) \
         AND attribute_not_exists({cancel_requested_at}) \
         AND size({history}) < {entries_max}"
    ))
}

fn increase(update: &mut Update, attribute: &str, sign: char, by: &str) {
    let name = update.name(attribute);
    update.set_to(attribute, &format!("{name} {sign} {by}"));
}

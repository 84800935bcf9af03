//! What a person on call asks and does: one payment, those that wait, a replay with its preview, a merchant's keys, a provider's gate.

pub mod gate;
pub mod get;
pub mod list;
pub mod merchant;
pub mod replay;
pub mod resolve;
pub mod restore;

use aws_sdk_dynamodb::types::AttributeValue;
use payments::id::PaymentId;
use payments::policy::Policy;

use crate::account::{Account, why};
use crate::embedded::OPEN_INDEX;
use crate::local::settings;
use crate::stack::Stack;

/// The payments under one key of the index, oldest first.
async fn indexed(account: &Account, shard: &str) -> Result<Vec<PaymentId>, String> {
    let request = account
        .clients
        .dynamodb
        .query()
        .table_name(&account.payments_table)
        .index_name(OPEN_INDEX)
        .key_condition_expression("open_shard = :shard")
        .expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()));
    let mut items = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| format!("cannot read the index: {}", why(&error)))?;
        let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
        found.push(PaymentId::new(id).map_err(|error| format!("the index holds an id that is none: {error}"))?);
    }
    Ok(found)
}

/// Reads what stands in front of a person's eyes as an id.
fn payment_id(text: &str) -> Result<PaymentId, String> {
    PaymentId::new(text.to_owned()).map_err(|error| format!("{text} is no payment's id: {error}"))
}

/// The provider's numbers: the demo's on this machine, else those that the stack was deployed with.
fn policy(account: &Account) -> Result<Policy, String> {
    account.stack.as_ref().map_or_else(|| Ok(settings::policy()), Stack::policy)
}

/// The same with the keys that histories are linked under, for whoever writes.
fn policy_to_write(account: &Account) -> Result<Policy, String> {
    Ok(Policy { history_keys: crate::explain::keys(!account.is_local())?, ..policy(account)? })
}

//! Idempotency keys: items of their own in the table of payments, so that a restore brings back both.
//!
//! An item has `id` (the key's place, which no payment's id looks like), `payment_id`, and `delete_after` for the table's
//! TTL. It is in no index.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use ports::StoreError;

use super::{DynamoStore, KEY};
use crate::item::{Item, number};
use crate::verdict::{Attempts, store_error};

/// The attribute by which the table's TTL takes a key's item away. No payment has it.
pub const KEY_TTL_ATTRIBUTE: &str = "delete_after";

/// One conditional put. A retry whose first answer was lost finds its own binding, and passes.
pub(super) async fn bind(store: &DynamoStore, binding: &Binding) -> Result<Bound, StoreError> {
    let payment_id = AttributeValue::S(binding.payment_id.as_str().to_owned());
    let item = HashMap::from([
        (KEY.to_owned(), AttributeValue::S(binding.key.as_str().to_owned())),
        ("payment_id".to_owned(), payment_id.clone()),
        (KEY_TTL_ATTRIBUTE.to_owned(), number(binding.delete_after)),
    ]);
    let attempts = Attempts::default();
    let answer = store
        .client
        .put_item()
        .table_name(&store.table)
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(id) OR payment_id = :payment_id")
        .expression_attribute_values(":payment_id", payment_id)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .customize()
        .interceptor(attempts.clone())
        .send()
        .await;
    match answer {
        Ok(_) => Ok(Bound::Here),
        Err(error) => match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => bound_to(failed.item()),
            _ => Err(store_error("PutItem", &error, &attempts)),
        },
    }
}

fn bound_to(item: Option<&Item>) -> Result<Bound, StoreError> {
    let text = item.and_then(|item| item.get("payment_id")).and_then(|value| value.as_s().ok());
    let id = text.and_then(|text| PaymentId::new(text.clone()).ok());
    id.map(Bound::Elsewhere).ok_or_else(|| StoreError::Corrupt("a key's item names no payment".to_owned()))
}

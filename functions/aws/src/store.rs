//! The table of payments behind the core's `Store`.
//!
//! Each write is one request with its own condition and nonce, and asks for the item that made a condition fail, so
//! that a retry whose first answer was lost is known by its nonce and nothing has to be read again.

mod anchor;
mod claim;
mod keys;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update as TransactUpdate,
};
use payments::case::CaseResolution;
use payments::id::{Nonce, PaymentId};
use payments::idempotency::{Binding, Bound};
use payments::payment::{Payment, State};
use payments::write::{SendClaim, Written, recaptured, released, reserved};
use ports::{Store, StoreError};

use self::anchor::anchored;
use crate::item::{Item, Update, difference, from_item, number, payment, to_attribute, to_item};
use crate::verdict::{Attempts, store_error};

pub use keys::KEY_TTL_ATTRIBUTE;

/// The name of the table's key.
pub(crate) const KEY: &str = "id";
/// A new item only.
const IS_NEW: &str = "attribute_not_exists(id)";
/// What a reason says when its item's condition failed ("TransactWriteItems").
const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// Payments in a table whose key is `id`.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl DynamoStore {
    /// Payments in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    async fn put_alone(&self, payment: &Payment, item: Item) -> Result<Written, StoreError> {
        let attempts = Attempts::default();
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Written::Applied(Box::new(payment.clone()))),
            Err(error) => match error.as_service_error() {
                Some(aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed)) => {
                    refused(failed.item())
                }
                _ => Err(store_error("PutItem", &error, &attempts)),
            },
        }
    }

    /// Writes a refund and takes its amount from what may still be refunded of the charge, or does neither.
    async fn put_reserving(
        &self,
        payment: &Payment,
        item: Item,
        (charge, amount): (&PaymentId, u64),
    ) -> Result<Written, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(IS_NEW)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| unbuilt(&error))?;
        let mut update = Update::default();
        let refundable = update.name("refundable");
        let amount = update.value("amount", number(amount));
        update.set_to("refundable", &format!("{refundable} - {amount}"));
        let state = update.name("state");
        let succeeded = update.value("succeeded", to_attribute(&State::Succeeded)?);
        // A late success has moved the money as well.
        let case = update.name("case");
        let resolution = update.name("resolution");
        let elsewhere = update.value("elsewhere", to_attribute(&CaseResolution::RefundElsewhere)?);
        let order = update.name("order");
        let merchant = update.name("merchant");
        let same_merchant = update.value("merchant", to_attribute(&payment.order.merchant)?);
        let money = update.name("money");
        let currency = update.name("currency");
        let same_currency = update.value("currency", to_attribute(&payment.order.money.currency())?);
        let condition = format!(
            "({state} = {succeeded} OR attribute_exists({case})) \
             AND (attribute_not_exists({case}.{resolution}) OR {case}.{resolution} <> {elsewhere}) AND {order}.{merchant} = {same_merchant} \
             AND {order}.{money}.{currency} = {same_currency} AND {refundable} >= {amount}"
        );
        let charge = self.update_of(charge, update, condition)?;
        let items =
            vec![TransactWriteItem::builder().put(put).build(), TransactWriteItem::builder().update(charge).build()];
        self.transact(items, payment).await
    }

    /// Writes a refund and gives its amount back to the charge (`+`) or takes it once more (`-`), or does neither.
    async fn replace_with_charge(
        &self,
        after: &Payment,
        update: Update,
        condition: String,
        sign: char,
        (charge, amount): (&PaymentId, u64),
    ) -> Result<Written, StoreError> {
        let payment = self.update_of(&after.id, update, condition)?;
        let mut update = Update::default();
        let refundable = update.name("refundable");
        let amount = update.value("amount", number(amount));
        update.set_to("refundable", &format!("{refundable} {sign} {amount}"));
        let order = update.name("order");
        let money = update.name("money");
        let currency = update.name("currency");
        let same_currency = update.value("currency", to_attribute(&after.order.money.currency())?);
        let condition = format!("attribute_exists({refundable}) AND {order}.{money}.{currency} = {same_currency}");
        let charge = self.update_of(charge, update, condition)?;
        let items = vec![
            TransactWriteItem::builder().update(payment).build(),
            TransactWriteItem::builder().update(charge).build(),
        ];
        self.transact(items, after).await
    }

    fn update_of(&self, id: &PaymentId, update: Update, condition: String) -> Result<TransactUpdate, StoreError> {
        let (expression, names, values) = update.finish();
        TransactUpdate::builder()
            .table_name(&self.table)
            .set_key(Some(key(id)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| unbuilt(&error))
    }

    /// The payment's own write first, the charge's second.
    async fn transact(&self, items: Vec<TransactWriteItem>, after: &Payment) -> Result<Written, StoreError> {
        let attempts = Attempts::default();
        let answer = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(token(&after.nonce))
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Written::Applied(Box::new(after.clone()))),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    conditions(canceled.cancellation_reasons())
                        .unwrap_or_else(|| Err(store_error("TransactWriteItems", &error, &attempts)))
                }
                _ => Err(store_error("TransactWriteItems", &error, &attempts)),
            },
        }
    }

    async fn replaced(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        let mut update = difference(&to_item(before)?, to_item(after)?);
        let version = update.name("version");
        let seen = update.value("version_seen", number(before.version));
        let condition = format!("{version} = {seen}");
        let released = released(before, after).map(|release| ('+', release));
        let moved = released.or_else(|| recaptured(before, after).map(|recapture| ('-', recapture)));
        if let Some((sign, amount)) = moved {
            match self.replace_with_charge(after, update.clone(), condition.clone(), sign, amount).await? {
                written @ (Written::Applied(_) | Written::Refused(_)) => return Ok(written),
                // A charge that is gone, or counts nothing in this currency, has nothing to change, and what became of
                // the refund is written down all the same.
                Written::ChargeRefused(_) => {}
            }
        }
        match self.update(&before.id, update, condition, ReturnValue::None).await? {
            Ok(_) => Ok(Written::Applied(Box::new(after.clone()))),
            Err(item) => Ok(Written::Refused(payment(item)?)),
        }
    }

    async fn update(
        &self,
        id: &PaymentId,
        update: Update,
        condition: String,
        return_values: ReturnValue,
    ) -> Result<Result<Option<Item>, Option<Item>>, StoreError> {
        let (expression, names, values) = update.finish();
        let attempts = Attempts::default();
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(id)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(return_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Ok(output.attributes)),
            Err(error) => match error.as_service_error() {
                Some(aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(
                    failed,
                )) => Ok(Err(failed.item().cloned())),
                _ => Err(store_error("UpdateItem", &error, &attempts)),
            },
        }
    }
}

impl Store for DynamoStore {
    async fn put(&self, payment: &Payment) -> Result<Written, StoreError> {
        let item = to_item(payment)?;
        let written = match reserved(payment) {
            Some(reserve) => self.put_reserving(payment, item, reserve).await,
            None => self.put_alone(payment, item).await,
        };
        anchored(written, &payment.nonce)
    }

    async fn claim(&self, claim: &SendClaim) -> Result<Written, StoreError> {
        let (update, condition) = claim::expressions(claim)?;
        let written = match self.update(&claim.payment_id, update, condition, ReturnValue::AllNew).await? {
            Ok(Some(item)) => Ok(Written::Applied(Box::new(from_item(item)?))),
            // It was written; what stands there is asked for by the next write.
            Ok(None) => Err(StoreError::Unresolved("UpdateItem answered without the item".to_owned())),
            Err(item) => Ok(Written::Refused(payment(item)?)),
        };
        anchored(written, &claim.nonce)
    }

    async fn replace(&self, before: &Payment, after: &Payment) -> Result<Written, StoreError> {
        anchored(self.replaced(before, after).await, &after.nonce)
    }

    async fn get(&self, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        let attempts = Attempts::default();
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(id)))
            .consistent_read(true)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await
            .map_err(|error| store_error("GetItem", &error, &attempts))?;
        output.item.map(from_item).transpose()
    }

    async fn bind(&self, binding: &Binding) -> Result<Bound, StoreError> {
        keys::bind(self, binding).await
    }
}

fn key(id: &PaymentId) -> HashMap<String, AttributeValue> {
    HashMap::from([(KEY.to_owned(), AttributeValue::S(id.as_str().to_owned()))])
}

/// A transaction sent again under the same token within ten minutes is answered and not repeated; a token has at most
/// 36 characters, a nonce 26 ("TransactWriteItems").
fn token(nonce: &Nonce) -> &str {
    nonce.as_str()
}

fn refused(item: Option<&Item>) -> Result<Written, StoreError> {
    Ok(Written::Refused(payment(item.cloned())?))
}

/// What the reasons say about the conditions; `None` when none of them failed and something else was in the way, such
/// as another transaction on the same item or throttling.
fn conditions(reasons: &[CancellationReason]) -> Option<Result<Written, StoreError>> {
    let mut reasons = reasons.iter();
    let (own, charge) = (reasons.next(), reasons.next());
    let failed =
        |reason: Option<&CancellationReason>| reason.is_some_and(|reason| reason.code() == Some(CONDITION_FAILED));
    if failed(own) {
        Some(refused(own.and_then(CancellationReason::item)))
    } else if failed(charge) {
        let item = charge.and_then(CancellationReason::item).cloned();
        Some(payment(item).map(Written::ChargeRefused))
    } else {
        None
    }
}

fn unbuilt(error: &BuildError) -> StoreError {
    StoreError::Refused(format!("the transaction is incomplete: {error}"))
}

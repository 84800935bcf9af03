//! The table of gates, keyed by `provider`, behind the core's `GateStore`.
//!
//! One item, one conditional update for a whole batch's slots. A retry by the SDK after a lost answer reserves again:
//! that wastes slots and never hands one out twice.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use payments::gate::{Form, GateAnswer, GateState, Reserve};
use payments::ports::{GateError, GateStore, StoreError};

use crate::item::{Item, Update, from_item, number, to_item};
use crate::verdict::describe;

/// Gates in a table.
#[derive(Clone, Debug)]
pub struct DynamoGates {
    client: Client,
    table: String,
}

impl DynamoGates {
    /// Gates in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl GateStore for DynamoGates {
    async fn reserve(&self, request: &Reserve) -> Result<GateAnswer, GateError> {
        let (update, condition) = expressions(request);
        let (expression, names, values) = update.finish();
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("provider", AttributeValue::S(request.provider.clone()))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(output) => match output.attributes {
                Some(item) => gate(item).map(GateAnswer::Reserved),
                None => Err(GateError("UpdateItem answered without the item".to_owned())),
            },
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    failed.item().cloned().map(gate).transpose().map(GateAnswer::Refused)
                }
                _ => Err(GateError(describe("UpdateItem", &error))),
            },
        }
    }

    async fn create(&self, gate: &GateState) -> Result<(), GateError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(gate).map_err(|error| unreadable(&error))?))
            .condition_expression("attribute_not_exists(#provider)")
            .expression_attribute_names("#provider", "provider")
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(GateError(describe("PutItem", &error))),
            },
        }
    }
}

/// `Reserve::apply` as an update and its condition. An item without `paused` is not paused.
fn expressions(request: &Reserve) -> (Update, String) {
    let mut update = Update::default();
    let next = update.name("next_us");
    let rate_version = update.name("rate_version");
    let paused = update.name("paused");
    let assumed = update.value("rate_version", number(request.rate_version));
    let running = update.value("running", AttributeValue::Bool(false));
    let now = update.value("now", number(request.now_us));
    let place = match request.form {
        Form::Idle => {
            update.set("next_us", number(request.now_us.saturating_add(request.span_us)));
            format!("{next} <= {now}")
        }
        Form::Busy => {
            let span = update.value("span", number(request.span_us));
            update.set_to("next_us", &format!("{next} + {span}"));
            let at_most = update.value("at_most", number(request.next_at_most_us));
            format!("{next} > {now} AND {next} <= {at_most}")
        }
    };
    let condition =
        format!("{rate_version} = {assumed} AND (attribute_not_exists({paused}) OR {paused} = {running}) AND {place}");
    (update, condition)
}

fn gate(item: Item) -> Result<GateState, GateError> {
    from_item(item).map_err(|error| unreadable(&error))
}

fn unreadable(error: &StoreError) -> GateError {
    GateError(error.to_string())
}

//! The table of gates, keyed by `provider`, behind the core's `GateStore`.
//!
//! One item, one conditional update for a whole batch's slots, the counts of the last batch's calls, and whatever they
//! change. A retry by the SDK after a lost answer reserves again: that wastes slots and never hands one out twice.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use pacing::gate::{Control, GateAnswer, GateState, GateUpdate};
use ports::{GateStore, PortError, StoreError};

use crate::item::{Item, Update, from_item, number, to_attribute, to_item};
use crate::schedule;
use crate::verdict::port_error;

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

    /// The gate as it stood a moment ago: eventually consistent, for whoever tells a wait by it and sends nothing. A strongly
    /// consistent read takes twice as much of the one partition that the consumers' reservations live on ("Read consistency").
    pub(crate) async fn glance(&self, provider: &str) -> Result<Option<GateState>, PortError> {
        self.get(provider, false).await
    }

    async fn get(&self, provider: &str, is_consistent: bool) -> Result<Option<GateState>, PortError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("provider", AttributeValue::S(provider.to_owned()))
            .consistent_read(is_consistent)
            .send()
            .await;
        match answer {
            Ok(output) => output.item.map(gate).transpose(),
            Err(error) => Err(port_error("GetItem", &error)),
        }
    }
}

impl GateStore for DynamoGates {
    async fn update(&self, request: &GateUpdate) -> Result<GateAnswer, PortError> {
        let (update, condition) = expressions(request).map_err(|error| unreadable(&error))?;
        let (expression, names, values) = update.finish();
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("provider", AttributeValue::S(request.provider.clone()))
            .set_update_expression(Some(expression).filter(|expression| !expression.is_empty()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(output) => match output.attributes {
                Some(item) => gate(item).map(|gate| GateAnswer::Done(Box::new(gate))),
                None => Err(PortError::lost("UpdateItem answered without the item")),
            },
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let stands = failed.item().cloned().map(gate).transpose()?;
                    Ok(GateAnswer::Refused(stands.map(Box::new)))
                }
                _ => Err(port_error("UpdateItem", &error)),
            },
        }
    }

    async fn read(&self, provider: &str) -> Result<Option<GateState>, PortError> {
        self.get(provider, true).await
    }

    async fn create(&self, gate: &GateState) -> Result<(), PortError> {
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
                _ => Err(port_error("PutItem", &error)),
            },
        }
    }
}

/// `GateUpdate::apply` as an update and its condition. An item without `paused` is not paused, and one without counts
/// has none.
fn expressions(request: &GateUpdate) -> Result<(Update, String), StoreError> {
    let mut update = Update::default();
    let rate_version = update.name("rate_version");
    let rate = update.name("rate_per_second");
    let version_assumed = update.value("version_assumed", number(request.rate_version));
    let rate_assumed = update.value("rate_assumed", number(request.rate_per_second.into()));
    let mut condition = format!("{rate_version} = {version_assumed} AND {rate} = {rate_assumed}");
    if let Some(take) = &request.take {
        let paused = update.name("paused");
        let running = update.value("running", AttributeValue::Bool(false));
        let place = schedule::write(&mut update, "next_us", take);
        condition = format!("{condition} AND (attribute_not_exists({paused}) OR {paused} = {running}) AND {place}");
    }
    let counts = &request.counts;
    let mut add = |attribute: &str, count: u64| {
        let name = update.name(attribute);
        let none = update.value("none", number(0));
        let more = update.value(attribute, number(count));
        update.set_to(attribute, &format!("if_not_exists({name}, {none}) + {more}"));
    };
    if counts.calls > 0 {
        add("calls", counts.calls);
        add("failures", counts.failures);
    }
    let begins_a_pace = request.begins_a_pace();
    if counts.paced.calls > 0 && !begins_a_pace {
        add("paced", counts.paced.calls);
    }
    if counts.paced.limited > 0 && !begins_a_pace {
        add("limited", counts.paced.limited);
    }
    let begins_a_row = request.begins_a_row();
    if counts.in_a_row > 0 && !counts.breaks_the_row() && !begins_a_row {
        add("in_a_row", counts.in_a_row);
    } else if begins_a_row {
        update.set("in_a_row", number(0));
    } else if counts.breaks_the_row() {
        update.set("in_a_row", number(counts.in_a_row));
    }
    if begins_a_pace {
        update.set("paced", number(0));
        update.set("limited", number(0));
    }
    if let Some(control) = &request.control {
        let Control { rate_per_second, rate_before, paused, pause_note, rate_note, breaker, brake } = &**control;
        update.set("rate_version", number(request.version_after()));
        update.set("rate_per_second", number((*rate_per_second).into()));
        update.set("rate_before", number((*rate_before).into()));
        update.set("paused", AttributeValue::Bool(*paused));
        update.set("breaker", to_attribute(breaker)?);
        update.set("brake", to_attribute(brake)?);
        for (attribute, note) in [("pause_note", pause_note), ("rate_note", rate_note)] {
            match note {
                Some(note) => update.set(attribute, to_attribute(note)?),
                None => update.remove(attribute),
            }
        }
    }
    Ok((update, condition))
}

fn gate(item: Item) -> Result<GateState, PortError> {
    from_item(item).map_err(|error| unreadable(&error))
}

fn unreadable(error: &StoreError) -> PortError {
    PortError::lost(error)
}

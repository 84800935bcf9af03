//! What `ingest` asks before it takes a payment, behind the core's `Admission`: a table keyed by `name` with each
//! merchant's bucket and the lanes' figure, the gate, and the lanes' depths.
//!
//! A table of its own, because `ingest` writes here and must be able to write neither gates nor API keys.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::{try_join, try_join_all};
use pacing::admission::{BUSY_MS, Backlog, Gathered};
use pacing::bucket::{Allowance, Bucket, Take, Taken};
use pacing::gate::GateState;
use payments::payment::Lane;
use payments::time::Timestamp;
use ports::{Admission, Depths, PortError, StoreError};

use crate::clients::Clients;
use crate::gates::DynamoGates;
use crate::item::{Item, Update, from_item, number, to_item};
use crate::queue::{QueueUrls, SqsQueue};
use crate::schedule;
use crate::verdict::port_error;

/// The figure's name. A merchant's bucket begins with another word.
const BACKLOG: &str = "backlog";
/// Begins the name of each merchant's bucket of payments.
const BUCKET: &str = "bucket:";
/// Begins the name of each merchant's bucket of looks.
const LOOKS: &str = "looks:";

/// Admission over DynamoDB and SQS.
#[derive(Clone, Debug)]
pub struct DynamoAdmission {
    client: Client,
    table: String,
    gates: DynamoGates,
    provider: String,
    queue: SqsQueue,
}

impl DynamoAdmission {
    /// Admission by this table, this provider's gate and these lanes. Its calls are given up soon and not repeated:
    /// each of them stands between a merchant and an answer, and none is worth waiting for.
    pub fn new(
        clients: &Clients,
        table: impl Into<String>,
        gates_table: &str,
        provider: &str,
        urls: QueueUrls,
    ) -> Self {
        let Clients { dynamodb, sqs } = clients.hasty();
        Self {
            gates: DynamoGates::new(dynamodb.clone(), gates_table),
            client: dynamodb,
            table: table.into(),
            provider: provider.to_owned(),
            queue: SqsQueue::new(sqs, urls),
        }
    }

    async fn backlog(&self) -> Result<Option<Backlog>, PortError> {
        // Eventually consistent: it is some seconds old in any case.
        let answer =
            self.client.get_item().table_name(&self.table).key("name", AttributeValue::S(BACKLOG.to_owned())).send();
        let output = answer.await.map_err(|error| port_error("GetItem", &error))?;
        match output.item {
            // Somebody measures for the first time.
            Some(item) if item.contains_key("at") => from_item(item).map(Some).map_err(|error| unreadable(&error)),
            Some(_) | None => Ok(None),
        }
    }

    /// One update of the figure's item; whether its condition held.
    async fn update_backlog(&self, update: Update, condition: String) -> Result<bool, PortError> {
        let (expression, names, values) = update.finish();
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("name", AttributeValue::S(BACKLOG.to_owned()))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(port_error("UpdateItem", &error)),
            },
        }
    }
}

impl Admission for DynamoAdmission {
    async fn take(&self, take: &Take) -> Result<Taken, PortError> {
        let (update, condition) = expressions(take);
        let (expression, names, values) = update.finish();
        let bucket_of = match take.allowance {
            Allowance::Payments => BUCKET,
            Allowance::Looks => LOOKS,
        };
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("name", AttributeValue::S(format!("{bucket_of}{}", take.merchant)))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(output) => bucket(output.attributes).map(Taken::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    bucket(failed.item().cloned()).map(Taken::Refused)
                }
                _ => Err(port_error("UpdateItem", &error)),
            },
        }
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), PortError> {
        try_join(self.gates.glance(&self.provider), self.backlog()).await
    }

    async fn measure(&self, now: Timestamp, known: &Gathered) -> Result<Option<Backlog>, PortError> {
        let mut turn = Update::default();
        let (from, asked) = (turn.name("measure_from"), turn.value("now", number(now.ms())));
        turn.set("measure_from", number(now.plus_ms(BUSY_MS).ms()));
        if !self.update_backlog(turn, format!("attribute_not_exists({from}) OR {from} <= {asked}")).await? {
            return Ok(None);
        }
        let depths = try_join_all([Lane::High, Lane::Standard].map(|lane| self.queue.depth(lane)));
        let depths = depths.await?;
        let [high, standard] = depths[..] else { return Ok(None) };
        let backlog = known.measured(now, high, standard);
        let mut update = Update::default();
        let at = update.name("at");
        for (attribute, value) in to_item(&backlog).map_err(|error| unreadable(&error))? {
            update.set(&attribute, value);
        }
        // `:at` is the attribute's own new value.
        self.update_backlog(update, format!("attribute_not_exists({at}) OR {at} < :at")).await?;
        Ok(Some(backlog))
    }
}

/// `Take::apply` as an update and its condition. A merchant without an item has a full bucket.
fn expressions(take: &Take) -> (Update, String) {
    let mut update = Update::default();
    let condition = schedule::write(&mut update, "full_us", &take.advance);
    (update, condition)
}

fn bucket(item: Option<Item>) -> Result<Bucket, PortError> {
    // An item that is not there is refused by the busy form, and is a full bucket.
    from_item(item.unwrap_or_else(full)).map_err(|error| unreadable(&error))
}

fn full() -> Item {
    HashMap::from([("full_us".to_owned(), number(0))])
}

fn unreadable(error: &StoreError) -> PortError {
    PortError::lost(error)
}

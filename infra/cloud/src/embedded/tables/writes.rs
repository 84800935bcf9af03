//! Writes: planned first, condition and all, then carried out; a transaction plans all of its parts before any.

use std::time::Instant;

use serde_json::{Map, Value, json};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::{apply_update_actions, parse_update_expression};

use super::{
    Done, Inner, Placeholders, Refusal, TOKEN_KEPT, TOKENS_BEFORE_CLEARING, invalid, item_at, key_of, optional, part,
    refusal, refusal_with, text,
};

/// Most bytes of an item, names and values ("Quotas in Amazon DynamoDB").
const ITEM_BYTES_MAX: usize = 400 * 1_024;
/// Most actions of a transaction ("`TransactWriteItems`").
const ACTIONS_MAX: usize = 100;

/// What a write is going to do.
struct Plan {
    table: String,
    key: String,
    old: Option<Item>,
    new: Option<Item>,
}

/// Why a write is not going to be done.
enum Obstacle {
    /// Its condition failed; this stands there, if it was asked for.
    Condition(Option<Item>),
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Inner {
    pub(super) fn write(&mut self, operation: &str, body: &Value) -> Result<Value, Refusal> {
        let plan = match self.plan(operation, body) {
            Ok(plan) => plan,
            Err(Obstacle::Refused(refusal)) => return Err(refusal),
            Err(Obstacle::Condition(item)) => {
                return Err(refusal_with(
                    "ConditionalCheckFailedException",
                    "The conditional request failed",
                    item_field("Item", item),
                ));
            }
        };
        let (old, new) = (plan.old.clone(), plan.new.clone());
        self.carry_out(plan);
        let attributes = match text(body, "ReturnValues") {
            "ALL_OLD" => old,
            "ALL_NEW" => new,
            _ => None,
        };
        Ok(Value::Object(item_field("Attributes", attributes)))
    }

    /// A transaction that was carried out is answered again under its token, and not repeated.
    pub(super) fn transact(&mut self, body: Value) -> Result<Value, Refusal> {
        if self.done.len() > TOKENS_BEFORE_CLEARING {
            self.done.retain(|_, done| done.at.elapsed() < TOKEN_KEPT);
        }
        let token = text(&body, "ClientRequestToken").to_owned();
        if token.len() > 36 {
            return Err(invalid("ClientRequestToken has more than 36 characters"));
        }
        if let Some(done) = self.done.get(&token)
            && done.at.elapsed() < TOKEN_KEPT
        {
            return if done.body == body {
                Ok(json!({}))
            } else {
                Err(refusal("IdempotentParameterMismatchException", "the token was used with other parameters"))
            };
        }
        let parts: Vec<Map<String, Value>> = part(&body, "TransactItems")?;
        if !(1..=ACTIONS_MAX).contains(&parts.len()) {
            return Err(invalid("a transaction has 1 to 100 actions"));
        }
        let mut plans = Vec::new();
        let mut reasons = Vec::new();
        for (operation, action) in parts.iter().flatten() {
            let reason = match self.plan(operation, action) {
                Ok(plan) => {
                    plans.push(plan);
                    json!({ "Code": "None" })
                }
                Err(Obstacle::Condition(item)) => {
                    let mut reason = item_field("Item", item);
                    reason.insert("Code".to_owned(), "ConditionalCheckFailed".into());
                    reason.insert("Message".to_owned(), "The conditional request failed".into());
                    Value::Object(reason)
                }
                Err(Obstacle::Refused(refusal)) => return Err(refusal),
            };
            reasons.push(reason);
        }
        if plans.len() < reasons.len() {
            let more = Map::from_iter([("CancellationReasons".to_owned(), Value::Array(reasons))]);
            return Err(refusal_with("TransactionCanceledException", "Transaction cancelled", more));
        }
        let targets: std::collections::HashSet<_> = plans.iter().map(|plan| (&plan.table, &plan.key)).collect();
        if targets.len() < plans.len() {
            return Err(invalid("a transaction cannot include two operations on one item"));
        }
        for plan in plans {
            self.carry_out(plan);
        }
        if !token.is_empty() {
            self.done.insert(token, Done { at: Instant::now(), body });
        }
        Ok(json!({}))
    }

    /// `operation` is an operation's name or a transaction's, which lacks the `Item`.
    fn plan(&self, operation: &str, body: &Value) -> Result<Plan, Obstacle> {
        let table = self.table(body)?;
        let expressions = ["ConditionExpression", "UpdateExpression"];
        let placeholders = Placeholders::of(body, &expressions)?;
        let target: Item = part(body, if operation.starts_with("Put") { "Item" } else { "Key" })?;
        let key = key_of(table, &target)?;
        let old = item_at(table, &key).cloned();
        let empty = Item::new();
        if !placeholders.fits(body.get("ConditionExpression"), old.as_ref().unwrap_or(&empty))? {
            let wanted = text(body, "ReturnValuesOnConditionCheckFailure") == "ALL_OLD";
            return Err(Obstacle::Condition(old.filter(|_| wanted)));
        }
        let new = match operation {
            "PutItem" | "Put" => Some(target),
            "DeleteItem" | "Delete" => None,
            "ConditionCheck" => old.clone(),
            "UpdateItem" | "Update" => {
                let mut new = old.clone().unwrap_or(target);
                let expression: String = optional(body, "UpdateExpression")?;
                if !expression.is_empty() {
                    parse_update_expression(&expression, &placeholders.names, &placeholders.values)
                        .and_then(|actions| apply_update_actions(&mut new, &actions))
                        .map_err(|error| invalid(&error))?;
                }
                Some(new)
            }
            _ => return Err(Obstacle::Refused(invalid("no such write"))),
        };
        if let Some(new) = &new {
            if key_of(table, new)? != key {
                return Err(Obstacle::Refused(invalid("cannot update an attribute that is part of the key")));
            }
            if bytes_of(new) > ITEM_BYTES_MAX {
                return Err(Obstacle::Refused(invalid("item size has exceeded the maximum allowed size")));
            }
        }
        Ok(Plan { table: table.table.name.clone(), key, old, new })
    }

    fn carry_out(&mut self, plan: Plan) {
        let Some(table) = self.state.tables.get_mut(&plan.table) else {
            return;
        };
        match plan.new {
            Some(item) => {
                table.items.entry(plan.key).or_default().insert(String::new(), item);
            }
            None => {
                table.items.remove(&plan.key);
            }
        }
        table.table.item_count = table.items.len();
    }
}

/// About as many bytes as DynamoDB counts ("DynamoDB item sizes and formats"): each name and text as it is, and the
/// elements of lists and maps; a number counts as its digits, which is a little more.
fn bytes_of(item: &Item) -> usize {
    fn bytes(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(elements) => 3 + elements.iter().map(|element| 1 + bytes(element)).sum::<usize>(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, field)| match (name.as_str(), field) {
                    ("M", Value::Object(map)) => {
                        3 + map.iter().map(|(name, field)| 1 + name.len() + bytes(field)).sum::<usize>()
                    }
                    // The others' names are their types'.
                    _ => bytes(field),
                })
                .sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        }
    }
    item.iter().map(|(name, value)| name.len() + bytes(&json!(value))).sum()
}

fn item_field(name: &str, item: Option<Item>) -> Map<String, Value> {
    item.map(|item| (name.to_owned(), json!(item))).into_iter().collect()
}

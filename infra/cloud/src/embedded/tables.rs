//! `DynamoDB`: the expressions and the schema are `winterbaume-dynamodb`'s, the operations are done here, because those
//! of 0.3.0 cannot be used as they are:
//! - each successful request, reads too, copies the whole account for listeners that are not there: 33 ms a write with
//!   5,000 items;
//! - a condition is checked and its write done in two steps, so that two writers can both pass;
//! - `ReturnValuesOnConditionCheckFailure=ALL_OLD` brings no item, alone or in a transaction;
//! - `ClientRequestToken` is not looked at;
//! - a `KEYS_ONLY` index returns every attribute;
//! - names and values that no expression uses are taken, which `DynamoDB` refuses;
//! - items, keys, expressions and transactions of any size are taken.
//!
//! Kinder than `DynamoDB` it stays in two things. Every read is consistent, so that `tests/contract/aws/requests.rs` looks
//! at what is asked for. No partition throttles by itself: `Fault::Throttle` does it by share, and `cargo dev plan` by
//! arithmetic. Nothing is deleted by TTL, which only takes idempotency keys.
//!
//! What is offered is what the system uses; tables have a partition key that is a text and no sort key.

mod reads;
mod schema;
mod writes;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use winterbaume_core::{MockRequest, MockResponse};
use winterbaume_dynamodb::expr::{evaluate, parse_expression};
use winterbaume_dynamodb::state::TableState;
use winterbaume_dynamodb::types::AttributeValue;
use winterbaume_dynamodb::{DynamoDbState, Item};

use super::connector::failure;

/// How long a transaction's token is remembered ("`TransactWriteItems`").
const TOKEN_KEPT: Duration = Duration::from_mins(10);
/// Tokens that are kept before the old ones are looked through.
const TOKENS_BEFORE_CLEARING: usize = 10_000;

/// Most bytes of an expression ("Quotas in Amazon DynamoDB").
const EXPRESSION_BYTES_MAX: usize = 4_096;
/// Most bytes of a partition key's value ("Quotas in Amazon DynamoDB").
const KEY_BYTES_MAX: usize = 2_048;

/// A transaction that was carried out.
struct Done {
    at: Instant,
    body: Value,
}

#[derive(Default)]
struct Inner {
    state: DynamoDbState,
    done: HashMap<String, Done>,
}

/// The tables. One request at a time, as a whole.
#[derive(Default)]
pub(super) struct Tables {
    inner: Mutex<Inner>,
}

impl Tables {
    pub(super) fn answer(&self, operation: &str, request: &MockRequest) -> MockResponse {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return *refusal("SerializationException", "the body is not JSON");
        };
        let mut inner = self.inner();
        let answer = match operation {
            "CreateTable" => inner.create_table(&body),
            "DescribeTable" => inner.describe_table(&body),
            "GetItem" => inner.get_item(&body),
            "PutItem" | "UpdateItem" | "DeleteItem" => inner.write(operation, &body),
            "TransactWriteItems" => inner.transact(body),
            "Query" => inner.query(&body),
            "Scan" => inner.scan(&body),
            _ => Err(refusal("UnknownOperationException", "the embedded AWS does not offer this operation")),
        };
        answer.map_or_else(|refusal| *refusal, |answer| MockResponse::json(200, answer.to_string()))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn table(&self, body: &Value) -> Result<&TableState, Refusal> {
        self.state
            .tables
            .get(text(body, "TableName"))
            .ok_or_else(|| refusal("ResourceNotFoundException", "requested resource not found"))
    }

    fn get_item(&self, body: &Value) -> Result<Value, Refusal> {
        let table = self.table(body)?;
        let key = key_of(table, &part(body, "Key")?)?;
        Ok(item_at(table, &key).map_or_else(|| json!({}), |item| json!({ "Item": item })))
    }
}

/// A request's expressions with what their placeholders stand for.
struct Placeholders {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    /// Reads them, and refuses those that none of the expressions uses.
    fn of(body: &Value, expressions: &[&str]) -> Result<Self, Refusal> {
        let names: HashMap<String, String> = optional(body, "ExpressionAttributeNames")?;
        let values: HashMap<String, AttributeValue> = optional(body, "ExpressionAttributeValues")?;
        let too_long = expressions
            .iter()
            .filter_map(|name| body.get(*name)?.as_str())
            .find(|text| text.len() > EXPRESSION_BYTES_MAX);
        if too_long.is_some() {
            return Err(invalid("an expression has at most 4 KB"));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '#' || c == ':';
        let used: Vec<&str> = expressions
            .iter()
            .filter_map(|expression| body.get(*expression)?.as_str())
            .flat_map(|expression| expression.split(|c| !is_part(c)))
            .collect();
        match names.keys().chain(values.keys()).find(|placeholder| !used.contains(&placeholder.as_str())) {
            Some(unused) => Err(invalid(&format!("{unused} is given and not used in any expression"))),
            None => Ok(Self { names, values }),
        }
    }

    /// Whether an item fits a condition; without one everything does.
    fn fits(&self, condition: Option<&Value>, item: &Item) -> Result<bool, Refusal> {
        match condition.and_then(Value::as_str) {
            None => Ok(true),
            Some(condition) => parse_expression(condition, &self.names, &self.values)
                .map(|condition| evaluate(&condition, item))
                .map_err(|error| invalid(&error)),
        }
    }
}

/// How the state keys an item.
fn key_of(table: &TableState, attributes: &Item) -> Result<String, Refusal> {
    match attributes.get(&table.table.hash_key_attr) {
        Some(AttributeValue::S(key)) if (1..=KEY_BYTES_MAX).contains(&key.len()) => Ok(format!("S:{key}")),
        Some(_) | None => Err(invalid("the key does not match the schema: a text of 1 to 2,048 bytes is needed")),
    }
}

fn item_at<'a>(table: &'a TableState, key: &str) -> Option<&'a Item> {
    table.items.get(key)?.get("")
}

fn part<T: DeserializeOwned>(body: &Value, name: &str) -> Result<T, Refusal> {
    let part = body.get(name).cloned().unwrap_or_default();
    serde_json::from_value(part).map_err(|error| invalid(&format!("{name}: {error}")))
}

fn optional<T: DeserializeOwned + Default>(body: &Value, name: &str) -> Result<T, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(T::default()),
        Some(_) => part(body, name),
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// An answer that says why not.
type Refusal = Box<MockResponse>;

fn invalid(message: &str) -> Refusal {
    refusal("ValidationException", message)
}

fn refusal(code: &str, message: &str) -> Refusal {
    Box::new(failure(400, &full(code), message))
}

fn refusal_with(code: &str, message: &str, more: Map<String, Value>) -> Refusal {
    let mut body = more;
    body.insert("__type".to_owned(), Value::String(full(code)));
    body.insert("message".to_owned(), Value::String(message.to_owned()));
    Box::new(MockResponse::json(400, Value::Object(body).to_string()))
}

fn full(code: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{code}")
}

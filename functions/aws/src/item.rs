//! Items to and from the core's types, and the expressions that write only what has changed.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use payments::payment::Payment;
use ports::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The item of a value.
pub(crate) fn to_item<T: Serialize>(value: &T) -> Result<Item, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_item(value)
        .map_err(|error| StoreError::Refused(format!("this cannot be an item: {error}")))
}

/// The attribute of a value.
pub(crate) fn to_attribute<T: Serialize>(value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(value)
        .map_err(|error| StoreError::Refused(format!("this cannot be an attribute: {error}")))
}

/// The value of an item.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item)
        .map_err(|error| StoreError::Corrupt(format!("{error}; look at the item and at who wrote it last")))
}

/// The payment of an item, if there is one.
pub(crate) fn payment(item: Option<Item>) -> Result<Option<Box<Payment>>, StoreError> {
    item.map(|item| from_item(item).map(Box::new)).transpose()
}

/// A number attribute.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// An update expression with its names and values. Every name goes by a placeholder, because DynamoDB reserves many
/// words, `state` among them ("Reserved words in DynamoDB").
#[derive(Clone, Debug, Default)]
pub(crate) struct Update {
    sets: Vec<String>,
    removes: Vec<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl Update {
    /// The placeholder of an attribute's name.
    pub(crate) fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// A placeholder for a value.
    pub(crate) fn value(&mut self, name: &str, value: AttributeValue) -> String {
        let placeholder = format!(":{name}");
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, attribute: &str, value: AttributeValue) {
        let name = self.name(attribute);
        let value = self.value(attribute, value);
        self.sets.push(format!("{name} = {value}"));
    }

    /// Sets an attribute to what an expression yields.
    pub(crate) fn set_to(&mut self, attribute: &str, expression: &str) {
        let name = self.name(attribute);
        self.sets.push(format!("{name} = {expression}"));
    }

    /// Removes an attribute.
    pub(crate) fn remove(&mut self, attribute: &str) {
        let name = self.name(attribute);
        self.removes.push(name);
    }

    /// The expression, its names and its values.
    pub(crate) fn finish(self) -> (String, HashMap<String, String>, Item) {
        let mut expression = String::new();
        for (clause, parts) in [("SET ", self.sets), (" REMOVE ", self.removes)] {
            if !parts.is_empty() {
                expression.push_str(clause);
                expression.push_str(&parts.join(", "));
            }
        }
        (expression.trim_start().to_owned(), self.names, self.values)
    }
}

/// Writes what differs between two versions of an item and nothing else: attributes that this code does not know, and
/// those that others change on the way, such as a charge's `refundable`, stay as they are.
pub(crate) fn difference(before: &Item, after: Item) -> Update {
    let mut update = Update::default();
    let mut vanished: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
    vanished.sort_unstable();
    for name in vanished {
        update.remove(name);
    }
    let mut changed: Vec<(String, AttributeValue)> =
        after.into_iter().filter(|(name, value)| before.get(name) != Some(value)).collect();
    changed.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    for (name, value) in changed {
        update.set(&name, value);
    }
    update
}

//! Tables as they are created and described.

use serde_json::{Value, json};
use winterbaume_dynamodb::types::{AttributeDefinition, GlobalSecondaryIndexDef, KeySchemaElement};

use super::super::REGION;
use super::{Inner, Refusal, invalid, text};

impl Inner {
    pub(super) fn create_table(&mut self, body: &Value) -> Result<Value, Refusal> {
        let definitions = list(body, "AttributeDefinitions")
            .map(|definition| AttributeDefinition {
                attribute_name: text(definition, "AttributeName").to_owned(),
                attribute_type: text(definition, "AttributeType").to_owned(),
            })
            .collect();
        let indexes = list(body, "GlobalSecondaryIndexes")
            .map(|index| GlobalSecondaryIndexDef {
                index_name: text(index, "IndexName").to_owned(),
                key_schema: key_schema(index),
                projection_type: index
                    .get("Projection")
                    .map_or("", |projection| text(projection, "ProjectionType"))
                    .to_owned(),
                non_key_attributes: Vec::new(),
            })
            .collect();
        let schema = key_schema(body);
        if schema.len() != 1 {
            return Err(invalid("the embedded AWS offers tables with a partition key and no sort key"));
        }
        let created = self.state.create_table(
            text(body, "TableName"),
            winterbaume_core::default_account_id(),
            REGION,
            schema,
            definitions,
            body.get("BillingMode").and_then(Value::as_str),
            None,
            false,
            None,
            indexes,
            Vec::new(),
        );
        created.map_err(|error| invalid(&error.to_string()))?;
        self.described(body, "TableDescription")
    }

    pub(super) fn describe_table(&self, body: &Value) -> Result<Value, Refusal> {
        self.described(body, "Table")
    }

    fn described(&self, body: &Value, field: &str) -> Result<Value, Refusal> {
        let table = &self.table(body)?.table;
        let description = json!({
            "TableName": table.name,
            "TableArn": table.arn,
            "TableStatus": "ACTIVE",
            "ItemCount": table.item_count,
        });
        Ok(json!({ field: description }))
    }
}

fn list<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    body.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn key_schema(body: &Value) -> Vec<KeySchemaElement> {
    list(body, "KeySchema")
        .map(|key| KeySchemaElement {
            attribute_name: text(key, "AttributeName").to_owned(),
            key_type: text(key, "KeyType").to_owned(),
        })
        .collect()
}

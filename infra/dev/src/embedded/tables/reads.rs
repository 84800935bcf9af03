//! Query and Scan: over everything, sorted, page by page. Slow with very many items, and right.

use std::cmp::Ordering;

use serde_json::{Value, json};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::{Inner, Placeholders, Refusal, invalid, optional, text};

impl Inner {
    pub(super) fn query(&self, body: &Value) -> Result<Value, Refusal> {
        if text(body, "KeyConditionExpression").is_empty() {
            return Err(invalid("KeyConditionExpression is missing"));
        }
        self.read(body)
    }

    pub(super) fn scan(&self, body: &Value) -> Result<Value, Refusal> {
        self.read(body)
    }

    fn read(&self, body: &Value) -> Result<Value, Refusal> {
        let table = self.table(body)?;
        let placeholders = Placeholders::of(body, &["KeyConditionExpression", "FilterExpression"])?;
        let mut keys = vec![table.table.hash_key_attr.clone()];
        let mut keys_only = false;
        let mut order = None;
        if let Some(name) = body.get("IndexName").and_then(Value::as_str) {
            if body.get("ConsistentRead").and_then(Value::as_bool) == Some(true) {
                return Err(invalid("Consistent reads are not supported on global secondary indexes"));
            }
            let index = table.table.global_secondary_indexes.iter().find(|index| index.index_name == name);
            let index = index.ok_or_else(|| invalid("the table does not have the specified index"))?;
            keys.extend(index.key_schema.iter().map(|key| key.attribute_name.clone()));
            keys_only = index.projection_type == "KEYS_ONLY";
            order = index.key_schema.iter().find(|key| key.key_type == "RANGE").map(|key| key.attribute_name.clone());
        }
        // An index holds the items that have all of its keys, and nothing of the others.
        let mut items: Vec<&Item> = table
            .items
            .values()
            .flat_map(|items| items.values())
            .filter(|item| keys.iter().all(|key| item.contains_key(key)))
            .collect();
        let place = |item: &Item| {
            let sort = order.as_ref().and_then(|order| item.get(order)).cloned();
            (sort, item.get(&table.table.hash_key_attr).cloned())
        };
        let forward = body.get("ScanIndexForward").and_then(Value::as_bool) != Some(false);
        let compare = |left: &Item, right: &Item| {
            let order = compare_places(&place(left), &place(right));
            if forward { order } else { order.reverse() }
        };
        items.sort_by(|left, right| compare(left, right));
        let start: Item = optional(body, "ExclusiveStartKey")?;
        let limit = body.get("Limit").and_then(Value::as_u64).unwrap_or(u64::MAX);

        let (mut found, mut scanned, mut last) = (Vec::new(), 0_u64, None);
        for item in items {
            if !placeholders.fits(body.get("KeyConditionExpression"), item)?
                || (!start.is_empty() && compare(item, &start) != Ordering::Greater)
            {
                continue;
            }
            scanned += 1;
            if placeholders.fits(body.get("FilterExpression"), item)? {
                found.push(if keys_only { only(item, &keys) } else { item.clone() });
            }
            if scanned >= limit {
                last = Some(only(item, &keys));
                break;
            }
        }
        let mut answer = json!({ "Count": found.len(), "ScannedCount": scanned, "Items": found });
        if let Some(last) = last {
            answer["LastEvaluatedKey"] = json!(last);
        }
        Ok(answer)
    }
}

fn only(item: &Item, keys: &[String]) -> Item {
    keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone()))).collect()
}

type Place = (Option<AttributeValue>, Option<AttributeValue>);

fn compare_places(left: &Place, right: &Place) -> Ordering {
    compare_values(left.0.as_ref(), right.0.as_ref()).then_with(|| compare_values(left.1.as_ref(), right.1.as_ref()))
}

fn compare_values(left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> Ordering {
    match (left, right) {
        (Some(AttributeValue::N(left)), Some(AttributeValue::N(right))) => {
            let number = |text: &String| text.parse::<f64>().unwrap_or_default();
            number(left).total_cmp(&number(right))
        }
        (Some(AttributeValue::S(left)), Some(AttributeValue::S(right))) => left.cmp(right),
        _ => Ordering::Equal,
    }
}

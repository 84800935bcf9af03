//! Query and Scan: over everything, sorted, page by page. Slow with very many items, and right.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::{Inner, Placeholders, Refusal, invalid, optional, text};

/// Most parts of a parallel scan ("Scan").
const SEGMENTS_MAX: u64 = 1_000_000;

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

    /// The part of the table that a parallel scan asks for; without one, all of it ("Scan").
    fn segment(body: &Value) -> Result<(u64, u64), Refusal> {
        match (body.get("Segment").and_then(Value::as_u64), body.get("TotalSegments").and_then(Value::as_u64)) {
            (None, None) => Ok((0, 1)),
            (Some(segment), Some(of)) if (1..=SEGMENTS_MAX).contains(&of) && segment < of => Ok((segment, of)),
            (Some(_), Some(_)) => {
                Err(invalid("TotalSegments is from 1 to 1000000, and Segment is below it: 0 is the first"))
            }
            (Some(_), None) => Err(invalid("TotalSegments is required when Segment is given")),
            (None, Some(_)) => Err(invalid("Segment is required when TotalSegments is given")),
        }
    }

    fn read(&self, body: &Value) -> Result<Value, Refusal> {
        let table = self.table(body)?;
        let (segment, of) = Self::segment(body)?;
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
            .filter(|item| segment_of(item.get(&table.table.hash_key_attr), of) == segment)
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
        if !start.is_empty() && segment_of(start.get(&table.table.hash_key_attr), of) != segment {
            return Err(invalid("The provided starting key is outside the bounds of the segment"));
        }
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

/// In which part of a parallel scan a key lies: like a partition, a part is a range of the keys' hashes.
fn segment_of(key: Option<&AttributeValue>, of: u64) -> u64 {
    let Some(AttributeValue::S(key)) = key else { return 0 };
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    u64::try_from((u128::from(hasher.finish()) * u128::from(of)) >> 64).unwrap_or(0)
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

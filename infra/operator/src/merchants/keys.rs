//! Merchants and their API keys, drawn here and now or read from a file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use payments::id::{MerchantId, Nonce};
use payments::limit::Limit;
use payments::merchant::{ApiKeyHash, Merchant};
use ports::Entropy;

use crate::account::why;
use crate::load::table::{Columns, Row, Table};
use crate::load::transactions::Transaction;

/// How often a record is written until the answer comes, beside the SDK's own repeats.
const WRITE_TRIES_MAX: u32 = 5;

/// The API keys of merchants.
pub type ApiKeys = BTreeMap<MerchantId, Arc<str>>;

/// What a key's merchant may do beside the ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Refund without naming the charge.
    pub unlinked_refunds: bool,
    /// Use the `high` lane.
    pub high_priority: bool,
    /// Send so fast; without it the deployment's default holds.
    pub limit: Option<Limit>,
}

/// The merchants of a file, each with the permissions that its lines need.
pub fn named(transactions: &[Transaction]) -> BTreeMap<MerchantId, Permissions> {
    let mut merchants: BTreeMap<_, Permissions> = BTreeMap::new();
    for transaction in transactions {
        let permissions = merchants.entry(transaction.merchant.clone()).or_default();
        permissions.unlinked_refunds |= transaction.is_unlinked_refund();
        permissions.high_priority |= transaction.optional.get("priority").is_some_and(|lane| lane == "high");
    }
    merchants
}

/// Reads keys from a CSV file with the columns merchant and `api_key`, one line a merchant. A line that is wrong is a merchant
/// that nothing could be sent for, so it stops the start.
pub fn read_keys(path: &Path) -> Result<ApiKeys, String> {
    let fault = |what: &dyn std::fmt::Display| format!("the keys in {} cannot be read: {what}", path.display());
    let bytes = std::fs::read(path).map_err(|error| fault(&error))?;
    keys_of(&bytes).map_err(|what| fault(&what))
}

fn keys_of(bytes: &[u8]) -> Result<ApiKeys, String> {
    let columns = Columns { required: &["merchant", "api_key"], optional: &[], ignored: &[] };
    let table = Table::open(bytes, columns).map_err(|error| error.to_string())?;
    let mut keys = ApiKeys::new();
    for Row { line, values, is_ended: _ } in table {
        let fault = |what: String| format!("line {line}: {what}");
        let values = values.map_err(fault)?;
        let merchant = values.required("merchant").map_err(fault)?;
        let merchant = MerchantId::new(merchant).map_err(|error| fault(format!("merchant {error}")))?;
        let key = values.required("api_key").map_err(fault)?;
        if keys.insert(merchant.clone(), key.into()).is_some() {
            return Err(fault(format!("{merchant} has a key already; which one counts?")));
        }
    }
    Ok(keys)
}

/// Writes the merchants into `table` and returns their keys, of which the table has the hashes only.
pub async fn create<E: Entropy>(
    client: &Client,
    table: &str,
    merchants: &BTreeMap<MerchantId, Permissions>,
    entropy: &E,
) -> Result<ApiKeys, String> {
    let mut keys = ApiKeys::new();
    for (merchant, &Permissions { unlinked_refunds, high_priority, limit }) in merchants {
        let key = format!("sk_{}", Nonce::from_bits(entropy.bits()).as_str());
        let key_hash = ApiKeyHash::of(&key).ok_or("the drawn API key does not have a key's form")?;
        let record = Merchant { key_hash, merchant: merchant.clone(), unlinked_refunds, high_priority, limit };
        write(client, table, &record).await.map_err(|error| format!("cannot create merchant {merchant}: {error}"))?;
        keys.insert(merchant.clone(), key.into());
    }
    Ok(keys)
}

/// Writes a record, again if need be: the same put twice is one record, and its key would be lost with the answer.
async fn write(client: &Client, table: &str, record: &Merchant) -> Result<(), String> {
    let mut tries = 1;
    loop {
        match client.put_item().table_name(table).set_item(Some(item(record))).send().await {
            Ok(_) => return Ok(()),
            Err(_) if tries < WRITE_TRIES_MAX => tries += 1,
            Err(error) => return Err(why(&error)),
        }
    }
}

fn item(record: &Merchant) -> HashMap<String, AttributeValue> {
    let limit = record.limit.map(|limit| ("limit", limit_attribute(limit)));
    [
        ("key_hash", AttributeValue::S(record.key_hash.as_str().to_owned())),
        ("merchant", AttributeValue::S(record.merchant.as_str().to_owned())),
        ("unlinked_refunds", AttributeValue::Bool(record.unlinked_refunds)),
        ("high_priority", AttributeValue::Bool(record.high_priority)),
    ]
    .into_iter()
    .chain(limit)
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// A limit as a merchant's record has it.
pub fn limit_attribute(limit: Limit) -> AttributeValue {
    let number = |value: u32| AttributeValue::N(value.to_string());
    AttributeValue::M(HashMap::from([
        ("rate_per_second".to_owned(), number(limit.rate_per_second())),
        ("burst".to_owned(), number(limit.burst())),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_that_refund_are_given_the_permission() {
        let file = "order_id,kind,merchant,amount,currency\n1,charge,a,1,EUR\n2,refund,a,1,EUR\n3,charge,b,1,EUR\n";
        let read = crate::load::transactions::read(file.as_bytes(), &[]).unwrap();
        let named: Vec<_> =
            named(&read.rows).into_iter().map(|(id, may)| (id.to_string(), may.unlinked_refunds)).collect();
        assert_eq!(named, [("a".to_owned(), true), ("b".to_owned(), false)]);
    }

    #[test]
    fn a_file_of_keys_with_anything_wrong_in_it_is_refused_by_its_line() {
        let good = keys_of(b"merchant,api_key\na,key-a\nb,key-b\n").unwrap();
        assert_eq!(good.values().map(|key| &**key).collect::<Vec<_>>(), ["key-a", "key-b"]);
        for (file, said) in [
            ("merchant,api_key\na,1\na,2\n", "line 3: a has a key already"),
            ("merchant,api_key\na,1,2\n", "line 2: 3 fields"),
            ("merchant,api_key\na,\n", "line 2: api_key is missing"),
            ("merchant,api_key\nA,1\n", "line 2: merchant must"),
            ("merchant,api_key,api_key\na,1,2\n", "two columns are named api_key"),
            ("merchant,key\na,1\n", "a column is missing: api_key"),
        ] {
            let refused = keys_of(file.as_bytes()).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}

//! Merchants and their API keys, drawn here and now or read from a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use payments::id::{MerchantId, Nonce};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::Kind;
use payments::ports::Entropy;
use serde::Deserialize;

use crate::account::why;
use crate::transactions::Transaction;

/// The API keys of merchants.
pub type ApiKeys = BTreeMap<MerchantId, Arc<str>>;

/// What a key's merchant may do beside the ordinary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Refund without naming the charge.
    pub unlinked_refunds: bool,
    /// Use the `high` lane.
    pub high_priority: bool,
}

/// The merchants of a file. A file's refunds name no charge, so whoever refunds needs the permission.
pub fn named(transactions: &[Transaction]) -> BTreeMap<MerchantId, Permissions> {
    let mut merchants: BTreeMap<_, Permissions> = BTreeMap::new();
    for transaction in transactions {
        let permissions = merchants.entry(transaction.merchant.clone()).or_default();
        permissions.unlinked_refunds |= transaction.kind == Kind::Refund;
    }
    merchants
}

/// Reads keys from a CSV file with the columns merchant and `api_key`.
pub fn read_keys(path: &Path) -> Result<ApiKeys, String> {
    #[derive(Deserialize)]
    struct Row {
        merchant: String,
        api_key: String,
    }
    let fault = |error: csv::Error| format!("the keys in {} cannot be read: {error}", path.display());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(fault)?;
    let mut keys = ApiKeys::new();
    for row in reader.deserialize() {
        let Row { merchant, api_key } = row.map_err(fault)?;
        let merchant =
            MerchantId::new(merchant).map_err(|error| format!("a merchant in {} {error}", path.display()))?;
        keys.insert(merchant, api_key.into());
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
    for (merchant, &Permissions { unlinked_refunds, high_priority }) in merchants {
        let key = format!("sk_{}", Nonce::from_bits(entropy.bits()).as_str());
        let key_hash = ApiKeyHash::of(&key).ok_or("the drawn API key does not have a key's form")?;
        let record = Merchant { key_hash, merchant: merchant.clone(), unlinked_refunds, high_priority };
        client
            .put_item()
            .table_name(table)
            .set_item(Some(item(&record)))
            .send()
            .await
            .map_err(|error| format!("cannot create merchant {merchant}: {}", why(&error)))?;
        keys.insert(merchant.clone(), key.into());
    }
    Ok(keys)
}

fn item(record: &Merchant) -> std::collections::HashMap<String, AttributeValue> {
    [
        ("key_hash", AttributeValue::S(record.key_hash.as_str().to_owned())),
        ("merchant", AttributeValue::S(record.merchant.as_str().to_owned())),
        ("unlinked_refunds", AttributeValue::Bool(record.unlinked_refunds)),
        ("high_priority", AttributeValue::Bool(record.high_priority)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_that_refund_are_given_the_permission() {
        let file = "order_id,kind,merchant,amount,currency\n1,charge,a,1,EUR\n2,refund,a,1,EUR\n3,charge,b,1,EUR\n";
        let read = crate::transactions::read(file.as_bytes()).unwrap();
        let named: Vec<_> =
            named(&read.rows).into_iter().map(|(id, may)| (id.to_string(), may.unlinked_refunds)).collect();
        assert_eq!(named, [("a".to_owned(), true), ("b".to_owned(), false)]);
    }
}

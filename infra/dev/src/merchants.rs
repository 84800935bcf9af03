//! Creates the merchants that a file of payments names, each with an API key drawn here and now.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use payments::id::{MerchantId, Nonce};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::payment::Kind;
use payments::ports::Entropy;

use crate::transactions::Transaction;

/// The API keys of merchants.
pub type ApiKeys = BTreeMap<MerchantId, Arc<str>>;

/// The merchants of a file, each with whether it refunds. A file's refunds name no charge, so that is the permission
/// that such a merchant needs.
pub fn named(transactions: &[Transaction]) -> BTreeMap<MerchantId, bool> {
    let mut merchants = BTreeMap::new();
    for transaction in transactions {
        *merchants.entry(transaction.merchant.clone()).or_insert(false) |= transaction.kind == Kind::Refund;
    }
    merchants
}

/// Writes the merchants into `table` and returns their keys, of which the table has the hashes only.
pub async fn create<E: Entropy>(
    client: &Client,
    table: &str,
    merchants: &BTreeMap<MerchantId, bool>,
    entropy: &E,
) -> Result<ApiKeys, String> {
    let mut keys = ApiKeys::new();
    for (merchant, &unlinked_refunds) in merchants {
        let key = format!("sk_local_{}", Nonce::from_bits(entropy.bits()).as_str());
        let key_hash = ApiKeyHash::of(&key).ok_or("the drawn API key does not have a key's form")?;
        let record = Merchant { key_hash, merchant: merchant.clone(), unlinked_refunds, high_priority: false };
        client
            .put_item()
            .table_name(table)
            .set_item(Some(item(&record)))
            .send()
            .await
            .map_err(|error| format!("cannot create merchant {merchant}: {}", DisplayErrorContext(&error)))?;
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
        let named: Vec<_> = named(&read.rows).into_iter().map(|(id, refunds)| (id.to_string(), refunds)).collect();
        assert_eq!(named, [("a".to_owned(), true), ("b".to_owned(), false)]);
    }
}

//! The table of merchants, keyed by `key_hash`, behind the core's `Merchants`.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use payments::merchant::{ApiKeyHash, Merchant};
use ports::{Merchants, StoreError};

use crate::item::from_item;
use crate::verdict::{Attempts, store_error};

/// Merchants in a table.
#[derive(Clone, Debug)]
pub struct DynamoMerchants {
    client: Client,
    table: String,
}

impl DynamoMerchants {
    /// Merchants in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl Merchants for DynamoMerchants {
    /// Consistent, so that a key that was taken away is refused at once.
    async fn find(&self, key: &ApiKeyHash) -> Result<Option<Merchant>, StoreError> {
        let attempts = Attempts::default();
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("key_hash", AttributeValue::S(key.as_str().to_owned()))
            .consistent_read(true)
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await
            .map_err(|error| store_error("GetItem", &error, &attempts))?;
        output.item.map(from_item).transpose()
    }
}

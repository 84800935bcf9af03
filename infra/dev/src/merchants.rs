//! The merchants of a system in this process.

use std::collections::BTreeMap;

use aws::system::SystemEntropy;
use cloud::embedded::MERCHANTS_TABLE;
use cloud::local::system::System;
use operator::merchants::keys::{ApiKeys, Permissions, create};
use payments::id::MerchantId;

/// Creates them, each with what it may do, and returns their keys.
pub async fn create_in(system: &System, merchants: &BTreeMap<MerchantId, Permissions>) -> Result<ApiKeys, String> {
    create(&system.clients().dynamodb, MERCHANTS_TABLE, merchants, &SystemEntropy).await
}

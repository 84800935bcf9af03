//! Idempotency keys in the table of payments.

use aws_sdk_dynamodb::types::AttributeValue;
use cloud::embedded::PAYMENTS_TABLE;
use payments::id::MerchantId;
use payments::idempotency::{Binding, Bound};
use ports::Store;

use super::super::keys::{key_contract, lost_key_contract};
use super::super::samples::{NOW, accepted, order};
use super::Aws;

#[tokio::test]
async fn aws_keeps_the_contract_of_keys() {
    let aws = Aws::start().await;
    key_contract(&aws.store()).await;
    lost_key_contract(&aws.store(), &aws).await;
}

/// The table's TTL, which takes keys alone, finds the second at which a key may be forgotten: in seconds since the epoch, not in ms.
#[tokio::test]
async fn a_key_is_one_call_and_is_kept_until_its_second() {
    let aws = Aws::start().await;
    let id = accepted(order()).id;
    let merchant = MerchantId::new("shop").unwrap();
    let binding = Binding::new(&merchant, "k", &id, NOW, 86_400_000);
    aws.embedded.forget_calls();
    assert_eq!(aws.store().bind(&binding).await, Ok(Bound::Here));
    assert_eq!(aws.embedded.calls().values().sum::<u64>(), 1);
    let item = aws.clients.dynamodb.get_item().table_name(PAYMENTS_TABLE);
    let item = item.key("id", AttributeValue::S(binding.key.as_str().to_owned())).send().await.unwrap().item.unwrap();
    assert_eq!(item["delete_after"], AttributeValue::N((NOW.seconds() + 86_400).to_string()));
    assert_eq!(item["payment_id"], AttributeValue::S(id.as_str().to_owned()));
    assert_eq!(item.len(), 3, "{item:?}");
}

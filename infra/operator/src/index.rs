//! The index of what waits, read by a person.

use aws::store::DynamoStore;
use payments::id::PaymentId;
use payments::index::Shard;
use payments::time::Timestamp;
use ports::Merged;

/// Payments read of a shard of the index at a time.
const PAGE: u32 = 100;
/// Later than every payment; the last millisecond that RFC 3339 can say.
const EVER: Timestamp = Timestamp::from_ms(253_402_300_799_999);

/// The payments of these shards of the index, oldest first.
pub(crate) fn indexed(store: &DynamoStore, shards: impl IntoIterator<Item = Shard>) -> Merged<'_, DynamoStore> {
    Merged::new(store, shards, EVER, PAGE)
}

/// The next of them.
pub(crate) async fn next(found: &mut Merged<'_, DynamoStore>) -> Result<Option<PaymentId>, String> {
    let key = found.next().await.map_err(|error| format!("cannot read the index: {error}"))?;
    Ok(key.map(|key| key.payment_id))
}

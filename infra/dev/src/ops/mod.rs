//! What a person on call asks and does: one payment, those that wait, a replay with its preview, a merchant's keys, a provider's gate.

pub mod gate;
pub mod get;
pub mod hand;
pub mod list;
pub mod merchant;
pub mod replay;
pub mod resolve;
pub mod restore;

use aws::store::DynamoStore;
use cloud::local::settings;
use payments::id::PaymentId;
use payments::index::Shard;
use payments::policy::Policy;
use payments::time::Timestamp;
use ports::Merged;

use crate::account::Account;
use crate::stack::Stack;

/// Payments read of a shard of the index at a time.
const PAGE: u32 = 100;
/// Later than every payment; the last millisecond that RFC 3339 can say.
const EVER: Timestamp = Timestamp::from_ms(253_402_300_799_999);

/// The payments of these shards of the index, oldest first.
fn indexed(store: &DynamoStore, shards: impl IntoIterator<Item = Shard>) -> Merged<'_, DynamoStore> {
    Merged::new(store, shards, EVER, PAGE)
}

/// The next of them.
async fn next(found: &mut Merged<'_, DynamoStore>) -> Result<Option<PaymentId>, String> {
    let key = found.next().await.map_err(|error| format!("cannot read the index: {error}"))?;
    Ok(key.map(|key| key.payment_id))
}

/// Reads what stands in front of a person's eyes as an id.
fn payment_id(text: &str) -> Result<PaymentId, String> {
    PaymentId::new(text.to_owned()).map_err(|error| format!("{text} is no payment's id: {error}"))
}

/// The provider's numbers: the demo's on this machine, else those that the stack was deployed with.
fn policy(account: &Account) -> Result<Policy, String> {
    account.stack.as_ref().map_or_else(|| Ok(settings::policy()), Stack::policy)
}

/// This machine's numbers, with the keys that `cargo dev up` links histories under.
fn policy_here() -> Result<Policy, String> {
    Ok(Policy { history_keys: crate::explain::keys(false)?, ..settings::policy() })
}

//! The contract of `Merchants`.

use payments::limit::Limit;
use payments::merchant::{ApiKeyHash, Merchant};
use ports::Merchants;

use super::samples::{drawn, merchant};

/// Every promise of a table of merchants; `add` puts one into it.
pub async fn merchants_contract<M: Merchants>(merchants: &M, add: impl AsyncFn(&Merchant)) {
    let hash = |name: &str| ApiKeyHash::of(&format!("{name}_0123456789abcdef_{}", drawn())).unwrap();
    for (unlinked_refunds, high_priority, limit) in
        [(false, false, None), (true, false, Some(Limit::new(20, 60))), (false, true, None)]
    {
        let known = Merchant { key_hash: hash("known"), merchant: merchant(), unlinked_refunds, high_priority, limit };
        assert_eq!(merchants.find(&known.key_hash).await, Ok(None), "not there yet");
        add(&known).await;
        assert_eq!(merchants.find(&known.key_hash).await, Ok(Some(known.clone())));
    }
    assert_eq!(merchants.find(&hash("unknown")).await, Ok(None));
}

//! The contract of `Store` for idempotency keys: a key is one payment's, whoever comes first.

use payments::id::{MerchantId, PaymentId};
use payments::idempotency::{Binding, Bound};
use ports::Store;

use super::samples::{NOW, accepted, drawn, order};
use super::store::{Lossy, applied, stands, until_resolved};

fn payment_id() -> PaymentId {
    accepted(order()).id
}

fn binding(merchant: &str, key: &str, payment_id: &PaymentId) -> Binding {
    Binding::new(&MerchantId::new(merchant).unwrap(), key, payment_id, NOW, 86_400_000)
}

/// Every promise of a store about keys that needs no fault.
pub async fn key_contract<S: Store>(store: &S) {
    a_key_is_the_first_payments_for_good(store).await;
    of_two_at_once_one_gets_the_key(store).await;
    a_key_touches_no_payment(store).await;
}

async fn a_key_is_the_first_payments_for_good<S: Store>(store: &S) {
    let (key, one, other) = (format!("key-{}", drawn()), payment_id(), payment_id());
    for _ in 0..2 {
        assert_eq!(store.bind(&binding("shop", &key, &one)).await, Ok(Bound::Here));
        assert_eq!(store.bind(&binding("shop", &key, &other)).await, Ok(Bound::Elsewhere(one.clone())));
    }
    // Another merchant's same key, another key for the same payment, and a key in other letters are their own.
    assert_eq!(store.bind(&binding("shop-2", &key, &other)).await, Ok(Bound::Here));
    assert_eq!(store.bind(&binding("shop", &format!("{key}-2"), &one)).await, Ok(Bound::Here));
    assert_eq!(store.bind(&binding("shop", &key.to_uppercase(), &other)).await, Ok(Bound::Here));
    assert_eq!(store.bind(&binding("sho", &format!("p{key}"), &other)).await, Ok(Bound::Here));
}

async fn of_two_at_once_one_gets_the_key<S: Store>(store: &S) {
    for _ in 0..10 {
        let (key, one, other) = (format!("key-{}", drawn()), payment_id(), payment_id());
        let (first, second) = (binding("shop", &key, &one), binding("shop", &key, &other));
        match tokio::join!(store.bind(&first), store.bind(&second)) {
            (Ok(Bound::Here), Ok(Bound::Elsewhere(id))) => assert_eq!(id, one),
            (Ok(Bound::Elsewhere(id)), Ok(Bound::Here)) => assert_eq!(id, other),
            both => panic!("{both:?}"),
        }
    }
}

async fn a_key_touches_no_payment<S: Store>(store: &S) {
    let payment = accepted(order());
    let key = format!("key-{}", drawn());
    assert_eq!(store.bind(&binding("shop", &key, &payment.id)).await, Ok(Bound::Here));
    assert_eq!(store.get(&payment.id).await, Ok(None), "a key is no payment");
    applied(store.put(&payment).await);
    assert_eq!(store.bind(&binding("shop", &key, &payment.id)).await, Ok(Bound::Here));
    assert_eq!(stands(store, &payment.id).await, payment);
}

/// Whose answer was lost finds its own binding.
pub async fn lost_key_contract<S: Store, L: Lossy>(store: &S, lossy: &L) {
    let (key, one, other) = (format!("key-{}", drawn()), payment_id(), payment_id());
    lossy.lose_next_answer();
    let bound = until_resolved(async || store.bind(&binding("shop", &key, &one)).await).await;
    assert_eq!(bound, Bound::Here);
    lossy.lose_next_answer();
    let bound = until_resolved(async || store.bind(&binding("shop", &key, &other)).await).await;
    assert_eq!(bound, Bound::Elsewhere(one));
}

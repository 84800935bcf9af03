//! I6: the same request always gets the same id, and no two get one. Texts that are no ids are none.

use payments::id::{ClaimId, IdError, MERCHANT_ID_MAX, MerchantId, Nonce, ORDER_ID_MAX, OrderId, PaymentId};
use payments::payment::{Kind, OPEN_SHARDS};
use proptest::prelude::*;

use super::cases;

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL)
}

fn merchant() -> impl Strategy<Value = MerchantId> {
    "[a-z0-9-]{1,40}".prop_map(|text| MerchantId::new(text).unwrap())
}

fn order() -> impl Strategy<Value = OrderId> {
    "[!-~]{1,64}".prop_map(|text| OrderId::new(text).unwrap())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_same_order_always_has_the_same_id(merchant in merchant(), kind in kind(), order in order()) {
        let id = PaymentId::derive(&merchant, kind, &order);
        prop_assert_eq!(&PaymentId::derive(&merchant, kind, &order), &id);
        prop_assert_eq!(PaymentId::new(id.as_str()), Ok(id.clone()));
        prop_assert!(id.shard(OPEN_SHARDS) < OPEN_SHARDS);
    }

    #[test]
    fn no_two_orders_have_one_id(one in (merchant(), kind(), order()), two in (merchant(), kind(), order())) {
        let id = |(merchant, kind, order): &(MerchantId, Kind, OrderId)| PaymentId::derive(merchant, *kind, order);
        prop_assert_eq!(id(&one) == id(&two), one == two);
    }

    #[test]
    fn where_one_part_ends_and_the_next_begins_matters(text in "[a-z0-9]{3,30}", cut in 1_usize..29) {
        let at = 1 + cut % (text.len() - 2);
        let id = |at: usize| {
            let (merchant, order) = text.split_at(at);
            PaymentId::derive(&MerchantId::new(merchant).unwrap(), Kind::Charge, &OrderId::new(order).unwrap())
        };
        prop_assert_ne!(id(at), id(at + 1));
    }

    #[test]
    fn an_order_id_is_short_printable_and_without_spaces(text in "\\PC{0,70}|[!-~]{0,70}|[ -~\\x00-\\x1f]{1,20}") {
        let good = (1..=ORDER_ID_MAX).contains(&text.chars().count()) && text.bytes().all(|b| b.is_ascii_graphic());
        prop_assert_eq!(OrderId::new(text.clone()).is_ok(), good, "{:?}", text);
    }

    #[test]
    fn drawn_ids_read_back_and_differ(one in any::<u128>(), two in any::<u128>()) {
        prop_assert_eq!(Nonce::new(Nonce::from_bits(one).as_str()), Ok(Nonce::from_bits(one)));
        prop_assert_eq!(ClaimId::new(ClaimId::from_bits(one).as_str()), Ok(ClaimId::from_bits(one)));
        prop_assert_eq!(ClaimId::from_bits(one) == ClaimId::from_bits(two), one == two);
    }
}

#[test]
fn what_has_not_the_form_of_an_id_is_none() {
    let id = PaymentId::derive(&MerchantId::new("m").unwrap(), Kind::Charge, &OrderId::new("o").unwrap());
    for text in [
        "",
        "pay_",
        &id.as_str()[..35],
        &id.as_str().to_ascii_uppercase(),
        &format!("{id}a"),
        &id.as_str().replace('_', "-"),
    ] {
        assert!(PaymentId::new(text).is_err(), "{text}");
    }
    // Of the right length, and with a character that is in no id.
    for letter in ["0", "1", "8", "9", "A", "-", " "] {
        assert!(PaymentId::new(format!("pay_{}{letter}", "a".repeat(31))).is_err(), "{letter}");
        assert!(Nonce::new(format!("{}{letter}", "a".repeat(25))).is_err(), "{letter}");
        assert!(ClaimId::new(format!("{letter}{}", "a".repeat(25))).is_err(), "{letter}");
    }
    assert_eq!(MerchantId::new(""), Err(IdError::Empty));
    assert!(MerchantId::new("m".repeat(MERCHANT_ID_MAX)).is_ok());
    assert!(OrderId::new("o".repeat(ORDER_ID_MAX)).is_ok());
    assert_eq!(OrderId::new("o".repeat(ORDER_ID_MAX + 1)), Err(IdError::TooLong(ORDER_ID_MAX)));
    assert_eq!(MerchantId::new("m".repeat(MERCHANT_ID_MAX + 1)), Err(IdError::TooLong(MERCHANT_ID_MAX)));
    assert!(MerchantId::new("United Kingdom").is_err() && MerchantId::new("a_b").is_err());
}

/// A shard that got far more than its share would be the index's hot partition.
#[test]
fn payments_spread_over_the_shards() {
    let merchant = MerchantId::new("united-kingdom").unwrap();
    let mut counts = vec![0_u32; usize::try_from(OPEN_SHARDS).unwrap()];
    let each = 100;
    for number in 0..OPEN_SHARDS * each {
        let order = OrderId::new((536_365 + number).to_string()).unwrap();
        counts[usize::try_from(PaymentId::derive(&merchant, Kind::Charge, &order).shard(OPEN_SHARDS)).unwrap()] += 1;
    }
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*least > each / 2 && *most < each * 3 / 2, "{least} to {most} of {each}");
}

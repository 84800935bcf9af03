//! Which orders Stripe can make, and how they are written and asked about.

use payments::payment::{Kind, Order, RefundOf};
use payments::provider::ProviderKind;
use ports::Trace;
use proptest::prelude::*;
use providers::contract::check;
use providers::stripe::amount::{AmountError, of, says};

use super::{INTENT, NOW, charge, contract, header, id_of, known, lost, money, pairs, refund, refund_of};

fn refused(order: &Order) -> Option<String> {
    check(ProviderKind::Stripe, order).err().map(|error| error.field)
}

#[test]
fn what_stripe_cannot_make_is_refused_by_its_field() {
    assert_eq!((refused(&charge("1")), refused(&refund("1"))), (None, None));
    // Before the charge has been looked up.
    assert_eq!(refused(&refund_of("1", None)), None);
    for method in ["card_1", "src_1", "pm_card_visa"] {
        assert_eq!(refused(&Order { payment_method: Some(method.to_owned()), ..charge("1") }), None, "{method}");
    }
    for method in [
        None,
        Some(""),
        Some("pm_"),
        Some("tok_1"),
        Some("auth_code:28763443825664394"),
        Some("pm_1/../x"),
        Some("PM_1"),
    ] {
        let order = Order { payment_method: method.map(str::to_owned), ..charge("1") };
        assert_eq!(refused(&order).as_deref(), Some("payment_method"), "{method:?}");
        assert!(contract().send(&id_of(&order), &order, NOW).is_none(), "{method:?}");
    }
    for customer in [None, Some("4711"), Some("cus_"), Some("cus_1&limit=1")] {
        let order = Order { customer: customer.map(str::to_owned), ..charge("1") };
        assert_eq!(refused(&order).as_deref(), Some("customer"), "{customer:?}");
        // Without whose it is there is no list either.
        assert!(contract().query(&id_of(&order), &order, &lost(), NOW).is_none(), "{customer:?}");
    }
    for name in ["sluice_payment_id", "sluice_x", "a[b]"] {
        let order = Order { metadata: [(name.to_owned(), "1".to_owned())].into(), ..charge("1") };
        assert_eq!(refused(&order).as_deref(), Some("metadata"), "{name}");
    }
    assert_eq!(refused(&Order { kind: Kind::Payout, ..charge("1") }).as_deref(), Some("kind"));
    let unlinked = Order { refund_of: Some(RefundOf::Unlinked), ..refund("1") };
    assert_eq!(refused(&unlinked).as_deref(), Some("unlinked"));
    let with_method = Order { payment_method: charge("1").payment_method, ..refund("1") };
    assert_eq!(refused(&with_method).as_deref(), Some("payment_method"));
    assert_eq!(refused(&refund_of("1", Some("by_hand"))).as_deref(), Some("original_order_id"));
}

#[test]
fn a_charge_is_confirmed_at_once_and_off_session_under_our_id() {
    let order = Order {
        description: Some("Tee & Gebäck, 茶".to_owned()),
        metadata: [("basket".to_owned(), "b=17".to_owned())].into(),
        ..charge("1")
    };
    let id = id_of(&order);
    let written = contract().send(&id, &order, NOW).unwrap();
    assert_eq!((written.method.as_str(), written.path.as_str()), ("POST", "/v1/payment_intents"));
    assert_eq!(header(&written, "idempotency-key"), Some(id.as_str()));
    assert_eq!(header(&written, "stripe-version"), Some("2025-03-31.basil"));
    assert!(header(&written, "authorization").unwrap().starts_with("Bearer sk_test_"));
    assert!(written.headers.iter().any(|(name, value)| name == "authorization" && value.is_sensitive()));
    let expected = [
        ("amount", "1999"),
        ("currency", "eur"),
        ("customer", "cus_NffrFeUfNV2Hib"),
        ("payment_method", "pm_1MtwBwLkdIwHu7ix28a3tqPa"),
        ("automatic_payment_methods[enabled]", "true"),
        ("automatic_payment_methods[allow_redirects]", "never"),
        ("confirm", "true"),
        ("off_session", "true"),
        ("description", "Tee & Gebäck, 茶"),
        ("metadata[sluice_payment_id]", id.as_str()),
        ("metadata[sluice_merchant]", "shop"),
        ("metadata[sluice_order_id]", "1"),
        ("metadata[basket]", "b=17"),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(pairs(&written.body), expected);
    // The same for ever: other parameters under a known key are an error.
    assert_eq!(contract().send(&id, &order, NOW.plus_ms(86_400_000)).unwrap().body, written.body);
}

#[test]
fn a_refund_names_its_intent_and_waits_for_no_other() {
    let order = refund("1");
    let written = contract().send(&id_of(&order), &order, NOW).unwrap();
    assert_eq!(written.path, "/v1/refunds");
    let of = |name: &str| pairs(&written.body).into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    assert_eq!((of("amount").as_deref(), of("payment_intent").as_deref()), (Some("500"), Some(INTENT)));
    assert_eq!(of("metadata[sluice_payment_id]").as_deref(), Some(id_of(&order).as_str()));
    let unknown = refund_of("1", None);
    assert!(contract().send(&id_of(&unknown), &unknown, NOW).is_none());
    assert!(contract().query(&id_of(&unknown), &unknown, &lost(), NOW).is_none());
}

#[test]
fn it_is_asked_by_stripes_id_where_that_is_known_and_by_the_list_where_it_was_lost() {
    let path = |order: &Order, trace: &Trace| contract().query(&id_of(order), order, trace, NOW).unwrap().path;
    assert_eq!(path(&charge("1"), &known(INTENT)), format!("/v1/payment_intents/{INTENT}"));
    assert_eq!(path(&refund("1"), &known("re_1Nispe2")), "/v1/refunds/re_1Nispe2");
    // An hour's third before the first request: clocks.
    let since = NOW.seconds() - 20 * 60;
    let listed = format!("/v1/payment_intents?customer=cus_NffrFeUfNV2Hib&created%5Bgte%5D={since}&limit=100");
    assert_eq!(path(&charge("1"), &lost()), listed);
    // What is no id of that object is no id: a decline's code, an evidence of a person's, the charge's own.
    assert_eq!(path(&charge("1"), &known("card_declined")), listed);
    assert_eq!(path(&charge("1"), &known("re_1Nispe2")), listed);
    assert_eq!(path(&charge("1"), &known("pi_1/../../v1/charges")), listed);
    let refunds = format!("/v1/refunds?payment_intent={INTENT}&created%5Bgte%5D={since}&limit=100");
    assert_eq!(path(&refund("1"), &known(INTENT)), refunds);
    // After a restore nobody knows when it was sent.
    let whole = path(&charge("1"), &Trace::default());
    assert_eq!(whole, "/v1/payment_intents?customer=cus_NffrFeUfNV2Hib&limit=100");
}

#[test]
fn amounts_are_counted_as_stripe_counts_each_currency() {
    for (amount, currency, counted) in [
        (1_999, "EUR", Ok(1_999)),
        (500, "JPY", Ok(500)),
        (5_120, "KWD", Ok(5_120)),
        (5, "ISK", Ok(500)),
        (7, "UGX", Ok(700)),
        (1_200, "MGA", Ok(12)),
        (99_999_999, "USD", Ok(99_999_999)),
        (100_000_000, "USD", Err(AmountError::TooLarge)),
        (1_000_000, "ISK", Err(AmountError::TooLarge)),
        (1, "IQD", Err(AmountError::Currency)),
        (1, "LYD", Err(AmountError::Currency)),
    ] {
        assert_eq!(of(money(amount, currency)), counted, "{amount} {currency}");
    }
    assert!(matches!(of(money(5_124, "KWD")), Err(AmountError::NotWhole(_))));
    assert!(matches!(of(money(1_250, "MGA")), Err(AmountError::NotWhole(_))));
    for (amount, currency, field) in [(5_124, "KWD", "amount"), (1, "IQD", "currency"), (100_000_000, "USD", "amount")]
    {
        assert_eq!(refused(&Order { money: money(amount, currency), ..charge("1") }).as_deref(), Some(field));
    }
    assert!(
        says(500, "isk", money(5, "ISK")) && !says(5, "isk", money(5, "ISK")) && !says(500, "ISK", money(5, "ISK"))
    );
}

proptest! {
    /// Two amounts that differ are never counted alike, in any currency that is taken.
    #[test]
    fn no_two_amounts_are_counted_alike(
        one in 1_u64..2_000_000,
        other in 1_u64..2_000_000,
        currency in prop::sample::select(vec!["EUR", "JPY", "KWD", "ISK", "UGX", "MGA"]),
    ) {
        if let (Ok(left), Ok(right)) = (of(money(one, currency)), of(money(other, currency))) {
            prop_assert_eq!(left == right, one == other);
        }
    }
}

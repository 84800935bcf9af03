//! Secrets: read at the start, or named without being shown.

use payments::provider::ProviderKind;
use providers::callback::Known;
use providers::contract::Contract;
use providers::stripe::secret::{Account, signing_secret};
use serde_json::json;

use super::{KEYS, NOW, charge, header, id_of};

#[test]
fn what_is_missing_wrong_or_too_much_is_named_and_nothing_is_shown() {
    assert!(Account::parse(&KEYS.provider).is_ok() && signing_secret(&KEYS.callback).is_ok());
    for (secret, expected) in [
        ("sk_test_0123456789".to_owned(), "must be a JSON object whose values are texts"),
        (json!({ "secret_key": 1 }).to_string(), "must be a JSON object whose values are texts"),
        (json!({}).to_string(), "lacks secret_key"),
        (
            json!({ "secret_key": "pk_live_0123456789" }).to_string(),
            "secret_key in the provider's secret must be a secret or",
        ),
        (json!({ "secret_key": "sk_live_" }).to_string(), "secret_key in the provider's secret must be a secret or"),
        (
            json!({ "secret_key": "sk_live_012\r\n3" }).to_string(),
            "secret_key in the provider's secret must be a secret or",
        ),
        (
            json!({ "secret_key": "sk_live_0123", "account": "12" }).to_string(),
            "account in the provider's secret must be",
        ),
        (
            json!({ "secret_key": "sk_live_0123", "signing_secret": "whsec_0123" }).to_string(),
            "a member that is not taken",
        ),
    ] {
        let error = Contract::new(ProviderKind::Stripe, "/", &secret).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("0123"), "{error}");
    }
    for (secret, expected) in [
        ("whsec_0123456789".to_owned(), "must be a JSON object whose values are texts"),
        (json!({ "signing_secret": "sk_live_0123" }).to_string(), "signing_secret in the provider's secret must be"),
        (
            json!({ "signing_secret": "whsec_0123", "secret_key": "sk_live_0123" }).to_string(),
            "a member that is not taken",
        ),
    ] {
        let error = Known::new(ProviderKind::Stripe, &secret, None).expect_err(expected).to_string();
        assert!(error.contains(expected) && !error.contains("0123"), "{error}");
        assert!(Known::new(ProviderKind::Stripe, &KEYS.callback, Some(&secret)).is_err(), "the one before as well");
    }
}

#[test]
fn nothing_that_is_printed_shows_a_key() {
    let contract = Contract::new(ProviderKind::Stripe, "/", &KEYS.provider).unwrap();
    let written = contract.send(&id_of(&charge("1")), &charge("1"), NOW).unwrap();
    let known = Known::new(ProviderKind::Stripe, &KEYS.callback, None).unwrap();
    let shown = format!("{contract:?} {written:?} {known:?}");
    assert!(!shown.contains(&KEYS.sandbox) && !shown.contains(&KEYS.signing_secret), "{shown}");
}

#[test]
fn a_connected_account_is_named_in_each_request_and_a_root_is_kept() {
    let secret = json!({ "secret_key": "rk_live_0123", "account": "acct_1032D82eZvKYlo2C" }).to_string();
    let contract = Contract::new(ProviderKind::Stripe, "/proxy/", &secret).unwrap();
    let order = charge("1");
    let written = contract.send(&id_of(&order), &order, NOW).unwrap();
    assert_eq!(written.path, "/proxy/v1/payment_intents");
    assert_eq!(header(&written, "stripe-account"), Some("acct_1032D82eZvKYlo2C"));
    let asked = contract.query(&id_of(&order), &order, &super::lost(), NOW).unwrap();
    assert_eq!(header(&asked, "stripe-account"), Some("acct_1032D82eZvKYlo2C"));
    assert_eq!(header(&asked, "idempotency-key"), None);
}

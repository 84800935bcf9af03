//! Secrets: read at the start, or named without being shown.

use payments::provider::ProviderKind;
use providers::alipay::rsa::{SigningKey, VerifyingKey};
use providers::alipay::secret::{Account, Notified, SecretError};
use providers::callback::Known;
use providers::contract::Contract;
use providers::http::SettingsError;
use serde_json::Value;

use super::KEYS;

fn changed(secret: &str, name: &str, value: Option<&str>) -> String {
    let mut secret: Value = serde_json::from_str(secret).unwrap();
    match value {
        Some(value) => secret[name] = value.into(),
        None => {
            secret.as_object_mut().unwrap().remove(name).unwrap();
        }
    }
    secret.to_string()
}

#[test]
fn what_is_missing_wrong_or_too_much_is_named_and_nothing_is_shown() {
    let keys = &*KEYS;
    assert!(Account::parse(&keys.provider).is_ok() && Notified::parse(&keys.callback).is_ok());
    // Written by hand it may have line breaks.
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&keys.provider).unwrap()).unwrap();
    assert!(Account::parse(&pretty).is_ok());
    let public: Value = serde_json::from_str(&keys.callback).unwrap();
    let public = public["alipay_public_key"].as_str().unwrap();
    let cases = [
        ("key_0123456789".to_owned(), "must be a JSON object whose values are texts"),
        (r#"{"app_id":2021}"#.to_owned(), "must be a JSON object whose values are texts"),
        (changed(&keys.provider, "app_id", None), "lacks app_id"),
        (changed(&keys.provider, "private_key", None), "lacks private_key"),
        (changed(&keys.provider, "alipay_public_key", None), "lacks alipay_public_key"),
        (changed(&keys.provider, "app_id", Some("wx2021")), "app_id in the provider's secret must be the digits"),
        (
            changed(&keys.provider, "private_key", Some("no base64")),
            "private_key in the provider's secret must be an RSA",
        ),
        (changed(&keys.provider, "private_key", Some(public)), "private_key in the provider's secret must be an RSA"),
        (
            changed(&keys.provider, "alipay_public_key", Some("AAAA")),
            "alipay_public_key in the provider's secret must be",
        ),
        (
            changed(&keys.provider, "notify_url", Some("http://a.example")),
            "notify_url in the provider's secret must be",
        ),
        (changed(&keys.provider, "aes_key", Some("hush")), "holds a member that is not taken"),
    ];
    for (secret, says) in cases {
        let error = Contract::new(ProviderKind::Alipay, "/gateway.do", &secret).unwrap_err();
        assert!(matches!(error, SettingsError::Secret(_)), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says), "{shown}");
        assert!(!shown.contains("hush") && !shown.contains("no base64") && !shown.contains(&public[..20]), "{shown}");
    }
    // Whoever takes notices signs nothing, and has no private key.
    let private = changed(&keys.callback, "private_key", Some("hush"));
    assert!(matches!(
        Known::new(ProviderKind::Alipay, &private, None),
        Err(SettingsError::Secret(SecretError::Foreign(_)))
    ));
    assert!(Known::new(ProviderKind::Alipay, &keys.callback, Some("{}")).is_err(), "the one before is read as well");
    let shown = format!("{:?}", Contract::new(ProviderKind::Alipay, "/", &keys.provider).unwrap());
    assert!(shown.contains("not shown") && !shown.contains("MII"), "{shown}");
}

#[test]
fn a_key_is_taken_with_and_without_its_frame_and_not_below_2048_bits() {
    let keys: Value = serde_json::from_str(&KEYS.provider).unwrap();
    let (private, public) = (keys["private_key"].as_str().unwrap(), keys["alipay_public_key"].as_str().unwrap());
    let framed = |kind: &str, base64: &str| {
        let lines: Vec<String> =
            base64.as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\r\n"))
    };
    assert!(SigningKey::parse(&framed("PRIVATE KEY", private)).is_some());
    assert!(VerifyingKey::parse(&framed("PUBLIC KEY", public)).is_some());
    // `openssl genrsa 1024 | openssl rsa -pubout`.
    let short = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDWDSmCdCrpVHOAuFRZZNwEVi6ralCugYIOMRA1BN9I58tpdFWxF9nhPQtQwf7ydrmjbu9PlF9q6enOpxWUPMtlIh0D7nxRpsCe8XKjePqursVbKrnnwhNUJDpjw/jxb2kob+SVattYLY5tuACOL5HfJkb4wvwxhLUzpr8MWG06/wIDAQAB";
    assert!(VerifyingKey::parse(short).is_none());
    for text in ["", "-----BEGIN PUBLIC KEY-----", "MII"] {
        assert!(SigningKey::parse(text).is_none() && VerifyingKey::parse(text).is_none(), "{text:?}");
    }
}

#[test]
fn certificate_mode_names_both_certificates_in_every_request_and_never_one() {
    let (app, root) =
        ("0123456789abcdef0123456789abcdef", "687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6");
    let both = changed(&changed(&KEYS.provider, "app_cert_sn", Some(app)), "alipay_root_cert_sn", Some(root));
    let contract = Contract::new(ProviderKind::Alipay, "/gateway.do", &both).unwrap();
    let order = super::charge("1");
    let id = super::id_of(&order);
    for written in [
        contract.send(&id, &order, super::NOW).unwrap(),
        contract.query(&id, &order, &ports::Trace::default(), super::NOW).unwrap(),
    ] {
        let query = written.path.split_once('?').unwrap().1;
        let of = |wanted: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        assert_eq!((of("app_cert_sn").as_deref(), of("alipay_root_cert_sn").as_deref()), (Some(app), Some(root)));
        // Signed with the others.
        let signed: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .chain(form_urlencoded::parse(&written.body))
            .filter(|(name, _)| name != "sign")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let content =
            providers::alipay::signed::content(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let key = VerifyingKey::parse(&super::of_sandbox("app_public_key")).unwrap();
        assert!(key.verifies(content.as_bytes(), &of("sign").unwrap()));
    }
    for (name, value, expected) in [
        ("app_cert_sn", None, "lacks app_cert_sn"),
        ("alipay_root_cert_sn", None, "lacks alipay_root_cert_sn"),
        ("app_cert_sn", Some("0123"), "app_cert_sn in the provider's secret must be the serial"),
        (
            "alipay_root_cert_sn",
            Some("0123456789abcdef0123456789abcdef_"),
            "alipay_root_cert_sn in the provider's secret must",
        ),
    ] {
        let error = Account::parse(&changed(&both, name, value)).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("0123456789"), "{error}");
    }
}

//! The provider's callback by itself: whose it is, and what it says.

use payments::answer::{Found, ProviderText};
use payments::time::Timestamp;
use proptest::prelude::*;
use providers::open::callback::{Callback, CallbackKeys, Distrust, TOLERANCE_MS, sign};

use crate::contract::samples::{NOW, accepted, order, pounds};

const KEY: &str = "callback_key_0123456789abcdefghij";
const BEFORE: &str = "callback_key_before_9876543210zyxw";
const BODY: &[u8] = br#"{"status":"approved"}"#;

fn keys() -> CallbackKeys {
    CallbackKeys::new(KEY, None)
}

#[test]
fn a_signature_made_by_somebody_elses_code_is_believed() {
    // From Python's hmac module, and in infra/provider-openapi.yaml for whoever implements it.
    let header = "t=1764000000,v1=3f5dfed5a571d85c5f39c956788bda44efd11c11f938b6736f9f37e014c0e838";
    assert_eq!(keys().verify(Some(header), BODY, NOW), Ok(()));
    assert_eq!(sign(KEY, NOW, BODY), header);
    assert!(include_str!("../../infra/provider-openapi.yaml").contains(header));
}

#[test]
fn either_of_two_keys_is_believed_while_one_is_being_changed_and_no_third() {
    let both = CallbackKeys::new(KEY, Some(BEFORE));
    for key in [KEY, BEFORE] {
        assert_eq!(both.verify(Some(&sign(key, NOW, BODY)), BODY, NOW), Ok(()));
    }
    let other = sign("callback_key_of_somebody_else_000", NOW, BODY);
    assert_eq!(both.verify(Some(&other), BODY, NOW), Err(Distrust::Forged));
    assert_eq!(keys().verify(Some(&sign(BEFORE, NOW, BODY)), BODY, NOW), Err(Distrust::Forged));
    // A provider that changes its key may sign with both.
    let (_, tag) = other.split_once(',').unwrap();
    let twice = format!("{},{tag},v2=later", sign(KEY, NOW, BODY));
    assert_eq!(keys().verify(Some(&twice), BODY, NOW), Ok(()));
}

#[test]
fn what_is_no_signature_is_told_from_a_wrong_one() {
    assert_eq!(keys().verify(None, BODY, NOW), Err(Distrust::Unsigned));
    let tag = "0".repeat(64);
    let five = format!("t=1764000000{}", format!(",v1={tag}").repeat(5));
    for header in [
        "",
        "t=1764000000",
        &format!("v1={tag}"),
        &format!("t=,v1={tag}"),
        &format!("t=-1,v1={tag}"),
        &format!("t=1764000000,t=1764000000,v1={tag}"),
        &format!("t=99999999999999999999999,v1={tag}"),
        "t=1764000000,v1=no-hex",
        &five,
    ] {
        assert_eq!(keys().verify(Some(header), BODY, NOW), Err(Distrust::Unreadable), "{header:?}");
    }
    for header in [format!("t=1764000000,v1={tag}"), "t=1764000000,v1=".to_owned(), "t=1764000000,v1=00".to_owned()] {
        assert_eq!(keys().verify(Some(&header), BODY, NOW), Err(Distrust::Forged), "{header:?}");
    }
}

#[test]
fn nothing_shows_the_keys() {
    let keys = CallbackKeys::new(KEY, Some(BEFORE));
    let shown = format!("{keys:?} {:?}", keys.verify(Some("t=1,v1=00"), BODY, NOW));
    assert!(!shown.contains("callback_key"), "{shown}");
}

proptest! {
    #[test]
    fn a_signature_holds_for_its_own_body_and_time_alone(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        other in proptest::collection::vec(any::<u8>(), 0..200),
        seconds in 0_u64..4_000_000_000,
        apart_s in 0_u64..600,
        is_late in any::<bool>(),
        moved_s in 1_u64..1_000,
    ) {
        let at = Timestamp::from_ms(seconds * 1_000);
        let header = sign(KEY, at, &body);
        let now = if is_late { at.plus_ms(apart_s * 1_000) } else { at.minus_ms(apart_s * 1_000) };
        let apart_ms = now.since_ms(at).max(at.since_ms(now));
        let expected = if apart_ms <= TOLERANCE_MS { Ok(()) } else { Err(Distrust::OutOfTime) };
        prop_assert_eq!(keys().verify(Some(&header), &body, now), expected);
        if other != body {
            prop_assert_eq!(keys().verify(Some(&header), &other, at), Err(Distrust::Forged));
        }
        // Somebody who moves the time of an old one has to sign it.
        let moved = header.replace(&format!("t={seconds},"), &format!("t={},", seconds + moved_s));
        prop_assert_eq!(keys().verify(Some(&moved), &body, at.plus_ms(moved_s * 1_000)), Err(Distrust::Forged));
    }
}

#[test]
fn a_callback_says_what_a_query_is_answered_with() {
    let payment = accepted(order());
    let id = payment.id.as_str();
    let read = |more: &str| {
        Callback::read(format!(r#"{{"payment_id":"{id}","amount":13912,"currency":"GBP",{more}}}"#).as_bytes())
    };
    let approved = read(r#""status":"approved","reference":"ref-1","added":"later""#).unwrap();
    assert_eq!(approved.found, Found::Approved { reference: ProviderText::new("ref-1") });
    assert_eq!(read(r#""status":"accepted""#).unwrap().found, Found::Accepted { reference: None });
    let declined = read(r#""status":"declined","code":"expired_card""#).unwrap();
    assert_eq!(declined.found, Found::Declined { code: ProviderText::new("expired_card") });
    assert!(approved.is_about(&payment));
    let mut dearer = payment.clone();
    dearer.order.money = pounds(13_913);
    assert!(!approved.is_about(&dearer));
    assert!(!approved.is_about(&accepted(order())), "another payment");
    for more in
        [r#""status":"approved""#, r#""status":"declined""#, r#""status":"not_found""#, r#""status":"refunded""#]
    {
        assert_eq!(read(more), None, "{more}");
    }
    assert_eq!(Callback::read(br#"{"status":"accepted","payment_id":"pay_1","amount":1,"currency":"GBP"}"#), None);
    assert_eq!(Callback::read(b"approved"), None);
}

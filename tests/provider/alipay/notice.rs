//! Alipay's notice by itself: whose it is, and what it says.

use std::collections::BTreeMap;

use payments::answer::{Found, ProviderText};
use payments::payment::{Order, Payment};
use payments::provider::ProviderKind;
use providers::alipay::signed::content;
use providers::callback::{BodyForm, Callback, Distrust, Known, NotTaken, Receipt, Received};

use super::{KEYS, NOW, charge, id_of, refund, sign};
use crate::contract::samples::accepted;

fn known() -> Known {
    Known::new(ProviderKind::Alipay, &KEYS.callback, None).unwrap()
}

fn payment(order: Order) -> Payment {
    accepted(order)
}

fn parameters(changes: &[(&str, Option<&str>)]) -> BTreeMap<String, String> {
    let id = id_of(&charge("1"));
    let mut form: BTreeMap<String, String> = [
        ("notify_id", "ac05099524730693a8b330c5ecf72da9786"),
        ("notify_time", "2026-01-31 20:00:00"),
        ("app_id", "2021000000000000"),
        ("seller_id", "2088000000000000"),
        ("out_trade_no", id.as_str()),
        ("trade_no", "2026013122001"),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "19.99"),
        ("gmt_payment", "2026-01-31 19:59:59"),
        ("subject", "茶 & a+b=c"),
        ("body", ""),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for (name, value) in changes {
        match value {
            Some(value) => form.insert((*name).to_owned(), (*value).to_owned()),
            None => form.remove(*name),
        };
    }
    form
}

fn form(parameters: &BTreeMap<String, String>, more: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).extend_pairs(more).finish()
}

/// A notice that is Alipay's.
fn notice(changes: &[(&str, Option<&str>)]) -> String {
    let parameters = parameters(changes);
    let sign = sign(&content(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
    form(&parameters, &[("sign", &sign), ("sign_type", "RSA2")])
}

fn read(body: impl AsRef<[u8]>) -> Result<Callback, NotTaken> {
    known().read(&Received { signature: None, body: body.as_ref(), at: NOW })
}

fn approved() -> Found {
    Found::Approved { reference: ProviderText::new("2026013122001") }
}

#[test]
fn a_notice_of_alipays_is_believed_about_its_own_payment_only() {
    assert_eq!((known().body_form(), known().receipt()), (BodyForm::Form, Receipt::Text("success")));
    let said = read(notice(&[])).unwrap();
    assert_eq!((said.payment_id(), said.found()), (&id_of(&charge("1")), &approved()));
    assert!(said.is_about(&payment(charge("1"))));
    assert!(!said.is_about(&payment(charge("2"))));
    let dearer = read(notice(&[("total_amount", Some("20.00"))])).unwrap();
    assert!(!dearer.is_about(&payment(charge("1"))));
    // The refund of a charge has a number of its own: no notice is about it.
    let of_refund =
        read(notice(&[("out_trade_no", Some(id_of(&refund("1")).as_str())), ("total_amount", Some("5.00"))]));
    assert!(!of_refund.unwrap().is_about(&payment(refund("1"))));
}

#[test]
fn each_status_is_taken_at_its_word() {
    let found = |changes: &[(&str, Option<&str>)]| read(notice(changes)).map(|said| said.found().clone());
    let closed = Found::Declined { code: ProviderText::new("TRADE_CLOSED") };
    let waiting = Found::Accepted { reference: Some(ProviderText::new("2026013122001")) };
    for (status, paid, expected) in [
        ("TRADE_FINISHED", Some("2026-01-31 19:59:59"), approved()),
        ("TRADE_CLOSED", None, closed),
        ("TRADE_CLOSED", Some("2026-01-31 19:59:59"), approved()),
        ("WAIT_BUYER_PAY", None, waiting),
    ] {
        assert_eq!(found(&[("trade_status", Some(status)), ("gmt_payment", paid)]), Ok(expected), "{status}");
    }
    for changes in [
        [("trade_status", Some("TRADE_REVERSED"))],
        [("trade_status", None)],
        [("out_trade_no", Some("70501111111S001111119"))],
        [("out_trade_no", Some("pay_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"))],
        [("total_amount", Some("19.990"))],
        [("total_amount", None)],
        [("trade_no", None)],
    ] {
        assert_eq!(found(&changes), Err(NotTaken::Unreadable), "{changes:?}");
    }
}

#[test]
fn what_is_not_alipays_or_not_ours_is_not_believed() {
    let right = parameters(&[]);
    let signed = content(right.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let sign_of_right = sign(&signed);
    let forged = parameters(&[("trade_status", Some("TRADE_CLOSED"))]);
    let cases = [
        (form(&right, &[("sign_type", "RSA2")]), Distrust::NoticeUnsigned),
        (form(&right, &[("sign", &sign_of_right)]), Distrust::NoticeUnsigned),
        (form(&right, &[("sign", &sign_of_right), ("sign_type", "RSA")]), Distrust::NoticeUnsigned),
        (form(&right, &[("sign", ""), ("sign_type", "RSA2")]), Distrust::NoticeForged),
        (form(&right, &[("sign", &sign("other")), ("sign_type", "RSA2")]), Distrust::NoticeForged),
        (form(&forged, &[("sign", &sign_of_right), ("sign_type", "RSA2")]), Distrust::NoticeForged),
        (form(&right, &[("sign", &sign_of_right), ("sign_type", "RSA2"), ("extra", "1")]), Distrust::NoticeForged),
        (
            form(&right, &[("sign", &sign_of_right), ("sign_type", "RSA2"), ("trade_status", "TRADE_CLOSED")]),
            Distrust::Unreadable,
        ),
        (notice(&[("app_id", Some("2021000000000001"))]), Distrust::OtherAccount),
        (notice(&[("seller_id", Some("2088000000000001"))]), Distrust::OtherAccount),
        (notice(&[("seller_id", None)]), Distrust::OtherAccount),
        (String::new(), Distrust::NoticeUnsigned),
        ("{\"status\":\"approved\"}".to_owned(), Distrust::NoticeUnsigned),
    ];
    for (body, why) in cases {
        assert_eq!(read(&body), Err(NotTaken::Untrusted(why)), "{body}");
    }
    // The subject in GBK: what cannot be read is not what was signed.
    let gbk = notice(&[]).replace("%E8%8C%B6", "%B2%E8");
    assert_ne!(gbk, notice(&[]));
    assert_eq!(read(gbk), Err(NotTaken::Untrusted(Distrust::NoticeForged)));
}

#[test]
fn the_key_before_is_believed_while_it_is_being_changed() {
    let other = cloud::sandbox::alipay::draw().unwrap();
    let received = notice(&[]);
    let received = Received { signature: None, body: received.as_bytes(), at: NOW };
    let changed = Known::new(ProviderKind::Alipay, &other.callback, Some(&KEYS.callback)).unwrap();
    assert!(changed.read(&received).is_ok());
    let after = Known::new(ProviderKind::Alipay, &other.callback, None).unwrap();
    assert_eq!(after.read(&received), Err(NotTaken::Untrusted(Distrust::NoticeForged)));
}

//! The adapter against the sandbox that speaks Alipay, over real sockets; judged by the sandbox's ledger.

use std::net::SocketAddr;
use std::time::Duration;

use cloud::sandbox::{Faults, Running, SandboxSettings};
use payments::answer::{Found, NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::payment::{Kind, Order};
use payments::provider::ProviderKind;
use providers::http::{HttpProvider, HttpSettings};

use super::super::support::{eventually, query, send};
use super::{KEYS, charge, refund};

async fn start(faults: Faults) -> (Running, HttpProvider) {
    start_with(faults, |_| {}).await
}

async fn start_with(faults: Faults, change: impl FnOnce(&mut HttpSettings)) -> (Running, HttpProvider) {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let honest = SandboxSettings::honest(listen, KEYS.sandbox.clone());
    let speaks = ProviderKind::Alipay;
    let settings = SandboxSettings { speaks, faults, latency_ms: (0, 2), pending_ms: 300, late_ms: 300, ..honest };
    let sandbox = Running::start(settings).await.expect("a sandbox");
    let mut settings = HttpSettings {
        kind: speaks,
        base_url: sandbox.base_url(),
        key: KEYS.provider.clone(),
        connect_timeout_ms: 2_000,
        pool_size: 8,
        idle_timeout_ms: 60_000,
    };
    change(&mut settings);
    let provider = HttpProvider::new(settings).expect("settings");
    (sandbox, provider)
}

fn is_approved(answer: &SendAnswer) -> bool {
    matches!(answer, SendAnswer::Found(Found::Approved { .. }))
}

fn effects(sandbox: &Running) -> Vec<(Kind, u64)> {
    sandbox.ledger().iter().map(|effect| (effect.kind, effect.amount)).collect()
}

#[tokio::test]
async fn a_payment_and_its_refund_are_made_once_however_often_they_are_sent() {
    let (sandbox, provider) = start(Faults::default()).await;
    let by_agreement = Order { payment_method: Some("agreement:20170322450983769228".to_owned()), ..charge("2") };
    assert_eq!(query(&provider, &charge("1")).await, QueryAnswer::NotFound);
    assert!(is_approved(&send(&provider, &charge("1")).await));
    assert!(is_approved(&send(&provider, &by_agreement).await));
    // The number is known for ever: it has been paid, and a query says so.
    assert_eq!(send(&provider, &charge("1")).await, SendAnswer::Unclear(Unclear::Conflict));
    assert!(matches!(query(&provider, &charge("1")).await, QueryAnswer::Found(Found::Approved { .. })));
    assert_eq!(query(&provider, &refund("1")).await, QueryAnswer::NotFound);
    assert!(is_approved(&send(&provider, &refund("1")).await));
    assert_eq!(send(&provider, &refund("1")).await, SendAnswer::Unclear(Unclear::Conflict));
    assert!(matches!(query(&provider, &refund("1")).await, QueryAnswer::Found(Found::Approved { .. })));
    assert_eq!(effects(&sandbox), [(Kind::Charge, 1_999), (Kind::Charge, 1_999), (Kind::Refund, 500)]);
}

#[tokio::test]
async fn the_same_number_with_another_amount_is_a_conflict() {
    let (sandbox, provider) = start(Faults::default()).await;
    assert!(is_approved(&send(&provider, &charge("1")).await));
    let dearer = payments::money::Money::new(2_000, charge("1").money.currency()).unwrap();
    let answer = send(&provider, &Order { money: dearer, ..charge("1") }).await;
    assert_eq!(answer, SendAnswer::Unclear(Unclear::Conflict));
    assert_eq!(effects(&sandbox).len(), 1);
}

#[tokio::test]
async fn a_refund_of_what_was_not_paid_is_refused() {
    let (sandbox, provider) = start(Faults::default()).await;
    let answer = send(&provider, &refund("1")).await;
    assert!(matches!(answer, SendAnswer::Found(Found::Declined { .. })), "{answer:?}");
    assert_eq!(effects(&sandbox), []);
}

#[tokio::test]
async fn each_fault_is_what_it_is_and_moves_money_once() {
    type Case = (fn(&mut Faults), fn(&SendAnswer) -> bool, bool);
    let cases: [Case; 8] = [
        (
            |faults| faults.rate_limited = 1.0,
            |a| matches!(a, SendAnswer::NotTaken(NotTaken::RateLimited { .. })),
            false,
        ),
        (|faults| faults.error_before = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ProviderError), false),
        (|faults| faults.error_after = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ProviderError), true),
        (|faults| faults.drop_after = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ConnectionLost), true),
        (|faults| faults.unreadable = 1.0, |a| *a == SendAnswer::Unclear(Unclear::Unreadable), true),
        (|faults| faults.wrongly_signed = 1.0, |a| *a == SendAnswer::Unclear(Unclear::Unreadable), true),
        (|faults| faults.decline = 1.0, |a| matches!(a, SendAnswer::Found(Found::Declined { .. })), false),
        (|faults| faults.pending = 1.0, |a| matches!(a, SendAnswer::Found(Found::Accepted { .. })), true),
    ];
    for (index, (set, is_right, moves)) in cases.into_iter().enumerate() {
        let mut faults = Faults::default();
        set(&mut faults);
        let (sandbox, provider) = start(faults).await;
        let answer = send(&provider, &charge("1")).await;
        assert!(is_right(&answer), "case {index}: {answer:?}");
        eventually("its effect", || sandbox.ledger().len() == usize::from(moves)).await;
    }
}

#[tokio::test]
async fn a_wrongly_signed_not_found_proves_nothing() {
    let (_sandbox, provider) = start(Faults { wrongly_signed: 1.0, ..Faults::default() }).await;
    assert_eq!(query(&provider, &charge("1")).await, QueryAnswer::Unclear(Unclear::Unreadable));
    assert_eq!(query(&provider, &refund("1")).await, QueryAnswer::Unclear(Unclear::Unreadable));
}

#[tokio::test]
async fn a_late_payment_is_not_found_until_it_lands() {
    let (sandbox, provider) = start(Faults { late: 1.0, ..Faults::default() }).await;
    let answer = tokio::time::timeout(Duration::from_millis(100), send(&provider, &charge("1"))).await;
    assert!(answer.is_err(), "never answered: {answer:?}");
    assert_eq!(query(&provider, &charge("1")).await, QueryAnswer::NotFound);
    eventually("its effect", || sandbox.ledger().len() == 1).await;
    assert!(matches!(query(&provider, &charge("1")).await, QueryAnswer::Found(Found::Approved { .. })));
}

/// The gateway signs its refusal here; the account is at fault, and nothing was done.
#[tokio::test]
async fn a_stranger_is_told_apart() {
    let other = cloud::sandbox::alipay::draw().unwrap();
    let ours: serde_json::Value = serde_json::from_str(&KEYS.provider).unwrap();
    let theirs: serde_json::Value = serde_json::from_str(&other.provider).unwrap();
    let mixed = serde_json::json!({
        "app_id": ours["app_id"],
        "private_key": theirs["private_key"],
        "alipay_public_key": ours["alipay_public_key"],
    });
    let (sandbox, stranger) = start_with(Faults::default(), |settings| settings.key = mixed.to_string()).await;
    assert_eq!(send(&stranger, &charge("1")).await, SendAnswer::NotTaken(NotTaken::CredentialsRefused));
    let (_, deaf) = start_with(Faults::default(), |settings| {
        settings.key = other.provider.clone();
        settings.base_url = sandbox.base_url();
    })
    .await;
    assert_eq!(send(&deaf, &charge("1")).await, SendAnswer::Unclear(Unclear::Unreadable));
    assert_eq!(effects(&sandbox), []);
}

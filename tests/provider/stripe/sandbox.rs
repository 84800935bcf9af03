//! The adapter against the sandbox that speaks Stripe, over real sockets; judged by the sandbox's ledger.

use std::net::SocketAddr;
use std::time::Duration;

use aws::system::SystemClock;
use cloud::sandbox::{CallbackTarget, Faults, Running, SandboxSettings};
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::payment::{Kind, Order};
use payments::provider::ProviderKind;
use ports::{Clock, Connection, Provider, Trace};
use providers::callback::{self, Distrust, Known, Received};
use providers::http::{HttpProvider, HttpSettings};
use providers::open::callback::sign;
use tokio::net::TcpListener;

use super::super::support::{eventually, query, read_request, send, settings};
use super::{KEYS, charge, id_of, money, refund_of};

async fn start_with(change: impl FnOnce(&mut SandboxSettings)) -> (Running, HttpProvider) {
    let honest = SandboxSettings::honest(SocketAddr::from(([127, 0, 0, 1], 0)), KEYS.sandbox.clone());
    let speaks = ProviderKind::Stripe;
    let mut of_sandbox = SandboxSettings { speaks, latency_ms: (0, 2), pending_ms: 300, late_ms: 300, ..honest };
    change(&mut of_sandbox);
    let sandbox = Running::start(of_sandbox).await.expect("a sandbox");
    let provider = provider(&sandbox, &KEYS.provider);
    (sandbox, provider)
}

fn provider(sandbox: &Running, key: &str) -> HttpProvider {
    let settings = HttpSettings { kind: ProviderKind::Stripe, key: key.to_owned(), ..settings(&sandbox.base_url()) };
    HttpProvider::new(settings).expect("settings")
}

async fn start(faults: Faults) -> (Running, HttpProvider) {
    start_with(|settings| settings.faults = faults).await
}

fn effects(sandbox: &Running) -> Vec<(Kind, u64, &'static str)> {
    sandbox.ledger().iter().map(|effect| (effect.kind, effect.amount, effect.currency)).collect()
}

fn reference(answer: &SendAnswer) -> String {
    match answer {
        SendAnswer::Found(Found::Approved { reference } | Found::Accepted { reference: Some(reference) }) => {
            reference.as_str().to_owned()
        }
        other => panic!("no reference in {other:?}"),
    }
}

async fn query_known(provider: &HttpProvider, order: &Order, id: &str) -> QueryAnswer {
    let trace = Trace { first_sent_at: None, provider_text: Some(ProviderText::new(id)) };
    provider.connect().await.expect("a connection").query(&id_of(order), order, &trace).await
}

#[tokio::test]
async fn a_payment_and_its_refund_are_made_once_however_often_they_are_sent() {
    let (sandbox, provider) = start(Faults::default()).await;
    let order = charge("1");
    assert_eq!(query(&provider, &order).await, QueryAnswer::NotFound);
    let first = send(&provider, &order).await;
    let intent = reference(&first);
    assert!(intent.starts_with("pi_"), "{intent}");
    // The first answer is kept and said again.
    assert_eq!(send(&provider, &order).await, first);
    let found = QueryAnswer::Found(Found::Approved { reference: ProviderText::new(&intent) });
    assert_eq!(query(&provider, &order).await, found);
    assert_eq!(query_known(&provider, &order, &intent).await, found);
    let back = refund_of("1", Some(&intent));
    assert_eq!(query(&provider, &back).await, QueryAnswer::NotFound);
    let refunded = send(&provider, &back).await;
    assert_eq!(send(&provider, &back).await, refunded);
    let re = reference(&refunded);
    let found = QueryAnswer::Found(Found::Approved { reference: ProviderText::new(&re) });
    assert_eq!((query(&provider, &back).await, query_known(&provider, &back, &re).await), (found.clone(), found));
    assert_eq!(effects(&sandbox), [(Kind::Charge, 1_999, "EUR"), (Kind::Refund, 500, "EUR")]);
}

#[tokio::test]
async fn amounts_arrive_in_the_ledger_as_they_were_asked_for() {
    let (sandbox, provider) = start(Faults::default()).await;
    let amounts = [(500, "JPY"), (5_120, "KWD"), (5, "ISK"), (7, "UGX"), (1_200, "MGA")];
    for (number, (amount, currency)) in amounts.into_iter().enumerate() {
        let order = Order { money: money(amount, currency), ..charge(&format!("m-{number}")) };
        reference(&send(&provider, &order).await);
    }
    let landed: Vec<(u64, &str)> =
        effects(&sandbox).into_iter().map(|(_, amount, currency)| (amount, currency)).collect();
    assert_eq!(landed, amounts);
}

#[tokio::test]
async fn the_same_key_with_another_amount_is_a_conflict() {
    let (sandbox, provider) = start(Faults::default()).await;
    reference(&send(&provider, &charge("1")).await);
    let dearer = Order { money: money(2_000, "EUR"), ..charge("1") };
    assert_eq!(send(&provider, &dearer).await, SendAnswer::Unclear(Unclear::Conflict));
    assert_eq!(query(&provider, &dearer).await, QueryAnswer::Unclear(Unclear::Unreadable));
    assert_eq!(effects(&sandbox).len(), 1);
}

#[tokio::test]
async fn a_refund_of_more_than_is_there_is_not_made() {
    let (sandbox, provider) = start(Faults::default()).await;
    let intent = reference(&send(&provider, &charge("1")).await);
    let whole = Order { money: money(1_999, "EUR"), ..refund_of("1", Some(&intent)) };
    reference(&send(&provider, &whole).await);
    let again = Order { order_id: charge("2").order_id, ..refund_of("1", Some(&intent)) };
    let refused = Found::Declined { code: ProviderText::new("charge_already_refunded") };
    assert_eq!(send(&provider, &again).await, SendAnswer::Found(refused));
    let of_nothing = refund_of("3", Some("pi_3nothing"));
    let refused = Found::Declined { code: ProviderText::new("resource_missing") };
    assert_eq!(send(&provider, &of_nothing).await, SendAnswer::Found(refused));
    assert_eq!(effects(&sandbox).len(), 2);
}

/// What a deployment must never do: the key is forgotten, and the same request is another payment.
#[tokio::test]
async fn a_key_that_is_forgotten_makes_another_intent_and_the_list_shows_both() {
    let (sandbox, provider) = start_with(|settings| settings.key_window_ms = 50).await;
    let first = reference(&send(&provider, &charge("1")).await);
    tokio::time::sleep(Duration::from_millis(60)).await;
    let second = reference(&send(&provider, &charge("1")).await);
    assert_ne!(first, second);
    assert_eq!(effects(&sandbox).len(), 2);
    for id in [first, second] {
        assert!(matches!(query_known(&provider, &charge("1"), &id).await, QueryAnswer::Found(Found::Approved { .. })));
    }
}

#[tokio::test]
async fn each_fault_is_what_it_is_and_moves_money_once() {
    type Case = (fn(&mut Faults), fn(&SendAnswer) -> bool, bool);
    let cases: [Case; 7] = [
        (|faults| faults.rate_limited = 1.0, |a| *a == SendAnswer::Unclear(Unclear::Conflict), false),
        (|faults| faults.error_before = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ProviderError), false),
        (|faults| faults.error_after = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ProviderError), true),
        (|faults| faults.drop_after = 1.0, |a| *a == SendAnswer::Unclear(Unclear::ConnectionLost), true),
        (|faults| faults.unreadable = 1.0, |a| *a == SendAnswer::Unclear(Unclear::Unreadable), true),
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
        if index == 2 {
            // The 500 is kept under the key, and said again for as long as that is known; what stands is in the list.
            assert_eq!(send(&provider, &charge("1")).await, answer);
            assert!(matches!(query(&provider, &charge("1")).await, QueryAnswer::Found(Found::Approved { .. })));
            assert_eq!(sandbox.ledger().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_declined_card_stands_in_the_list_with_why() {
    let (_sandbox, provider) = start(Faults { decline: 1.0, ..Faults::default() }).await;
    let answer = send(&provider, &charge("1")).await;
    let SendAnswer::Found(declined @ Found::Declined { .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(query(&provider, &charge("1")).await, QueryAnswer::Found(declined));
}

#[tokio::test]
async fn over_the_rate_nothing_is_done_and_everybody_slows_down() {
    let (sandbox, provider) = start_with(|settings| settings.rate_per_second = 1).await;
    reference(&send(&provider, &charge("1")).await);
    let limited = SendAnswer::NotTaken(NotTaken::RateLimited { retry_after_ms: None });
    assert_eq!(send(&provider, &charge("2")).await, limited);
    assert_eq!(effects(&sandbox).len(), 1);
}

#[tokio::test]
async fn a_late_payment_is_not_found_until_it_lands() {
    let (sandbox, provider) = start(Faults { late: 1.0, ..Faults::default() }).await;
    let answer = tokio::time::timeout(Duration::from_millis(100), send(&provider, &charge("1"))).await;
    assert!(answer.is_err(), "never answered: {answer:?}");
    assert_eq!(query(&provider, &charge("1")).await, QueryAnswer::NotFound);
    // Its key is in use.
    assert_eq!(send(&provider, &charge("1")).await, SendAnswer::Unclear(Unclear::Conflict));
    eventually("its effect", || sandbox.ledger().len() == 1).await;
    assert!(matches!(query(&provider, &charge("1")).await, QueryAnswer::Found(Found::Approved { .. })));
}

#[tokio::test]
async fn a_stranger_is_told_apart() {
    let (sandbox, _) = start(Faults::default()).await;
    let stranger = provider(&sandbox, &cloud::sandbox::stripe::draw().provider);
    assert_eq!(send(&stranger, &charge("1")).await, SendAnswer::NotTaken(NotTaken::CredentialsRefused));
    assert_eq!(query(&stranger, &charge("1")).await, QueryAnswer::NotTaken(NotTaken::CredentialsRefused));
    assert_eq!(effects(&sandbox), []);
}

#[tokio::test]
async fn a_forged_event_says_what_is_not_true_and_only_its_signature_gives_it_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/events", listener.local_addr().expect("an address"));
    let (sandbox, provider) = start_with(|settings| {
        settings.faults = Faults { wrongly_signed: 1.0, ..Faults::default() };
        settings.callback = Some(CallbackTarget::new(&url, KEYS.signing_secret.clone()).expect("a target"));
    })
    .await;
    reference(&send(&provider, &charge("1")).await);
    let (mut stream, _) = listener.accept().await.expect("an event");
    let request = read_request(&mut stream).await.expect("a request");
    let (head, body) = request.split_once("\r\n\r\n").expect("a body");
    let signature = head.lines().find_map(|line| line.strip_prefix("stripe-signature: "));
    let known = Known::new(ProviderKind::Stripe, &KEYS.callback, None).expect("keys");
    let read = |signature| known.read(&Received { signature, body: body.as_bytes(), at: SystemClock.now() });
    assert_eq!(read(signature).map(drop), Err(callback::NotTaken::Untrusted(Distrust::Forged)));
    // Signed by Stripe it would have declined what was paid.
    let right = sign(&KEYS.signing_secret, SystemClock.now(), body.as_bytes());
    let told = read(Some(&right)).expect("an event");
    assert_eq!(told.payment_id(), &id_of(&charge("1")));
    assert!(matches!(told.found(), Found::Declined { .. }), "{:?}", told.found());
    assert_eq!(effects(&sandbox).len(), 1);
}

//! What these tests share: an order, a provider, a sandbox, and a server that says what it is told to say.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cloud::sandbox::{Faults, Running, SandboxSettings};
use payments::answer::{QueryAnswer, SendAnswer};
use payments::id::{MerchantId, OrderId, PaymentId};
use payments::money::{Currency, Money};
use payments::payment::{Kind, Lane, Order};
use payments::provider::ProviderKind;
use ports::{Connection, Provider, Trace};
use providers::http::{HttpProvider, HttpSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(super) const KEY: &str = "sandbox-key";

pub(super) fn order(number: &str) -> Order {
    Order {
        merchant: MerchantId::new("shop").expect("a merchant"),
        kind: Kind::Charge,
        order_id: OrderId::new(number).expect("an order"),
        money: Money::new(1_999, Currency::new("EUR").expect("a currency")).expect("money"),
        payment_method: Some("tok_1".to_owned()),
        customer: None,
        description: None,
        metadata: [].into(),
        lane: Lane::Standard,
        expires_at: None,
        refund_of: None,
        idempotency_key: None,
    }
}

pub(super) fn id_of(order: &Order) -> PaymentId {
    PaymentId::derive(&order.merchant, order.kind, &order.order_id)
}

pub(super) fn settings(base_url: &str) -> HttpSettings {
    HttpSettings {
        kind: ProviderKind::Open,
        base_url: base_url.to_owned(),
        key: KEY.to_owned(),
        connect_timeout_ms: 2_000,
        pool_size: 8,
        idle_timeout_ms: 60_000,
    }
}

pub(super) fn provider(base_url: &str) -> HttpProvider {
    HttpProvider::new(settings(base_url)).expect("settings")
}

pub(super) async fn send(provider: &HttpProvider, order: &Order) -> SendAnswer {
    provider.connect().await.expect("a connection").send(&id_of(order), order).await
}

pub(super) async fn query(provider: &HttpProvider, order: &Order) -> QueryAnswer {
    provider.connect().await.expect("a connection").query(&id_of(order), order, &Trace::default()).await
}

pub(super) fn sandbox_settings(faults: Faults) -> SandboxSettings {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let honest = SandboxSettings::honest(listen, KEY);
    SandboxSettings { faults, latency_ms: (0, 2), pending_ms: 400, late_ms: 500, ..honest }
}

pub(super) async fn sandbox(faults: Faults) -> (Running, HttpProvider) {
    sandbox_with(sandbox_settings(faults)).await
}

pub(super) async fn sandbox_with(settings: SandboxSettings) -> (Running, HttpProvider) {
    let sandbox = Running::start(settings).await.expect("a sandbox");
    let provider = provider(&sandbox.base_url());
    (sandbox, provider)
}

/// Waits until it is so, for a minute at most.
pub(super) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("never so: {what}");
}

/// What a raw server does with a connection once it has read a request.
#[derive(Clone, Copy)]
pub(super) enum Then {
    /// Reads the next request.
    Stays,
    /// Closes the connection.
    Closes,
    /// Closes the connection a little later.
    ClosesLater,
}

/// A server that answers every request with the same bytes.
pub(super) struct Raw {
    pub(super) base_url: String,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Raw {
    pub(super) async fn answering(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let answer = Arc::new(answer.into());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, Arc::clone(&answer), then));
            }
        });
        Self { base_url, accepted, task }
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(mut stream: TcpStream, answer: Arc<Vec<u8>>, then: Then) {
    while read_request(&mut stream).await.is_some() {
        if stream.write_all(&answer).await.is_err() {
            return;
        }
        match then {
            Then::Stays => {}
            Then::Closes => return,
            Then::ClosesLater => return sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Reads one request to the end of its body; `None` when the connection ends before that.
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(text);
            }
        }
        let mut bytes = [0; 4_096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
        }
    }
}

/// An HTTP answer with this status line, these further header lines and this body.
pub(super) fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
}

//! Connections and paths.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use payments::provider::ProviderKind;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::SandboxSettings;
use super::alipay::{self, Gateway};
use super::answer::{self, Answer, Refused};
use super::book::{self, Arrival, Book, Call, CalledBack, Effect, Operation};
use super::stripe::{self, Account};

const BODY_MAX_BYTES: usize = 64 * 1024;
const PAYMENTS: &str = "/v1/payments";

/// What all connections share.
pub(super) struct State {
    pub(super) settings: SandboxSettings,
    pub(super) book: Book,
    /// What it speaks.
    pub(super) speaks: Speaks,
    /// When the books were opened: who reads them later can tell whether they are still the same.
    pub(super) started_at: String,
}

/// A protocol, with what belongs to it.
pub(super) enum Speaks {
    /// Our own contract.
    Open,
    /// Alipay, with its keys.
    Alipay(Gateway),
    /// Stripe, with an account.
    Stripe(Account),
}

/// The connection is to be closed without an answer. An HTTP framework's handlers cannot ask for that: whatever they
/// return is an answer. An error from hyper's own service can.
#[derive(Debug)]
pub(super) struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped on purpose")
    }
}

impl std::error::Error for Dropped {}

/// A sandbox that listens and does not answer yet.
pub struct Sandbox {
    listener: TcpListener,
    state: Arc<State>,
}

impl Sandbox {
    /// Checks the settings and listens. Port 0 takes any free one; [`Sandbox::address`] says which.
    pub async fn bind(settings: SandboxSettings) -> io::Result<Self> {
        settings.check().map_err(|message| io::Error::new(io::ErrorKind::InvalidInput, message))?;
        let cannot = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
        let speaks = match settings.speaks {
            ProviderKind::Open => Speaks::Open,
            ProviderKind::Alipay => Speaks::Alipay(Gateway::parse(&settings.key).map_err(cannot)?),
            ProviderKind::Stripe => Speaks::Stripe(Account::new(&settings.key).map_err(cannot)?),
        };
        let listener = TcpListener::bind(settings.listen).await?;
        let started_at = book::wall_clock().to_string();
        let state = Arc::new(State { settings, book: Book::default(), speaks, started_at });
        Ok(Self { listener, state })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn run(self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    self.state.book.connected();
                    connections.spawn(converse(stream, Arc::clone(&self.state)));
                }
                // Out of file descriptors, most likely; they come back when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// A sandbox that answers in the background, until this is dropped.
pub struct Running {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<Infallible>,
}

impl Running {
    /// Starts one.
    pub async fn start(settings: SandboxSettings) -> io::Result<Self> {
        let sandbox = Sandbox::bind(settings).await?;
        let address = sandbox.address()?;
        let state = Arc::clone(&sandbox.state);
        Ok(Self { address, state, task: tokio::spawn(sandbox.run()) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The contract's root, or the gateway.
    pub fn base_url(&self) -> String {
        let root = format!("http://{}", self.address);
        match self.state.speaks {
            Speaks::Open | Speaks::Stripe(_) => root,
            Speaks::Alipay(_) => alipay::url(&root),
        }
    }

    /// Every effect so far.
    pub fn ledger(&self) -> Vec<Effect> {
        self.state.book.ledger()
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.book.calls()
    }

    /// Every callback that is over so far.
    pub fn callbacks(&self) -> Vec<CalledBack> {
        self.state.book.callbacks()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.state.book.connections()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, state: Arc<State>) {
    // Only makes answers quicker; without it they are right too.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        // Before anything else: the call's time is when it arrived, not when somebody got to it.
        let arrival = Arrival::now();
        let state = Arc::clone(&state);
        async move { route(&state, arrival, request).await }
    });
    // An error is a caller that went away, or a drop on purpose.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn route(state: &Arc<State>, arrival: Arrival, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let path = request.uri().path();
    let get = request.method() == Method::GET;
    match &state.speaks {
        Speaks::Alipay(gateway) if request.method() == Method::POST && path == alipay::PATH => {
            return gate(state, gateway, arrival, request).await;
        }
        Speaks::Stripe(account) if path.starts_with("/v1/") => return api(state, account, arrival, request).await,
        Speaks::Open if request.method() == Method::POST && path == PAYMENTS => {
            return send(state, arrival, request).await;
        }
        Speaks::Open | Speaks::Alipay(_) | Speaks::Stripe(_) => {}
    }
    if get
        && matches!(state.speaks, Speaks::Open)
        && let Some(id) = path.strip_prefix(PAYMENTS).and_then(|rest| rest.strip_prefix('/'))
    {
        if id.is_empty() || id.contains('/') {
            return Ok(no_such_path());
        }
        let said = match state.admit(id, Operation::Query, arrival, authorized(state, &request)) {
            Ok(call) => state.query(id, call).await?,
            Err(refusal) => refusal.into(),
        };
        return Ok(answer::worded(id, Operation::Query, &said));
    }
    Ok(match (get, path) {
        (true, "/ledger") => answer::lines(book::ledger_lines(&state.book.ledger())),
        (true, "/calls") => answer::lines(book::call_lines(&state.book.calls())),
        (true, "/callbacks") => answer::lines(book::callback_lines(&state.book.callbacks())),
        (true, "/healthz") => answer::lines(health(&state.settings, &state.started_at)),
        _ => no_such_path(),
    })
}

async fn send(state: &Arc<State>, arrival: Arrival, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let key = request.headers().get("idempotency-key").and_then(|key| key.to_str().ok());
    let Some(id) = key.filter(|key| !key.is_empty()).map(str::to_owned) else {
        return Ok(answer::error(StatusCode::BAD_REQUEST, "the Idempotency-Key header is missing"));
    };
    let call = match state.admit(&id, Operation::Send, arrival, authorized(state, &request)) {
        Ok(call) => call,
        Err(refusal) => return Ok(answer::worded(&id, Operation::Send, &refusal.into())),
    };
    let body = Limited::new(request.into_body(), BODY_MAX_BYTES)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| format!("the body cannot be read: {error}"));
    match body.map_err(Refused::Unreadable).and_then(|body| answer::read(&id, &body)) {
        Ok(asked) => Ok(answer::worded(&id, Operation::Send, &state.send(&id, call, asked).await?)),
        Err(refused) => {
            state.refuse(call);
            Ok(match refused {
                Refused::Unreadable(message) => answer::error(StatusCode::BAD_REQUEST, &message),
                Refused::Invalid { amount, currency, code } => answer::invalid(&id, amount, &currency, code),
            })
        }
    }
}

async fn gate(
    state: &Arc<State>,
    gateway: &Gateway,
    arrival: Arrival,
    request: Request<Incoming>,
) -> Result<Answer, Dropped> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    match Limited::new(request.into_body(), BODY_MAX_BYTES).collect().await {
        Ok(body) => alipay::answer(state, gateway, arrival, &query, &body.to_bytes()).await,
        Err(_) => Ok(alipay::bad_request()),
    }
}

async fn api(
    state: &Arc<State>,
    account: &Account,
    arrival: Arrival,
    request: Request<Incoming>,
) -> Result<Answer, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_MAX_BYTES).collect().await else { return Ok(alipay::bad_request()) };
    let body = body.to_bytes();
    let read = stripe::Read {
        method: &head.method,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or_default(),
        headers: &head.headers,
        body: &body,
    };
    stripe::answer(state, account, arrival, &read).await.unwrap_or_else(|| Ok(no_such_path()))
}

fn authorized(state: &State, request: &Request<Incoming>) -> bool {
    request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|key| key == state.settings.key)
}

fn health(settings: &SandboxSettings, started_at: &str) -> Vec<u8> {
    let mut line = json!({ "status": "ok", "rate_per_second": settings.rate_per_second, "started_at": started_at })
        .to_string()
        .into_bytes();
    line.push(b'\n');
    line
}

// Never the `not_found` of a payment: a wrong path says nothing about one.
fn no_such_path() -> Answer {
    answer::error(StatusCode::NOT_FOUND, "no such path")
}

//! One call on one connection.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use ::http::Request;
use ::http::header::{HOST, HeaderValue, USER_AGENT};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use payments::answer::{NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::payment::Order;
use payments::time::Timestamp;
use ports::{Connection, Trace};

use super::pool::Pool;
use super::settings::Target;
use super::wire::Wire;
use crate::contract::{BODY_MAX_BYTES, Body, Contract, Reply, Written};

/// A connection with the machinery that speaks HTTP on it. Dropping it closes the socket at once.
pub(super) struct Open {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    written: Arc<AtomicBool>,
}

/// `None` once it has ended. It has to go then: what it had not taken yet is given up only when it is dropped, and
/// whoever waits for its answer would wait for ever.
struct Driver(Option<Pin<Box<Http1>>>);

type Http1 = http1::Connection<TokioIo<Wire>, Full<Bytes>>;

impl Driver {
    fn poll(&mut self, context: &mut Context<'_>) {
        // How it ended is told to whoever waits for the answer.
        if let Some(connection) = &mut self.0
            && connection.as_mut().poll(context).is_ready()
        {
            self.0 = None;
        }
    }

    /// Waits for `work`, which needs the connection to move on.
    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            self.poll(context);
            work.as_mut().poll(context)
        })
        .await
    }
}

impl Open {
    pub(super) async fn new(wire: Wire, written: Arc<AtomicBool>) -> Result<Self, hyper::Error> {
        let (sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
        Ok(Self { sender, driver: Driver(Some(Box::pin(connection))), written })
    }

    /// Whether a request can be written now: the last answer is through, and the other side has neither closed nor
    /// said anything unasked.
    pub(super) async fn is_usable(&mut self) -> bool {
        poll_fn(|context| {
            self.driver.poll(context);
            Poll::Ready(self.driver.0.is_some() && self.sender.is_ready())
        })
        .await
    }

    async fn answer(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, Broken> {
        let Self { sender, driver, written } = self;
        written.store(false, Ordering::Relaxed);
        let response = driver.drive(sender.send_request(request)).await.map_err(|error| {
            if !written.load(Ordering::Relaxed) {
                Broken::NotWritten
            } else if error.is_parse() {
                Broken::Unreadable
            } else {
                Broken::Lost
            }
        })?;
        let (head, body) = response.into_parts();
        let body = driver.drive(read(body)).await;
        Ok(Reply { status: head.status, headers: head.headers, body })
    }
}

async fn read(body: Incoming) -> Body {
    match Limited::new(body, BODY_MAX_BYTES).collect().await {
        Ok(whole) => Body::Whole(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Body::Malformed,
        Err(error) => match error.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse() => Body::Malformed,
            Some(_) | None => Body::Lost,
        },
    }
}

/// How a call ended without as much as an answer's head.
enum Broken {
    /// Before the first byte of the request.
    NotWritten,
    /// What came is not HTTP.
    Unreadable,
    /// Reset or closed.
    Lost,
}

/// An open connection to a provider.
pub struct HttpConnection {
    open: Open,
    pool: Arc<Pool>,
    target: Arc<Target>,
    contract: Arc<Contract>,
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnection").field("target", &self.target).finish_non_exhaustive()
    }
}

impl HttpConnection {
    pub(super) fn new(open: Open, pool: Arc<Pool>, target: Arc<Target>, contract: Arc<Contract>) -> Self {
        Self { open, pool, target, contract }
    }

    /// Makes the call, if there is one to be made.
    async fn call(self, written: Option<Written>) -> Result<Reply, Broken> {
        let Self { mut open, pool, target, .. } = self;
        let request = written.and_then(|written| request(&target, written)).ok_or(Broken::NotWritten)?;
        let reply = open.answer(request).await?;
        if matches!(reply.body, Body::Whole(_)) {
            pool.put(open).await;
        }
        Ok(reply)
    }
}

fn request(target: &Target, written: Written) -> Option<Request<Full<Bytes>>> {
    let Written { method, path, headers, body } = written;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, target.host_header.clone())
        .header(USER_AGENT, HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION"))))
        .body(Full::new(body))
        .ok()?;
    request.headers_mut().extend(headers);
    Some(request)
}

/// The time that a request is dated with.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

impl Connection for HttpConnection {
    async fn send(self, id: &PaymentId, order: &Order) -> SendAnswer {
        let contract = Arc::clone(&self.contract);
        let written = contract.send(id, order, now());
        match self.call(written).await {
            Ok(reply) => contract.send_answer(id, order, &reply),
            Err(Broken::NotWritten) => SendAnswer::NotTaken(NotTaken::NotWritten),
            Err(Broken::Unreadable) => SendAnswer::Unclear(Unclear::Unreadable),
            Err(Broken::Lost) => SendAnswer::Unclear(Unclear::ConnectionLost),
        }
    }

    async fn query(self, id: &PaymentId, order: &Order, trace: &Trace) -> QueryAnswer {
        let contract = Arc::clone(&self.contract);
        let written = contract.query(id, order, trace, now());
        match self.call(written).await {
            Ok(reply) => contract.query_answer(id, order, trace, &reply),
            Err(Broken::NotWritten) => QueryAnswer::NotTaken(NotTaken::NotWritten),
            Err(Broken::Unreadable) => QueryAnswer::Unclear(Unclear::Unreadable),
            Err(Broken::Lost) => QueryAnswer::Unclear(Unclear::ConnectionLost),
        }
    }
}

//! One call on one connection.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use ::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use payments::answer::{NotTaken, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::payment::Order;
use payments::ports::Connection;

use super::contract::{self, Asked, BODY_MAX_BYTES, Body};
use super::pool::Pool;
use super::settings::Target;
use super::wire::Wire;

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

    async fn answer(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
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
        Ok(Answer { status: head.status, headers: head.headers, body })
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

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
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

/// An open connection to a provider that follows the open contract.
pub struct HttpConnection {
    open: Open,
    pool: Arc<Pool>,
    target: Arc<Target>,
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnection").field("target", &self.target).finish_non_exhaustive()
    }
}

impl HttpConnection {
    pub(super) fn new(open: Open, pool: Arc<Pool>, target: Arc<Target>) -> Self {
        Self { open, pool, target }
    }

    async fn call(self, request: Request<Full<Bytes>>) -> Result<Answer, Broken> {
        let Self { mut open, pool, .. } = self;
        let answer = open.answer(request).await?;
        if matches!(answer.body, Body::Whole(_)) {
            pool.put(open).await;
        }
        Ok(answer)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ::http::Error> {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.target.host_header.clone())
            .header(AUTHORIZATION, self.target.authorization.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION"))))
            .body(Full::new(body))
    }
}

impl Connection for HttpConnection {
    async fn send(self, id: &PaymentId, order: &Order) -> SendAnswer {
        // Neither can fail with what the core lets through; if it did, nothing was written.
        let (Ok(body), Ok(key)) = (contract::send_body(id, order), HeaderValue::from_str(id.as_str())) else {
            return SendAnswer::NotTaken(NotTaken::NotWritten);
        };
        let Ok(mut request) = self.request(Method::POST, &self.target.payments_path, body) else {
            return SendAnswer::NotTaken(NotTaken::NotWritten);
        };
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(contract::IDEMPOTENCY_KEY, key);
        let asked = Asked { id, money: order.money };
        match self.call(request).await {
            Ok(answer) => contract::send_answer(&asked, answer.status, &answer.headers, &answer.body),
            Err(Broken::NotWritten) => SendAnswer::NotTaken(NotTaken::NotWritten),
            Err(Broken::Unreadable) => SendAnswer::Unclear(Unclear::Unreadable),
            Err(Broken::Lost) => SendAnswer::Unclear(Unclear::ConnectionLost),
        }
    }

    async fn query(self, id: &PaymentId, order: &Order) -> QueryAnswer {
        let path = format!("{}/{id}", self.target.payments_path);
        let Ok(request) = self.request(Method::GET, &path, Bytes::new()) else {
            return QueryAnswer::NotTaken(NotTaken::NotWritten);
        };
        let asked = Asked { id, money: order.money };
        match self.call(request).await {
            Ok(answer) => contract::query_answer(&asked, answer.status, &answer.headers, &answer.body),
            Err(Broken::NotWritten) => QueryAnswer::NotTaken(NotTaken::NotWritten),
            Err(Broken::Unreadable) => QueryAnswer::Unclear(Unclear::Unreadable),
            Err(Broken::Lost) => QueryAnswer::Unclear(Unclear::ConnectionLost),
        }
    }
}

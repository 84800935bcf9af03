//! A small HTTP client for this machine: one kept-alive connection at a time, opened again when it broke.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Largest answer that is read, in bytes: a ledger of a million lines.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Where to send requests.
#[derive(Clone, Debug)]
pub struct Base {
    host: String,
    port: u16,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body.
    pub body: Bytes,
}

impl Base {
    /// Reads `http://host:port`.
    pub fn parse(url: &str) -> Result<Self, NoAnswer> {
        let fault = || NoAnswer(format!("{url} is no URL of the form http://host:port"));
        let uri: Uri = url.parse().map_err(|_| fault())?;
        match (uri.scheme_str(), uri.host()) {
            (Some("http"), Some(host)) => Ok(Self { host: host.to_owned(), port: uri.port_u16().unwrap_or(80) }),
            _ => Err(fault()),
        }
    }
}

/// One connection to `base`.
pub struct Client {
    base: Base,
    timeout: Duration,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that waits at most `timeout` for each answer. Nothing is opened yet.
    pub fn new(base: Base, timeout: Duration) -> Self {
        Self { base, timeout, open: None }
    }

    /// Asks for `path`.
    pub async fn get(&mut self, path: &str) -> Result<Answer, NoAnswer> {
        let request = Request::get(path).body(Full::default());
        self.send(request.map_err(|error| NoAnswer(error.to_string()))?).await
    }

    /// Posts a JSON body to `path`, with an API key.
    pub async fn post(&mut self, path: &str, api_key: &str, body: impl Into<Bytes>) -> Result<Answer, NoAnswer> {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {api_key}"))
            .body(Full::new(body.into()));
        self.send(request.map_err(|error| NoAnswer(error.to_string()))?).await
    }

    /// Sends a request, whose URI is a path.
    pub async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let host = format!("{}:{}", self.base.host, self.base.port);
        let value = host.parse().map_err(|_| NoAnswer(format!("{host} is no host")))?;
        request.headers_mut().insert(header::HOST, value);
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(Ok((answer, connection))) => {
                self.open = Some(connection);
                Ok(answer)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(NoAnswer(format!("no answer from {host} within {} ms", timeout.as_millis()))),
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Answer, SendRequest<Full<Bytes>>), NoAnswer> {
        let lost = |error: &dyn fmt::Display| NoAnswer(error.to_string());
        let kept = match self.open.take() {
            Some(mut open) => open.ready().await.is_ok().then_some(open),
            None => None,
        };
        let mut connection = match kept {
            Some(open) => open,
            None => self.connect().await?,
        };
        let answer = connection.send_request(request).await.map_err(|error| lost(&error))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| lost(&error))?;
        let answer = Answer { status: parts.status, headers: parts.headers, body: body.to_bytes() };
        Ok((answer, connection))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        let Base { host, port } = &self.base;
        let lost = |error: &dyn fmt::Display| NoAnswer(format!("no connection to {host}:{port}: {error}"));
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| lost(&error))?;
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

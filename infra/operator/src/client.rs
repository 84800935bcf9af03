//! A small HTTP client: one kept-alive connection at a time, opened again when it broke, with or without TLS.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Largest answer that is read, in bytes: a ledger of a million lines.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Where to send requests.
#[derive(Clone)]
pub struct Base {
    /// As in a URL: an IPv6 address stands in brackets.
    host: String,
    port: u16,
    /// What comes before each request's own path: empty, or begins with a slash and ends without one.
    path: String,
    tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
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
    /// Reads `http://host:port/path` or the same with `https`; port and path may be left out. Another authority than those
    /// of the system is trusted for whoever names its certificates in `SSL_CERT_FILE`.
    pub fn parse(url: &str) -> Result<Self, NoAnswer> {
        let fault = || NoAnswer(format!("{url} is no URL of the form http://host:port/path or https://host:port/path"));
        let uri: Uri = url.parse().map_err(|_| fault())?;
        let (tls, usual_port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(Arc::new(tls()?)), 443),
            Some(_) | None => return Err(fault()),
        };
        let authority = uri.authority().ok_or_else(fault)?;
        if uri.query().is_some() || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(fault());
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(usual_port),
            path: uri.path().trim_end_matches('/').to_owned(),
            tls,
        })
    }

    /// What was read, with its port.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    /// The host as a request names it: the scheme's own port is left out (RFC 9110, section 7.2), as it is where a request is
    /// signed.
    pub fn authority(&self) -> String {
        let usual_port = if self.tls.is_some() { 443 } else { 80 };
        if self.port == usual_port { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// The address or name itself.
    fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Where a request's own path lies here.
    fn target(&self, uri: &Uri) -> Result<Uri, NoAnswer> {
        let own = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let own = if own == "/" && !self.path.is_empty() { "" } else { own };
        format!("{}{own}", self.path).parse().map_err(|_| NoAnswer(format!("{own} is no path")))
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
        let host = self.base.authority();
        *request.uri_mut() = self.base.target(request.uri())?;
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
        let Base { host, port, path: _, tls } = &self.base;
        let name = self.base.name();
        let lost = |error: &dyn fmt::Display| NoAnswer(format!("no connection to {host}:{port}: {error}"));
        let stream = TcpStream::connect((name, *port)).await.map_err(|error| lost(&error))?;
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        match tls {
            None => {
                let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
                tokio::spawn(connection);
                Ok(sender)
            }
            Some(tls) => {
                let server = ServerName::try_from(name.to_owned()).map_err(|error| lost(&error))?;
                let connecting = TlsConnector::from(Arc::clone(tls)).connect(server, stream);
                let stream = connecting.await.map_err(|error| lost(&error))?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
                tokio::spawn(connection);
                Ok(sender)
            }
        }
    }
}

/// TLS with the system's authorities and a named cryptography library.
fn tls() -> Result<ClientConfig, NoAnswer> {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    // Systems carry certificates that are not well formed; the others are enough.
    let (taken, _ignored) = roots.add_parsable_certificates(loaded.certs);
    if taken == 0 {
        return Err(NoAnswer("this system has no certificates of authorities, which https needs".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|error| NoAnswer(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_path_and_its_scheme() {
        for (url, read, target) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/v1/payments?a=b"),
            ("http://shop.example/", "http://shop.example:80", "/v1/payments?a=b"),
            ("https://shop.example/stage/", "https://shop.example:443/stage", "/stage/v1/payments?a=b"),
            ("https://shop.example:8443/a/b", "https://shop.example:8443/a/b", "/a/b/v1/payments?a=b"),
            ("http://[::1]:8080", "http://[::1]:8080", "/v1/payments?a=b"),
        ] {
            let base = Base::parse(url).unwrap();
            assert_eq!(base.url(), read);
            assert_eq!(base.target(&Uri::from_static("/v1/payments?a=b")).unwrap(), target);
        }
        let base = Base::parse("http://shop.example/events").unwrap();
        assert_eq!(base.target(&Uri::from_static("/")).unwrap(), "/events");
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for url in ["127.0.0.1:8080", "ftp://shop.example", "http://", "https://a@shop.example", "http://a/?b=c", "/v1"]
        {
            let said = Base::parse(url).unwrap_err().to_string();
            assert!(said.starts_with(url) && said.contains("https://host:port/path"), "{said}");
        }
    }
}

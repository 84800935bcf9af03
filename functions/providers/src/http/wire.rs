//! The connection itself: TCP, or TLS over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use ports::ConnectError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::call::Open;
use super::settings::{SettingsError, Target};

/// Opens connections.
pub(super) struct Opener {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Opener {
    pub(super) fn new(target: &Target) -> Result<Self, SettingsError> {
        let tls = if target.https {
            let name = ServerName::try_from(target.host.clone()).map_err(|_| SettingsError::BaseUrl)?;
            Some((TlsConnector::from(Arc::new(tls_config()?)), name))
        } else {
            None
        };
        Ok(Self { host: target.host.clone(), port: target.port, tls })
    }

    /// Looks the name up, connects and shakes hands. Whatever goes wrong here, no request was written.
    pub(super) async fn open(&self) -> Result<Open, ConnectError> {
        let Self { host, port, tls } = self;
        let fail = |doing: &str, error: &dyn std::fmt::Display| ConnectError(format!("{doing} {host}:{port}: {error}"));
        let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(|error| fail("connecting to", &error))?;
        // A call that is given up is reset. With the default a close would hand what was not sent yet to the kernel,
        // which may still deliver it when we have long settled the payment as unknown (socket(7), SO_LINGER).
        tcp.set_zero_linger().map_err(|error| fail("setting SO_LINGER for", &error))?;
        // A request is one small write; there is nothing to wait for.
        tcp.set_nodelay(true).map_err(|error| fail("setting TCP_NODELAY for", &error))?;
        let stream = match tls {
            None => Stream::Plain(tcp),
            Some((connector, name)) => connector
                .connect(name.clone(), tcp)
                .await
                .map(|stream| Stream::Tls(Box::new(stream)))
                .map_err(|error| fail("TLS handshake with", &error))?,
        };
        let written = Arc::new(AtomicBool::new(false));
        let wire = Wire { stream, written: Arc::clone(&written) };
        Open::new(wire, written).await.map_err(|error| fail("preparing the connection to", &error))
    }
}

/// TLS with the system's roots and a named cryptography library, so that no other crate's choice of a process-wide
/// default matters.
fn tls_config() -> Result<ClientConfig, SettingsError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry roots that are not well formed; the others are enough.
    let (taken, _ignored) = roots.add_parsable_certificates(loaded.certs);
    if taken == 0 {
        let first = loaded.errors.first().map_or_else(|| "none there".to_owned(), ToString::to_string);
        return Err(SettingsError::NoRoots(first));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // RFC 7301: say that it is HTTP/1.1, or an edge may pick HTTP/2.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

enum Stream {
    Plain(TcpStream),
    // Boxed: a TLS session is fifty times as large as a socket.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream that notes whether anything was ever given to it to be written. While it says no, no part of the request
/// can have left, whatever broke.
pub(super) struct Wire {
    stream: Stream,
    written: Arc<AtomicBool>,
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.written.store(true, Ordering::Relaxed);
        match &mut wire.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.written.store(true, Ordering::Relaxed);
        match &mut wire.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

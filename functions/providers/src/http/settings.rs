//! Where the provider is and how we reach it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ::http::HeaderValue;
use ::http::uri::{Scheme, Uri};
use payments::provider::ProviderKind;

use crate::secret::SecretError;

/// What the adapter has to be told.
#[derive(Clone)]
pub struct HttpSettings {
    /// Whose contract it follows.
    pub kind: ProviderKind,
    /// The contract's root, such as `https://provider.example/sluice`. Plain `http` is taken for this machine only:
    /// the key would cross the network in the clear.
    pub base_url: String,
    /// The provider's secret, in the form that its contract asks for.
    pub key: String,
    /// Longest time to look up the name, to connect and to shake hands, together.
    pub connect_timeout_ms: u64,
    /// How many idle connections are kept; 0 keeps none.
    pub pool_size: usize,
    /// How long an idle connection is trusted. Keep it under the provider's own keep-alive: a request that is
    /// written just when the provider closes is lost, and a lost request has to be queried.
    pub idle_timeout_ms: u64,
}

impl fmt::Debug for HttpSettings {
    /// Shows neither the key nor the URL, which may have been given with a password in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("kind", &self.kind)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("pool_size", &self.pool_size)
            .field("idle_timeout_ms", &self.idle_timeout_ms)
            .finish_non_exhaustive()
    }
}

/// Why the settings are not usable. None of them repeats the URL or the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL, or not one with a host.
    #[error("base_url must be a URL with a scheme and a host, such as https://provider.example")]
    BaseUrl,
    /// Something in the URL that cannot be part of a root.
    #[error("base_url must not have {0}")]
    BaseUrlPart(&'static str),
    /// Neither `https` nor `http`.
    #[error("base_url must begin with https:// (or http:// for this machine)")]
    Scheme,
    /// The key would be readable on its way.
    #[error("base_url must begin with https://: over http the key would be readable on its way")]
    PlainHttp,
    /// Nothing there, or nothing that a header can carry.
    #[error("key must be one or more visible ASCII characters")]
    Key,
    /// The provider's secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// No connection can be opened in no time.
    #[error("connect_timeout_ms must be at least 1")]
    ConnectTimeout,
    /// No root certificates on this machine.
    #[error("no root certificates were found to check the provider's with: {0}")]
    NoRoots(String),
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// The settings, checked and in the form that a call needs.
pub(super) struct Target {
    /// Whether TLS is spoken.
    pub(super) https: bool,
    /// The name or address to connect to, without brackets.
    pub(super) host: String,
    /// The port to connect to.
    pub(super) port: u16,
    /// What the `Host` header says.
    pub(super) host_header: HeaderValue,
    /// The root's path.
    pub(super) root: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("https", &self.https)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl HttpSettings {
    pub(super) fn connect_timeout(&self) -> Result<Duration, SettingsError> {
        if self.connect_timeout_ms == 0 {
            return Err(SettingsError::ConnectTimeout);
        }
        Ok(Duration::from_millis(self.connect_timeout_ms))
    }

    pub(super) fn target(&self) -> Result<Target, SettingsError> {
        // The parser cuts a fragment off without a word, so it is looked for here.
        if self.base_url.contains('#') {
            return Err(SettingsError::BaseUrlPart("a fragment"));
        }
        let url: Uri = self.base_url.parse().map_err(|_| SettingsError::BaseUrl)?;
        let authority = url.authority().ok_or(SettingsError::BaseUrl)?;
        if authority.as_str().contains('@') {
            return Err(SettingsError::BaseUrlPart("a user name or a password"));
        }
        if url.query().is_some() {
            return Err(SettingsError::BaseUrlPart("a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(SettingsError::BaseUrl);
        }
        let https = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => {
                if !is_this_machine(&host) {
                    return Err(SettingsError::PlainHttp);
                }
                false
            }
            Some(_) | None => return Err(SettingsError::Scheme),
        };
        Ok(Target {
            https,
            host,
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            host_header: HeaderValue::from_str(authority.as_str()).map_err(|_| SettingsError::BaseUrl)?,
            root: url.path().to_owned(),
        })
    }
}

/// Whether what is sent to this host stays on this machine. `localhost` is by RFC 6761, section 6.3.
fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

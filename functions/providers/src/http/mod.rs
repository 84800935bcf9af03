//! Our own open contract, JSON over HTTP: `infra/provider-openapi.yaml` says it in full. A provider that can be put
//! behind it needs no adapter of its own.
//!
//! - [`contract`] says what is written and what an answer means, without any I/O;
//! - [`callback`] says whether a callback is the provider's, and what it says, likewise;
//! - `wire` opens the connection, `call` makes one call on it, `pool` keeps it for the next one.
//!
//! Nothing here runs in the background. A call's connection is driven by the call's own future, so dropping that
//! future closes the socket then and there: a task of its own would only be told to stop, and could still write.

mod call;
pub mod callback;
pub mod contract;
mod pool;
mod settings;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use payments::ports::{ConnectError, Provider};

pub use self::call::HttpConnection;
use self::pool::Pool;
pub use self::settings::{HttpSettings, SettingsError};
use self::wire::Opener;

/// A provider that follows the open contract.
pub struct HttpProvider {
    opener: Opener,
    pool: Arc<Pool>,
    target: Arc<settings::Target>,
    connect_timeout: Duration,
}

impl HttpProvider {
    /// Checks the settings; reads the system's root certificates if the provider is reached by https. Connects to
    /// nothing yet.
    pub fn new(settings: HttpSettings) -> Result<Self, SettingsError> {
        let connect_timeout = settings.connect_timeout()?;
        let pool = Pool::new(settings.pool_size, Duration::from_millis(settings.idle_timeout_ms));
        let target = settings.into_target()?;
        Ok(Self { opener: Opener::new(&target)?, pool: Arc::new(pool), target: Arc::new(target), connect_timeout })
    }
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider")
            .field("target", &self.target)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

impl Provider for HttpProvider {
    type Connection = HttpConnection;

    async fn connect(&self) -> Result<HttpConnection, ConnectError> {
        let open = match self.pool.take().await {
            Some(open) => open,
            None => tokio::time::timeout(self.connect_timeout, self.opener.open()).await.map_err(|_| {
                let waited_ms = self.connect_timeout.as_millis();
                ConnectError(format!("not connected within {waited_ms} ms"))
            })??,
        };
        Ok(HttpConnection::new(open, Arc::clone(&self.pool), Arc::clone(&self.target)))
    }
}

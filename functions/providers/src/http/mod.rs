//! The transport: connects and makes one call, whatever the contract.
//!
//! `wire` opens the connection, `call` makes one call on it, `pool` keeps it for the next one.
//!
//! Nothing here runs in the background. A call's connection is driven by the call's own future, so dropping that
//! future closes the socket then and there: a task of its own would only be told to stop, and could still write.

mod call;
mod pool;
mod settings;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ports::{ConnectError, Provider};

pub use self::call::HttpConnection;
use self::pool::Pool;
pub use self::settings::{HttpSettings, SettingsError};
use self::wire::Opener;
use crate::contract::Contract;

/// A provider that is reached over HTTP.
pub struct HttpProvider {
    opener: Opener,
    pool: Arc<Pool>,
    target: Arc<settings::Target>,
    contract: Arc<Contract>,
    connect_timeout: Duration,
}

impl HttpProvider {
    /// Checks the settings and reads the secret; reads the system's root certificates if the provider is reached by https. Connects to
    /// nothing yet.
    pub fn new(settings: HttpSettings) -> Result<Self, SettingsError> {
        let connect_timeout = settings.connect_timeout()?;
        let pool = Pool::new(settings.pool_size, Duration::from_millis(settings.idle_timeout_ms));
        let target = settings.target()?;
        let HttpSettings { kind, key, .. } = settings;
        let contract = Arc::new(Contract::new(kind, &target.root, &key)?);
        let opener = Opener::new(&target)?;
        Ok(Self { opener, pool: Arc::new(pool), target: Arc::new(target), contract, connect_timeout })
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
        Ok(HttpConnection::new(open, Arc::clone(&self.pool), Arc::clone(&self.target), Arc::clone(&self.contract)))
    }
}

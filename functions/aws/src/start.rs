//! How every function starts: logs first, then settings, then whatever it is wired from. What keeps it from starting
//! is one clear line with the setting's name in it.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use ports::EventName;
use tracing::{error, info};

/// Runs a function's wiring to its end, which comes only with the environment's own.
pub async fn start<E: Display>(function: &str, run: impl Future<Output = Result<(), E>>) -> ExitCode {
    crate::telemetry::start();
    // On the heap: the state of everything that a function may be waiting for is large, and made once.
    match Box::pin(run).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            error!(event = EventName::StartFailed.as_str(), function, %cause);
            ExitCode::FAILURE
        }
    }
}

/// Says that this environment is wired and about to ask for its first invocation, and which deployment's settings it has:
/// one line for each cold start.
pub fn ready(function: &str, deployment: &str) {
    info!(event = EventName::EnvironmentStarted.as_str(), function, deployment);
}

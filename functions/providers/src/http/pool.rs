//! Idle connections, the youngest first.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::call::Open;

/// Idle connections that may be used again. Nobody reads from them meanwhile, so that a frozen environment has nothing
/// to catch up with; whether the other side has closed is looked at when one is taken.
pub(super) struct Pool {
    idle: Mutex<Vec<(Instant, Open)>>,
    size: usize,
    idle_timeout: Duration,
}

impl Pool {
    pub(super) fn new(size: usize, idle_timeout: Duration) -> Self {
        Self { idle: Mutex::new(Vec::new()), size, idle_timeout }
    }

    /// The youngest connection that is still open. What is too old or closed is dropped on the way.
    pub(super) async fn take(&self) -> Option<Open> {
        loop {
            let (since, mut open) = self.lock().pop()?;
            if since.elapsed() >= self.idle_timeout {
                // The others are older still.
                self.lock().retain(|(since, _)| since.elapsed() < self.idle_timeout);
            } else if open.is_usable().await {
                return Some(open);
            }
        }
    }

    /// Keeps a connection whose last answer was read to its end, if there is room and it stays open.
    pub(super) async fn put(&self, mut open: Open) {
        if !open.is_usable().await {
            return;
        }
        let mut idle = self.lock();
        idle.retain(|(since, _)| since.elapsed() < self.idle_timeout);
        if idle.len() < self.size {
            idle.push((Instant::now(), open));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Open)>> {
        // Nothing under this lock can leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! How far one request has come: what is true to say if its time runs out, and what is left of its merchant's rate.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderMap;

use crate::admission::Quota;
use crate::document::Problem;

/// How long a request is worked on at most, in ms; then it is answered with what is known by then.
///
/// One call over the SDK takes 8 s at most (`aws::clients`), and a request may make several, one after the other. Lambda
/// ends an invocation at its `Timeout` without an answer, and API Gateway then says nothing about the payment. So this is
/// less than `Timeout` by [`ANSWER_ALLOWANCE_MS`], whatever the calls add up to; `tests/layout/template.rs` holds it.
pub const ANSWER_WITHIN_MS: u64 = 22_000;

/// What is left of the function's time for the answer itself, in ms.
pub const ANSWER_ALLOWANCE_MS: u64 = 2_000;

/// What one request has come to.
#[derive(Debug)]
pub(crate) struct Progress {
    if_time_runs_out: Mutex<Problem>,
    quota: Mutex<Option<Quota>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { if_time_runs_out: Mutex::new(Problem::CallerNotRead), quota: Mutex::default() }
    }
}

impl Progress {
    /// From here on this is what is known if the time runs out.
    pub(crate) fn is_at(&self, problem: Problem) {
        *lock(&self.if_time_runs_out) = problem;
    }

    /// What is known, the time having run out.
    pub(crate) fn out_of_time(&self) -> Problem {
        lock(&self.if_time_runs_out).clone()
    }

    /// The request was counted, and so much is left.
    pub(crate) fn counted(&self, quota: Quota) {
        *lock(&self.quota) = Some(quota);
    }

    /// Says what is left in the answer, whatever it is, if the request was counted.
    pub(crate) fn say_quota(&self, headers: &mut HeaderMap) {
        if let Some(quota) = *lock(&self.quota) {
            quota.say(headers);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

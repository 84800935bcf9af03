//! Lambda on this machine: starts a function's real binary as a process, hands it events and collects its answers.
//!
//! By "Using the Lambda runtime API for custom runtimes" and "Understanding the Lambda execution environment
//! lifecycle": each environment takes one invocation at a time, is kept for the next, and is replaced when its process
//! ends or an invocation runs out of time. A process sees the variables that Lambda sets and the function's own, and
//! none of this machine's.
//!
//! Kinder than Lambda it is in two things. A process is not frozen between two events, so that what it leaves running would be
//! done here: nothing that is deployed does (`tests/layout` `nothing_deployed_is_left_running_behind_an_answer`). Its memory
//! is not bounded: what a function holds is bounded by constants of its own.

mod environment;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use environment::{Environment, Kill};

/// What a function is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `AWS_LAMBDA_FUNCTION_NAME`, and the access key under which its AWS calls are counted.
    pub name: String,
    /// Its binary, which a deployment calls `bootstrap`.
    pub program: PathBuf,
    /// Where its SDK finds AWS.
    pub aws_url: String,
    /// Its own environment variables, as the template names them.
    pub variables: BTreeMap<String, String>,
    /// Its time-out.
    pub timeout: Duration,
    /// Its memory; told, not held to.
    pub memory_mb: u32,
}

/// Why an invocation has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No process came to ask for its first event.
    NotStarted(String),
    /// The process ended before it answered.
    Died(ExitStatus),
    /// The time-out was over; the process was ended.
    TimedOut,
    /// The function reported an error.
    Reported {
        /// `Lambda-Runtime-Function-Error-Type`.
        error_type: String,
        /// What it sent with it.
        body: String,
    },
    /// The answer is not JSON.
    Unreadable(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted(why) => write!(f, "the function did not start: {why}"),
            Self::Died(status) => write!(f, "the function's process ended before it answered: {status}"),
            Self::TimedOut => f.write_str("the function ran out of time"),
            Self::Reported { error_type, body } => write!(f, "the function failed with {error_type}: {body}"),
            Self::Unreadable(why) => write!(f, "the function's answer is not JSON: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// A function with its environments. Clones share them; they end with the last clone.
#[derive(Clone)]
pub struct Function {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    idle: Mutex<Vec<Environment>>,
    started: Mutex<Vec<Started>>,
    log: environment::Log,
}

/// A process that was started.
struct Started {
    kill: Kill,
    until_ready: Duration,
}

impl Function {
    /// A function without an environment; its first invocation starts one.
    pub fn new(settings: Settings) -> Self {
        let (idle, started, log) = (Mutex::default(), Mutex::default(), environment::Log::default());
        Self { shared: Arc::new(Shared { settings, idle, started, log }) }
    }

    /// Starts an environment for the next invocation, as a cold start does before its event.
    pub async fn warm(&self) -> Result<(), Failure> {
        let environment = self.environment().await?;
        lock(&self.shared.idle).push(environment);
        Ok(())
    }

    /// Invokes it with an event. Dropping this ends the environment, as a time-out does.
    pub async fn invoke<E: Serialize + Sync>(&self, event: &E) -> Result<Value, Failure> {
        let body = serde_json::to_vec(event).map_err(|error| Failure::Unreadable(error.to_string()))?;
        let idle = lock(&self.shared.idle).pop().filter(Environment::is_alive);
        let environment = match idle {
            Some(environment) => environment,
            None => self.environment().await?,
        };
        let answer = environment.invoke(body.into(), self.shared.settings.timeout).await;
        if matches!(answer, Ok(_) | Err(Failure::Reported { .. } | Failure::Unreadable(_))) {
            lock(&self.shared.idle).push(environment);
        }
        answer
    }

    async fn environment(&self) -> Result<Environment, Failure> {
        let environment = Environment::start(&self.shared.settings, self.shared.log.clone()).await?;
        let started = Started { kill: environment.kill_switch(), until_ready: environment.until_ready() };
        lock(&self.shared.started).push(started);
        Ok(environment)
    }

    /// Kills its processes with SIGKILL, in the middle of whatever they do.
    pub fn kill(&self) {
        for started in lock(&self.shared.started).iter() {
            started.kill.pull();
        }
    }

    /// The ids of all its processes so far.
    pub fn process_ids(&self) -> Vec<u32> {
        lock(&self.shared.started).iter().map(|started| started.kill.process_id()).collect()
    }

    /// How long each of its processes took from its start to its request for the first event.
    pub fn starts(&self) -> Vec<Duration> {
        lock(&self.shared.started).iter().map(|started| started.until_ready).collect()
    }

    /// What its processes have written so far, line by line.
    pub fn log(&self) -> Vec<String> {
        self.shared.log.lines()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

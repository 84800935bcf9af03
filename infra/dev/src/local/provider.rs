//! The sandbox provider as a process of its own, and what it says of itself.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::{Base, Client};
use crate::summary::{Call, Effect};

/// How long the process may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it may take to say what it knows.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The environment variable that carries the key, which an argument would show to everybody on the machine.
pub const KEY_VARIABLE: &str = "SANDBOX_KEY";
/// What the process prints before its address, once it listens.
pub const LISTENING: &str = "listening on ";

/// The process. It ends when this is dropped; should this process be killed, it notices its input's end.
pub struct Provider {
    _child: Child,
    base_url: String,
    client: Client,
}

impl Provider {
    /// Starts this same program as `sandbox`, with these arguments; port 0 takes any free one.
    pub async fn start(listen: SocketAddr, arguments: &[String], key: &str) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        Self::start_program(&program, listen, arguments, key).await
    }

    /// The same for whoever is not that program but knows where it is.
    pub async fn start_program(
        program: &Path,
        listen: SocketAddr,
        arguments: &[String],
        key: &str,
    ) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(["sandbox", "--listen", &listen.to_string(), "--until-input-ends"])
            .args(arguments)
            .env(KEY_VARIABLE, key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start the sandbox provider: {error}"))?;
        let output = child.stdout.take().ok_or("the sandbox provider has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = tokio::time::timeout(START_TIMEOUT, lines.next_line()).await;
        let Ok(Ok(Some(line))) = first else {
            return Err("the sandbox provider did not start; its own message stands above".to_owned());
        };
        // It says nothing more, but a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let base_url = line
            .strip_prefix(LISTENING)
            .ok_or_else(|| format!("the sandbox provider did not say where it listens: {line}"))?
            .to_owned();
        let base = Base::parse(&base_url).map_err(|error| error.to_string())?;
        Ok(Self { _child: child, base_url, client: Client::new(base, ANSWER_TIMEOUT) })
    }

    /// Where it listens.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Its calls so far, in the order of their arrival.
    pub async fn calls(&mut self) -> Result<Vec<Call>, String> {
        #[derive(Deserialize)]
        struct Line {
            operation: String,
            answer: String,
            at: String,
        }
        let lines: Vec<Line> = self.lines("/calls").await?;
        lines
            .into_iter()
            .map(|Line { operation, answer, at }| {
                let at_ms = payments::time::Timestamp::parse(&at)
                    .ok_or_else(|| format!("the provider's calls hold a time that is none: {at}"))?
                    .ms();
                Ok(Call { at_ms, operation, answer })
            })
            .collect()
    }

    /// Its ledger so far.
    pub async fn ledger(&mut self) -> Result<Vec<Effect>, String> {
        #[derive(Deserialize)]
        struct Line {
            payment_id: String,
            kind: String,
            amount: u64,
            currency: String,
        }
        let lines: Vec<Line> = self.lines("/ledger").await?;
        let effect = |Line { payment_id, kind, amount, currency }| Effect { payment_id, kind, amount, currency };
        Ok(lines.into_iter().map(effect).collect())
    }

    async fn lines<T: DeserializeOwned>(&mut self, path: &str) -> Result<Vec<T>, String> {
        let fault = |reason: &str| format!("the provider's {path} cannot be read: {reason}");
        let answer = self.client.get(path).await.map_err(|error| fault(&error.to_string()))?;
        if !answer.status.is_success() {
            return Err(fault(answer.status.as_str()));
        }
        serde_json::Deserializer::from_slice(&answer.body)
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(|error| fault(&error.to_string()))
    }
}

//! The sandbox provider as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use operator::load::books::Books;

/// How long the process may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The environment variable that carries the key, which an argument would show to everybody on the machine.
pub const KEY_VARIABLE: &str = "SANDBOX_KEY";
/// The one that carries what callbacks are signed with.
pub const CALLBACK_KEY_VARIABLE: &str = "SANDBOX_CALLBACK_KEY";
/// What the process prints before its address, once it listens.
pub const LISTENING: &str = "listening on ";

/// What the sandbox is told besides its arguments.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// What it knows us by.
    pub key: &'a str,
    /// What it signs its callbacks with, if it makes any.
    pub callback_key: Option<&'a str>,
}

/// The process. It ends when this is dropped; should this process be killed, it notices its input's end.
pub struct Provider {
    _child: Child,
    base_url: String,
    books: Books,
}

impl Provider {
    /// Starts this same program as `sandbox`, with these arguments; port 0 takes any free one.
    pub async fn start(listen: SocketAddr, arguments: &[String], keys: Keys<'_>) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        Self::start_program(&program, listen, arguments, keys).await
    }

    /// The same for whoever is not that program but knows where it is.
    pub async fn start_program(
        program: &Path,
        listen: SocketAddr,
        arguments: &[String],
        keys: Keys<'_>,
    ) -> Result<Self, String> {
        let mut child = Command::new(program)
            .args(["sandbox", "--listen", &listen.to_string(), "--until-input-ends"])
            .args(arguments)
            .env(KEY_VARIABLE, keys.key)
            .envs(keys.callback_key.map(|key| (CALLBACK_KEY_VARIABLE, key)))
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
        let books = Books::at(&base_url)?;
        Ok(Self { _child: child, base_url, books })
    }

    /// Where it listens.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What it says of itself.
    pub fn books(&mut self) -> &mut Books {
        &mut self.books
    }
}

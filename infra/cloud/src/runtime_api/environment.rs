//! One execution environment: a process and the Runtime API that only it talks to.

use std::net::Ipv4Addr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::server::{Answer, Api, Invocation};
use super::{Failure, Settings, lock};
use crate::embedded::REGION;

/// How long a process may take until it asks for its first event ("Understanding the Lambda execution environment
/// lifecycle": "The Init phase is limited to 10 seconds").
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// What processes wrote, line by line.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    /// Keeps what is read until its end.
    fn keep<R: AsyncRead + Unpin + Send + 'static>(&self, from: Option<R>) -> JoinHandle<()> {
        let log = self.clone();
        tokio::spawn(async move {
            let Some(from) = from else { return };
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                lock(&log.0).push(line);
            }
        })
    }
}

/// Ends a process at once.
#[derive(Clone)]
pub(super) struct Kill {
    process_id: u32,
    pulled: Arc<Notify>,
}

impl Kill {
    pub(super) fn pull(&self) {
        self.pulled.notify_one();
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process_id
    }
}

/// The process ends when this is dropped.
pub(super) struct Environment {
    api: Api,
    function_arn: String,
    kill: Kill,
    exited: watch::Receiver<Option<ExitStatus>>,
    process: JoinHandle<()>,
    until_ready: Duration,
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.process.abort();
    }
}

impl Environment {
    /// Starts the process and waits until it asks for its first event.
    pub(super) async fn start(settings: &Settings, log: Log) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::NotStarted(format!("{}: {error}", settings.program.display()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let api = Api::start(listener);
        let began = Instant::now();
        let mut child = command(settings, &address.to_string()).spawn().map_err(cannot)?;
        let process_id = child.id().unwrap_or_default();
        let kill = Kill { process_id, pulled: Arc::default() };
        let readers = [log.keep(child.stdout.take()), log.keep(child.stderr.take())];
        let (exit, mut exited) = watch::channel(None);
        let process = tokio::spawn(watch_over(child, Arc::clone(&kill.pulled), readers, exit));
        let ready = tokio::select! {
            () = api.ready() => Ok(began.elapsed()),
            status = ended(&mut exited) => Err(Failure::NotStarted(format!("its process ended: {status}"))),
            () = tokio::time::sleep(INIT_TIMEOUT) => Err(Failure::NotStarted(format!("no request within {INIT_TIMEOUT:?}"))),
        };
        let function_arn =
            format!("arn:aws:lambda:{REGION}:{}:function:{}", crate::embedded::account_id(), settings.name);
        match ready {
            Ok(until_ready) => Ok(Self { api, function_arn, kill, exited, process, until_ready }),
            Err(failure) => {
                process.abort();
                Err(failure)
            }
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.exited.borrow().is_none()
    }

    pub(super) fn kill_switch(&self) -> Kill {
        self.kill.clone()
    }

    pub(super) fn until_ready(&self) -> Duration {
        self.until_ready
    }

    /// Hands the process one event and waits for its answer.
    pub(super) async fn invoke(&self, body: Bytes, timeout: Duration) -> Result<Value, Failure> {
        let (answer, answered) = oneshot::channel();
        let deadline = UNIX_EPOCH.elapsed().unwrap_or_default() + timeout;
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.api.hand_over(Invocation { function_arn: self.function_arn.clone(), deadline_ms, body, answer });
        let mut exited = self.exited.clone();
        let answer = tokio::select! {
            // An answer that came before the process's end counts.
            biased;
            Ok(answer) = answered => answer,
            status = ended(&mut exited) => return Err(Failure::Died(status)),
            () = tokio::time::sleep(timeout) => return Err(Failure::TimedOut),
        };
        match answer {
            Answer::Response(body) => {
                serde_json::from_slice(&body).map_err(|error| Failure::Unreadable(error.to_string()))
            }
            Answer::Error { error_type, body } => {
                Err(Failure::Reported { error_type, body: String::from_utf8_lossy(&body).into_owned() })
            }
        }
    }
}

/// The variables that Lambda sets ("Working with Lambda environment variables"), as far as our binaries and the SDK
/// read them, and the function's own.
fn command(settings: &Settings, api: &str) -> Command {
    let mut command = Command::new(&settings.program);
    command
        .env_clear()
        .envs(&settings.variables)
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", &settings.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_mb.to_string())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", &settings.name)
        .env("AWS_SECRET_ACCESS_KEY", "embedded")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", &settings.aws_url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits for the process's end, or ends it. What it wrote has been read by the time that its end is told.
async fn watch_over(
    mut child: Child,
    pulled: Arc<Notify>,
    readers: [JoinHandle<()>; 2],
    exit: watch::Sender<Option<ExitStatus>>,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = pulled.notified() => {
            // SIGKILL.
            let _ = child.start_kill();
            child.wait().await
        }
    };
    for reader in readers {
        let _ = reader.await;
    }
    // A process whose end cannot be read has ended too.
    let _ = exit.send(Some(status.unwrap_or_default()));
}

async fn ended(exited: &mut watch::Receiver<Option<ExitStatus>>) -> ExitStatus {
    match exited.wait_for(Option::is_some).await {
        Ok(status) => status.unwrap_or_default(),
        Err(_) => ExitStatus::default(),
    }
}

//! The Runtime API over HTTP, for one process: the next event, its response or its error, and an error of the start.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::lock;

/// Largest response: "Invocation payload (request and response)", 6 MB each ("Lambda quotas").
const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024;
const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// An event on its way to the process.
pub(super) struct Invocation {
    pub(super) function_arn: String,
    pub(super) deadline_ms: u64,
    pub(super) body: Bytes,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What the process says of an event.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Bytes),
    Error { error_type: String, body: Bytes },
}

struct Shared {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The invocation that the process has.
    current: Mutex<Option<(String, oneshot::Sender<Answer>)>>,
    ready: watch::Sender<bool>,
}

/// The API while it listens, which ends when this is dropped.
pub(super) struct Api {
    events: mpsc::UnboundedSender<Invocation>,
    ready: watch::Receiver<bool>,
    server: JoinHandle<()>,
}

impl Drop for Api {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Api {
    pub(super) fn start(listener: TcpListener) -> Self {
        let (events, received) = mpsc::unbounded_channel();
        let (ready, is_ready) = watch::channel(false);
        let shared = Arc::new(Shared { events: received.into(), current: Mutex::default(), ready });
        let app = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(shared);
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self { events, ready: is_ready, server }
    }

    /// Waits until the process has asked for its first event.
    pub(super) async fn ready(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// For the process to take when it asks next.
    pub(super) fn hand_over(&self, invocation: Invocation) {
        // Without a server there is no process either, and the invocation ends with that.
        let _ = self.events.send(invocation);
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    shared.ready.send_replace(true);
    let Some(Invocation { function_arn, deadline_ms, body, answer }) = shared.events.lock().await.recv().await else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "Container.Gone", "nobody sends events any more");
    };
    let request_id = request_id(fastrand::u128(..));
    let trace_id = format!("Root=1-{:08x}-{:024x};Sampled=0", deadline_ms / 1_000, fastrand::u128(..) >> 32);
    let mut response = Response::new(Body::from(body));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", request_id.as_str()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string().as_str()),
        ("lambda-runtime-invoked-function-arn", function_arn.as_str()),
        ("lambda-runtime-trace-id", trace_id.as_str()),
        (header::CONTENT_TYPE.as_str(), "application/json"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    *lock(&shared.current) = Some((request_id, answer));
    response
}

async fn response(State(shared): State<Arc<Shared>>, Path(request_id): Path<String>, request: Request) -> Response {
    let answered = |answer| conclude(&shared, &request_id, answer);
    match Limited::new(request.into_body(), RESPONSE_BYTES_MAX).collect().await {
        Ok(body) => answered(Answer::Response(body.to_bytes())),
        Err(_) => {
            let error_type = "Function.ResponseSizeTooLarge".to_owned();
            answered(Answer::Error { error_type, body: Bytes::new() });
            refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", "the response is over 6 MB")
        }
    }
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error_type = headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("unknown").to_owned();
    conclude(&shared, &request_id, Answer::Error { error_type, body })
}

/// The process ends after this, which says enough; what was wrong stands in its log.
async fn init_error() -> Response {
    accepted()
}

/// An answer counts once, and only for the event that the process has.
fn conclude(shared: &Shared, request_id: &str, answer: Answer) -> Response {
    let current = lock(&shared.current).take_if(|(current, _)| current == request_id);
    match current {
        Some((_, waiting)) => {
            // Whoever waited may have given up; the process is told the same.
            let _ = waiting.send(answer);
            accepted()
        }
        None => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID", "there is no such invocation"),
    }
}

fn accepted() -> Response {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" }))
}

fn refusal(status: StatusCode, error_type: &str, message: &str) -> Response {
    json(status, &serde_json::json!({ "errorType": error_type, "errorMessage": message }))
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request id looks like a UUID.
fn request_id(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

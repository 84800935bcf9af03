//! The HTTP API in front of `ingest`: turns each request into the event that API Gateway sends and its answer back.
//!
//! By "Working with AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0) and "Quotas for configuring and
//! running an HTTP API in Amazon API Gateway".
//!
//! Kinder than API Gateway it is with what is too long: a request line with its headers may be above 10,240 bytes here, and a
//! body between Lambda's 6 MB and the API's 10. `ingest` refuses far shorter ones by itself, so that neither bound is reached by
//! anything that it would take.

mod event;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body as EventBody;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use axum::serve::ListenerExt;
use data_encoding::BASE64;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use event::event;

/// Largest body: an HTTP API's payload quota, 10 MB.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// An HTTP API's longest integration time-out.
pub const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// A front at work.
pub struct Front {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Front {
    /// Listens on `address` (port 0 for any free one) and hands each request to `handler`.
    pub async fn start<H, F>(address: SocketAddr, handler: H) -> std::io::Result<Self>
    where
        H: Fn(ApiGatewayV2httpRequest) -> F + Send + Sync + 'static,
        F: Future<Output = ApiGatewayV2httpResponse> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let handler = Arc::new(handler);
        let app = axum::Router::new()
            .fallback(move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
                answer(Arc::clone(&handler), peer, request)
            })
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer<H, F>(handler: Arc<H>, peer: SocketAddr, request: Request) -> Response
where
    H: Fn(ApiGatewayV2httpRequest) -> F + Send + Sync + 'static,
    F: Future<Output = ApiGatewayV2httpResponse> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Too Long");
        }
        Err(_) => return plain(StatusCode::BAD_REQUEST, "Bad Request"),
    };
    let Some(event) = event(&parts, &body, peer) else {
        return plain(StatusCode::BAD_REQUEST, "Bad Request");
    };
    // In a task of its own, so that neither a panic nor a client that hangs up ends the invocation half-way.
    let invocation = tokio::spawn(async move { tokio::time::timeout(INTEGRATION_TIMEOUT, handler(event)).await });
    match invocation.await {
        Ok(Ok(response)) => {
            into_http(response).unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
        }
        Ok(Err(_)) => plain(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
    }
}

/// The function's answer as HTTP; `None` when it is none, for which API Gateway answers 500. Only what format 2.0 has is read:
/// one value for each header, and no `multiValueHeaders`, which are format 1.0's.
fn into_http(response: ApiGatewayV2httpResponse) -> Option<Response> {
    // What comes from Lambda is JSON, in which a header has one value.
    let response: ApiGatewayV2httpResponse = serde_json::from_value(serde_json::to_value(response).ok()?).ok()?;
    let status = u16::try_from(response.status_code).ok().and_then(|code| StatusCode::from_u16(code).ok())?;
    let body = match response.body {
        None | Some(EventBody::Empty) => Vec::new(),
        Some(EventBody::Text(text)) if response.is_base64_encoded => BASE64.decode(text.as_bytes()).ok()?,
        Some(EventBody::Text(text)) => text.into_bytes(),
        Some(EventBody::Binary(bytes)) => bytes,
        // Kinds of body that this code does not know yet.
        #[allow(unreachable_patterns)]
        Some(_) => return None,
    };
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    for (name, value) in &response.headers {
        answer.headers_mut().append(name, value.clone());
    }
    for cookie in &response.cookies {
        answer.headers_mut().append(header::SET_COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    Some(answer)
}

/// An answer of API Gateway's own.
fn plain(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "message": message }).to_string();
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
#[path = "front/tests.rs"]
mod tests;

//! The embedded AWS over HTTP, for processes of their own: the functions' real binaries, and a person's commands.
//!
//! Anybody who reaches it may do anything, so it is for this machine's own addresses. A browser cannot be made to call
//! it: a request that is not signed is refused, and the header that signs one cannot be sent across origins unasked.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::ListenerExt;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use winterbaume_core::{MockRequest, MockResponse};

use super::REGION;
use super::connector::{Inside, failure};

/// Largest request: an SQS batch of 1 MiB and a `DynamoDB` transaction of 4 MB stay below it.
const REQUEST_BYTES_MAX: usize = 5 * 1024 * 1024;

/// The embedded AWS while it listens. Dropping this ends it; the tables and queues stay.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Endpoint {
    pub(super) async fn start(inside: Arc<Inside>, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let app = axum::Router::new().fallback(move |request: Request| answer(Arc::clone(&inside), request));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, server })
    }

    /// The URL that an SDK takes as its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What clients of another process would be built from; their calls are counted under this label.
    pub fn config(&self, label: &str) -> SdkConfig {
        endpoint_config(&self.url(), label)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What clients of the embedded AWS at this URL are built from.
pub fn endpoint_config(url: &str, label: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(label, label, None, None, "embedded")))
        .endpoint_url(url)
        .build()
}

async fn answer(inside: Arc<Inside>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let refusal =
                failure(413, "RequestEntityTooLarge", "the request is too large, or did not arrive as a whole");
            return into_http(refusal);
        }
    };
    let Some(label) = caller(&parts.headers).map(str::to_owned) else {
        return into_http(failure(403, "MissingAuthenticationTokenException", "the request is not signed"));
    };
    let request = MockRequest {
        method: parts.method.as_str().to_owned(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body,
    };
    match inside.answer(&label, request).await {
        Ok(response) => into_http(response),
        // The answer was to be lost: the caller learns nothing but that, after the effect.
        Err(_) => into_http(failure(504, "GatewayTimeout", "the answer was lost, as asked for")),
    }
}

/// The access key that signed the request, by which its calls are counted ("Authenticating requests (AWS Signature
/// Version 4)"). Nothing is verified: every key is taken.
fn caller(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = value.split_once("Credential=")?;
    credential.split('/').next().filter(|key| !key.is_empty())
}

fn into_http(response: MockResponse) -> Response {
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *answer.headers_mut() = response.headers;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_known_by_its_access_key() {
        let mut headers = HeaderMap::new();
        assert_eq!(caller(&headers), None);
        let value = "AWS4-HMAC-SHA256 Credential=consumer/20260131/eu-central-1/sqs/aws4_request, SignedHeaders=host";
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        assert_eq!(caller(&headers), Some("consumer"));
    }
}

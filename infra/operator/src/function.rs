//! A function of the stack, invoked for an operator, and what else is called for which no client is linked: one signed request.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderName, Request as HttpRequest, StatusCode};
use http_body_util::Full;
use payments::history::HistoryKeys;
use reconcile::operate::{Answer, Request};
use serde_json::{Value, json};

use crate::client::{self, Base, Client};

/// Longer than the function may run, 55 s.
const CALL: Duration = Duration::from_secs(70);
/// Tries while other invocations have all of the function's concurrency, a sweep and another operator.
const TRIES_MAX: u32 = 30;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(2);

/// A service in the Region of a configuration. Its address is the Region's, unless the configuration names another ("AWS service
/// endpoints").
#[derive(Clone)]
struct Service {
    config: SdkConfig,
    base: Base,
    region: String,
    name: &'static str,
}

impl Service {
    fn new(config: &SdkConfig, name: &'static str) -> Result<Self, String> {
        let region = config.region().ok_or("no Region is set: set AWS_REGION")?.to_string();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let usual = format!("https://{name}.{region}.{suffix}");
        let base = Base::parse(config.endpoint_url().unwrap_or(&usual)).map_err(|error| error.to_string())?;
        Ok(Self { config: config.clone(), base, region, name })
    }

    /// One request, signed as every call to AWS is.
    async fn post(&self, path: &str, headers: &[(&'static str, &str)], body: Bytes) -> Result<client::Answer, String> {
        let unsigned = |error: &dyn fmt::Display| format!("the call cannot be signed: {error}");
        let authority = self.base.authority();
        let url = format!("https://{authority}{path}");
        let provider = self.config.credentials_provider().ok_or("no credentials are set")?;
        let credentials = provider.provide_credentials().await.map_err(|error| format!("no credentials: {error}"))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let named = [("host", authority.as_str())].into_iter().chain(headers.iter().copied());
        let signable = SignableRequest::new("POST", &url, named, SignableBody::Bytes(&body));
        let signable = signable.map_err(|error| unsigned(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
        let mut request = HttpRequest::post(path).header("host", &authority);
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), *value);
        }
        let request = request.body(Full::new(body.clone()));
        let mut request = request.map_err(|error| format!("the call cannot be made: {error}"))?;
        instructions.apply_to_request_http1x(&mut request);
        let mut client = Client::new(self.base.clone(), CALL);
        client.send(request).await.map_err(|error| format!("{} cannot be reached: {error}", self.name))
    }
}

/// A deployed function, reached by its name.
#[derive(Clone)]
pub struct Function {
    lambda: Service,
    name: String,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.name, self.lambda.base)
    }
}

impl Function {
    /// A function in the Region of this configuration.
    pub fn new(config: &SdkConfig, name: &str) -> Result<Self, String> {
        Ok(Self { lambda: Service::new(config, "lambda")?, name: name.to_owned() })
    }

    /// Asks it for this, and says what came of it.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, String> {
        let answer = self.invoke(&json!({ "operate": request })).await?;
        serde_json::from_value(answer.clone())
            .map_err(|error| format!("{self:?} answered {answer}, which is no answer of this tool's version: {error}"))
    }

    /// Invokes it and waits for its answer ("Invoke", AWS Lambda API Reference). The body holds no secret, and the answer none
    /// either.
    async fn invoke(&self, event: &Value) -> Result<Value, String> {
        let name = &self.name;
        let path = format!("/2015-03-31/functions/{name}/invocations");
        for _ in 0..TRIES_MAX {
            let body = Bytes::from(event.to_string());
            let answer = self.lambda.post(&path, &[("content-type", "application/json")], body).await?;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let text = String::from_utf8_lossy(&answer.body);
            if answer.status != StatusCode::OK {
                return Err(format!("{name} cannot be invoked: {} {text}", answer.status));
            }
            if answer.headers.contains_key("x-amz-function-error") {
                return Err(format!("{name} failed: {text}"));
            }
            return serde_json::from_slice(&answer.body)
                .map_err(|error| format!("{name} answered what is no JSON: {error}"));
        }
        Err(format!("{name} has no environment free; try again"))
    }
}

/// The keys that a stack's histories are linked under, of who may read their secret ("GetSecretValue", AWS Secrets Manager API
/// Reference).
pub(crate) async fn history_keys(config: &SdkConfig, secret: &str) -> Result<HistoryKeys, String> {
    let service = Service::new(config, "secretsmanager")?;
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
    let body = Bytes::from(json!({ "SecretId": secret }).to_string());
    let answer = service.post("/", &headers, body).await?;
    // What came may be the secret: nothing of a success is repeated.
    if answer.status != StatusCode::OK {
        let text = String::from_utf8_lossy(&answer.body);
        return Err(format!(
            "the secret {secret}, under which histories are linked, cannot be read: {} {text}",
            answer.status
        ));
    }
    let told: Value =
        serde_json::from_slice(&answer.body).map_err(|_| format!("the answer for {secret} is no JSON"))?;
    let text = told.get("SecretString").and_then(Value::as_str);
    let text = text.ok_or_else(|| format!("the secret {secret} holds no text"))?;
    HistoryKeys::parse(text.trim()).map_err(|error| format!("the secret {secret} holds no keys of histories: {error}"))
}

//! The hand of an operator: who writes a payment for the commands, by the function that has the keys of histories. On this
//! machine the same code runs here, under the keys of `cargo dev up`.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws::queue::SqsQueue;
use aws::store::DynamoStore;
use aws::system::{SystemClock, SystemEntropy};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use cloud::client::{Base, Client};
use cloud::local::settings;
use http::{Request as HttpRequest, StatusCode};
use http_body_util::Full;
use ports::Clock;
use reconcile::operate::{Answer, Request};
use reconcile::{Reconcile, Watched};
use serde_json::{Value, json};

use super::policy_here;
use crate::account::Account;

/// Longer than the function may run, 55 s.
const CALL: Duration = Duration::from_secs(70);
/// Tries while other invocations have all of the function's concurrency, a sweep and another operator.
const TRIES_MAX: u32 = 30;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(2);

/// A deployed function, reached by its name.
#[derive(Clone)]
pub struct Deployed {
    config: SdkConfig,
    base: Base,
    region: String,
    function: String,
}

impl fmt::Debug for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.function, self.base)
    }
}

impl Deployed {
    /// A function in the Region of this configuration. Its address is the Region's, unless the configuration names another
    /// ("AWS Lambda endpoints and quotas").
    pub fn new(config: &SdkConfig, function: &str) -> Result<Self, String> {
        let region = config.region().ok_or("no Region is set: set AWS_REGION")?.to_string();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let usual = format!("https://lambda.{region}.{suffix}");
        let base = Base::parse(config.endpoint_url().unwrap_or(&usual)).map_err(|error| error.to_string())?;
        Ok(Self { config: config.clone(), base, region, function: function.to_owned() })
    }

    /// Invokes it and waits for its answer ("Invoke", AWS Lambda API). Signed as every call to AWS is; the body holds no
    /// secret, and the answer none either.
    async fn invoke(&self, event: &Value) -> Result<Value, String> {
        let function = &self.function;
        for _ in 0..TRIES_MAX {
            let answer = self.call(event).await?;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let text = String::from_utf8_lossy(&answer.body);
            if answer.status != StatusCode::OK {
                return Err(format!("{function} cannot be invoked: {} {text}", answer.status));
            }
            if answer.headers.contains_key("x-amz-function-error") {
                return Err(format!("{function} failed: {text}"));
            }
            return serde_json::from_slice(&answer.body)
                .map_err(|error| format!("{function} answered what is no JSON: {error}"));
        }
        Err(format!("{function} has no environment free; try again"))
    }

    async fn call(&self, event: &Value) -> Result<cloud::client::Answer, String> {
        let body = Bytes::from(event.to_string());
        let path = format!("/2015-03-31/functions/{}/invocations", self.function);
        let authority = self.base.authority();
        let url = format!("https://{authority}{path}");
        let provider = self.config.credentials_provider().ok_or("no credentials are set")?;
        let credentials = provider.provide_credentials().await.map_err(|error| format!("no credentials: {error}"))?;
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| format!("the call cannot be signed: {error}"))?
            .into();
        let headers = [("host", authority.as_str()), ("content-type", "application/json")];
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(&body))
            .map_err(|error| format!("the call cannot be signed: {error}"))?;
        let (instructions, _) =
            sign(signable, &parameters).map_err(|error| format!("the call cannot be signed: {error}"))?.into_parts();
        let mut request = HttpRequest::post(&path)
            .header("host", &authority)
            .header("content-type", "application/json")
            .body(Full::new(body.clone()))
            .map_err(|error| format!("the call cannot be made: {error}"))?;
        instructions.apply_to_request_http1x(&mut request);
        let mut client = Client::new(self.base.clone(), CALL);
        client.send(request).await.map_err(|error| format!("{} cannot be reached: {error}", self.function))
    }
}

/// Asks for it, and says what came of it.
pub(super) async fn ask(account: &Account, request: &Request) -> Result<Answer, String> {
    match &account.operator {
        None => Ok(here(account)?.operate(request, SystemClock.now().plus_ms(settings::FUNCTION_TIMEOUT_MS)).await),
        Some(deployed) => {
            let answer = deployed.invoke(&json!({ "operate": request })).await?;
            serde_json::from_value(answer.clone()).map_err(|error| {
                format!("{deployed:?} answered {answer}, which is no answer of this tool's version: {error}")
            })
        }
    }
}

type Here = Reconcile<DynamoStore, SqsQueue, aws::gates::DynamoGates, SystemClock, SystemEntropy>;

fn here(account: &Account) -> Result<Here, String> {
    let gate = Watched { gates: account.gates(), provider: settings::PROVIDER_NAME.to_owned() };
    let (policy, heals) = (policy_here()?, settings::MAX_HEALS_PER_SWEEP);
    Ok(Reconcile::new(account.store(), account.queue(), gate, SystemClock, SystemEntropy, policy, heals))
}

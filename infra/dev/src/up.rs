//! `cargo dev up`: the whole system, staying up for requests by hand until it is interrupted.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;
use cloud::embedded::{Fault as AwsFault, When};
use cloud::local::provider::{CALLBACK_KEY_VARIABLE, KEY_VARIABLE, Keys, Provider};
use cloud::local::settings;
use cloud::local::system::{System, Wiring};
use cloud::sandbox::{Fault, Faults, parse_fault};
use operator::account::LOCAL_ENDPOINT;
use operator::load::share;
use operator::merchants::keys::Permissions;
use payments::id::MerchantId;
use payments::provider::ProviderKind;

use crate::merchants;
use crate::secrets::{self, Secrets};

/// The queues that `--aws-refuse-sends` speaks of.
const LANES: [&str; 2] = ["high", "standard"];
/// The merchant that the printed key belongs to.
const MERCHANT: &str = "demo";

/// What a person may choose.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where merchants send their payments.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the embedded AWS answers to `sluice`.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8070")]
    pub aws_listen: SocketAddr,
    /// Where the sandbox provider listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090", conflicts_with = "provider_url")]
    pub provider_listen: SocketAddr,
    /// Calls a second that the provider allows.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub provider_rate: u32,
    /// Payments a second that a merchant may send whose record says nothing, in bursts of four times as many.
    #[arg(long, value_name = "N", default_value_t = settings::MERCHANT_RATE, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub merchant_rate: u32,
    /// Messages that a lane may hold before it takes no more.
    #[arg(long, value_name = "N", default_value_t = settings::QUEUE_DEPTH_MAX)]
    pub queue_depth_max: u64,
    /// Whose protocol is spoken.
    #[arg(long, value_name = "KIND", default_value = "open", value_parser = crate::cli::provider_kind)]
    pub provider: ProviderKind,
    /// Another provider that speaks this protocol, instead of the sandbox; its secret is taken from SANDBOX_KEY, and what its
    /// callbacks are known by from SANDBOX_CALLBACK_KEY.
    #[arg(long, value_name = "URL")]
    pub provider_url: Option<String>,
    /// How often the sandbox misbehaves in one way, such as drop_after=0.02; may be given for each way.
    #[arg(long = "fault", value_name = "NAME=SHARE", value_parser = parse_fault, conflicts_with = "provider_url")]
    pub faults: Vec<(Fault, f64)>,
    /// Where the functions' logs go, added to what stands there: what CloudWatch would hold, for `explain --log`.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub aws_faults: AwsFaults,
}

/// How the embedded AWS misbehaves.
#[derive(Args, Clone, Debug)]
pub struct AwsFaults {
    /// Share of the calls to DynamoDB that it throttles.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub aws_throttle: f64,
    /// Share of the writes to DynamoDB whose answer is lost after they were done.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub aws_lose_answers: f64,
    /// From when on, and for how long, both lanes take no message, in seconds from the start, such as 10:60.
    #[arg(long, value_name = "FROM:FOR", value_parser = spell)]
    pub aws_refuse_sends: Option<(u64, u64)>,
}

impl AwsFaults {
    fn begin(&self, system: &System) {
        let faults = system.embedded().faults();
        let writes = ["PutItem", "UpdateItem", "TransactWriteItems"];
        if self.aws_throttle > 0.0 {
            let calls = [&writes[..], &["GetItem", "Query"]].concat();
            faults.inject(&calls, AwsFault::Throttle, When::Share(self.aws_throttle));
        }
        if self.aws_lose_answers > 0.0 {
            faults.inject(&writes, AwsFault::LoseAnswer, When::Share(self.aws_lose_answers));
        }
        if let Some((from, lasts)) = self.aws_refuse_sends {
            let embedded = system.embedded().clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(from)).await;
                for lane in LANES {
                    embedded.faults().refuse_sends(lane);
                }
                say(&format!("from now on, for {lasts} s, the lanes take no message"));
                tokio::time::sleep(Duration::from_secs(lasts)).await;
                for lane in LANES {
                    embedded.faults().accept_sends(lane);
                }
                say("the lanes take messages again");
            });
        }
    }
}

fn log_into(file: &Path) -> Result<(), String> {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let opened = opened.map_err(|error| format!("cannot write the logs to {}: {error}", file.display()))?;
    aws::telemetry::start_into(Mutex::new(opened));
    Ok(())
}

/// A reader that has gone away is no reason to stop a system that others use.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn spell(text: &str) -> Result<(u64, u64), String> {
    let seconds = text.split_once(':').and_then(|(from, lasts)| Some((from.parse().ok()?, lasts.parse().ok()?)));
    seconds.ok_or_else(|| "two numbers of seconds, such as 10:60".to_owned())
}

/// Runs until Ctrl-C. An error is one line that says what failed.
pub async fn run(arguments: Arguments) -> Result<(), String> {
    let mut faults = Faults::default();
    for &(fault, share) in &arguments.faults {
        faults.set(fault, share);
    }
    faults.check()?;
    if faults.callback > 0.0 && arguments.listen.port() == 0 {
        return Err(
            "--fault callback needs a port that the provider can be told beforehand: give one with --listen".to_owned()
        );
    }
    if let Some(file) = &arguments.log {
        log_into(file)?;
    }
    let kind = arguments.provider;
    let Reached { provider, provider_url, provider_key, callback_key } = Reached::of(&arguments).await?;
    let wiring = Wiring {
        listen: arguments.listen,
        provider_kind: kind,
        provider_url: &provider_url,
        provider_key: &provider_key,
        callback_key: callback_key.as_deref(),
        rate_per_second: arguments.provider_rate,
        key_window_ms: settings::policy().key_window_ms,
        merchant_rate: arguments.merchant_rate,
        queue_depth_max: arguments.queue_depth_max,
        duplicate_share: 0.0,
        seed: 1,
    };
    let mut system = System::start(&wiring).await?;
    let endpoint = system.serve_aws(arguments.aws_listen).await?;
    let merchant = MerchantId::new(MERCHANT).map_err(|error| error.to_string())?;
    let permissions = Permissions { unlinked_refunds: true, high_priority: true, limit: None };
    let keys = merchants::create_in(&system, &BTreeMap::from([(merchant.clone(), permissions)])).await?;
    let key = keys.get(&merchant).ok_or("the merchant has no key")?;
    // Whoever sets the system up is no part of it: with a merchant's key lost there would be nothing to try.
    arguments.aws_faults.begin(&system);
    let address = system.address();
    let books = provider.as_ref().map_or(String::new(), |provider| {
        format!(", its books at {}/ledger, /calls and /callbacks", provider.base_url())
    });
    say(&format!(
        r#"sluice    http://{address}
provider  {provider_url}{books}
aws       {aws}, for `{sluice} payments list` and what else `{sluice} help` names
numbers   {scale}
try       curl -i http://{address}/v1/payments -H 'Authorization: Bearer {key}' \
               -H 'Content-Type: application/json' \
               -d '{{"order_id":"A-1001","kind":"charge","amount":1999,{example}}}'
Everything is kept in memory: whoever ends it, Ctrl-C or kill, a restart begins with empty tables, queues and books, and with another key."#,
        aws = endpoint.url(),
        sluice = sluice(&endpoint.url()),
        scale = settings::scale(),
        example = match kind {
            ProviderKind::Open => r#""currency":"EUR""#,
            ProviderKind::Alipay => r#""currency":"CNY","payment_method":"agreement:20170322450983769228""#,
            ProviderKind::Stripe => r#""currency":"EUR","payment_method":"pm_card_visa","customer":"cus_A1""#,
        },
    ));
    let interrupted = tokio::signal::ctrl_c().await;
    // What is under way is dropped, and its connections reset: nobody waits for a restart that remembers nothing.
    system.abort();
    interrupted.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

/// The operator's command, as it is typed for this system.
fn sluice(url: &str) -> String {
    let name = "sluice";
    if url == LOCAL_ENDPOINT { name.to_owned() } else { format!("{name} --endpoint {url}") }
}

/// A provider and what it is known by.
struct Reached {
    provider: Option<Provider>,
    provider_url: String,
    provider_key: String,
    callback_key: Option<String>,
}

impl Reached {
    /// The sandbox, started, or the provider that was named, whose secrets are taken from the environment.
    async fn of(arguments: &Arguments) -> Result<Self, String> {
        if let Some(url) = &arguments.provider_url {
            let provider_key = std::env::var(KEY_VARIABLE).map_err(|_| {
                format!("{KEY_VARIABLE} is missing: it is what the provider at --provider-url knows us by")
            })?;
            let callback_key = std::env::var(CALLBACK_KEY_VARIABLE).ok();
            return Ok(Self { provider: None, provider_url: url.clone(), provider_key, callback_key });
        }
        let kind = arguments.provider;
        let secrets = Secrets::draw(kind)?;
        let mut to_sandbox = settings::sandbox_arguments(
            arguments.provider_rate,
            settings::policy().key_window_ms,
            1,
            arguments.faults.clone(),
        );
        let events = format!("http://{}/v1/providers/{}/events", arguments.listen, settings::PROVIDER_NAME);
        to_sandbox.extend(["--speaks".to_owned(), kind.as_str().to_owned(), "--callback-url".to_owned(), events]);
        let keys = Keys { key: &secrets.sandbox, callback_key: Some(&secrets.sandbox_callback) };
        let provider = Provider::start(arguments.provider_listen, &to_sandbox, keys).await?;
        Ok(Self {
            provider_url: secrets::url(kind, provider.base_url()),
            provider: Some(provider),
            provider_key: secrets.provider,
            callback_key: Some(secrets.callback),
        })
    }
}

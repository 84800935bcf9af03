//! `cargo dev up`: the whole system, staying up for requests by hand until it is interrupted.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use payments::id::{MerchantId, Nonce};
use payments::ports::Entropy;

use crate::local::provider::{KEY_VARIABLE, Provider};
use crate::local::settings;
use crate::local::system::{System, Wiring};
use crate::sandbox::{Fault, Faults};

/// The merchant that the printed key belongs to.
const MERCHANT: &str = "demo";

/// What a person may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where merchants send their payments.
    pub listen: SocketAddr,
    /// Where the sandbox provider listens.
    pub provider_listen: SocketAddr,
    /// Calls a second that the provider allows.
    pub provider_rate: u32,
    /// Another provider instead of the sandbox.
    pub provider_url: Option<String>,
    /// How the sandbox misbehaves.
    pub faults: Vec<(Fault, f64)>,
}

/// Runs until Ctrl-C. An error is one line that says what failed.
pub async fn run(options: Options) -> Result<(), String> {
    let mut faults = Faults::default();
    for &(fault, share) in &options.faults {
        faults.set(fault, share);
    }
    faults.check()?;
    let (provider, provider_url, provider_key) = provider(&options).await?;
    let wiring = Wiring {
        listen: options.listen,
        provider_url: &provider_url,
        provider_key: &provider_key,
        rate_per_second: options.provider_rate,
        duplicate_share: 0.0,
        seed: 1,
    };
    let mut system = System::start(&wiring).await?;
    let merchant = MerchantId::new(MERCHANT).map_err(|error| error.to_string())?;
    let keys = system.create_merchants(&BTreeMap::from([(merchant.clone(), true)])).await?;
    let key = keys.get(&merchant).ok_or("the merchant has no key")?;
    let address = system.address();
    println!("sluice    http://{address}");
    match &provider {
        Some(_) => println!("provider  {provider_url}, its books at {provider_url}/ledger and {provider_url}/calls"),
        None => println!("provider  {provider_url}"),
    }
    println!("numbers   {}", settings::scale());
    println!("try       curl -i http://{address}/v1/payments -H 'Authorization: Bearer {key}' \\");
    println!("               -H 'Content-Type: application/json' \\");
    println!(
        "               -d '{{\"order_id\":\"A-1001\",\"kind\":\"charge\",\"amount\":1999,\"currency\":\"EUR\"}}'"
    );
    println!("Everything is kept in memory: a restart begins with empty tables and another key. Ctrl-C ends it.");
    let interrupted = tokio::signal::ctrl_c().await;
    // What is under way is dropped, and its connections reset: nobody waits for a restart that remembers nothing.
    system.abort();
    interrupted.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))
}

async fn provider(options: &Options) -> Result<(Option<Provider>, String, String), String> {
    if let Some(url) = &options.provider_url {
        let key = std::env::var(KEY_VARIABLE)
            .map_err(|_| format!("{KEY_VARIABLE} is missing: it is what the provider at --provider-url knows us by"))?;
        return Ok((None, url.clone(), key));
    }
    let key = Nonce::from_bits(aws::system::SystemEntropy::new().bits());
    let arguments = settings::sandbox_arguments(options.provider_rate, 1, options.faults.clone());
    let provider = Provider::start(options.provider_listen, &arguments, key.as_str()).await?;
    let url = provider.base_url().to_owned();
    Ok((Some(provider), url, key.as_str().to_owned()))
}

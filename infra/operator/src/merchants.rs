//! `sluice merchants`: gives a merchant an API key, takes one back, and sets how fast it may bring payments.

pub mod keys;

use std::collections::{BTreeMap, HashMap};

use aws::system::SystemEntropy;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use clap::{Args, Subcommand};
use payments::id::MerchantId;
use payments::limit::{BURST_MAX, Limit, RATE_MAX};
use payments::merchant::ApiKeyHash;
use serde_json::{Value, json};

use self::keys::Permissions;
use crate::account::{Account, why};
use crate::failure::Failure;

/// How long a key still works after it was taken back, in seconds: `ingest` believes a record for so long.
const BELIEVED_SECONDS: u32 = 60;

/// What can be done.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// The merchants' keys, by their hashes, and what each may do
    List {
        /// One JSON document instead of text
        #[arg(long)]
        json: bool,
    },
    /// Draws an API key and prints it, once: the table has its hash only. A merchant may have several
    AddKey {
        /// The merchant's id
        #[arg(value_name = "MERCHANT", value_parser = merchant_id)]
        merchant: MerchantId,
        /// May refund without naming the charge
        #[arg(long)]
        unlinked_refunds: bool,
        /// May use the high lane
        #[arg(long)]
        high_priority: bool,
        #[command(flatten)]
        pace: Pace,
        /// One JSON document instead of the key alone
        #[arg(long)]
        json: bool,
    },
    /// Sets how fast a merchant may bring payments, with each of its keys. It holds within a minute
    Limit {
        /// The merchant's id
        #[arg(value_name = "MERCHANT", value_parser = merchant_id)]
        merchant: MerchantId,
        #[command(flatten)]
        pace: Pace,
    },
    /// Takes a key back, given the key itself or its hash. It works for a minute more at most
    Revoke {
        /// The key, or the hash that the table has
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// How fast.
#[derive(Args, Clone, Copy, Debug)]
pub struct Pace {
    /// Payments a second; without it the deployment's default holds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: Option<u32>,
    /// Payments at once after a pause, at least a second's worth; four times the rate if not given
    #[arg(long, value_name = "N", requires = "rate", value_parser = clap::value_parser!(u32).range(1..=i64::from(BURST_MAX)))]
    burst: Option<u32>,
}

impl Pace {
    fn limit(self) -> Result<Option<Limit>, String> {
        let Some(rate) = self.rate else { return Ok(None) };
        let Some(burst) = self.burst else { return Ok(Some(Limit::usual(rate))) };
        if burst < rate {
            return Err(format!("--burst {burst} is below --rate {rate}: a bucket holds at least a second's worth"));
        }
        Ok(Some(Limit::new(rate, burst)))
    }
}

fn merchant_id(text: &str) -> Result<MerchantId, String> {
    MerchantId::new(text).map_err(|error| format!("the merchant {error}"))
}

/// Does it.
pub(crate) async fn run(account: &Account, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List { json } => list(account, *json).await,
        Command::AddKey { merchant, unlinked_refunds, high_priority, pace, json } => {
            let limit = pace.limit()?;
            let permissions = Permissions { unlinked_refunds: *unlinked_refunds, high_priority: *high_priority, limit };
            let wanted = BTreeMap::from([(merchant.clone(), permissions)]);
            let (client, table) = (&account.clients.dynamodb, &account.merchants_table);
            let keys = keys::create(client, table, &wanted, &SystemEntropy).await?;
            let key = keys.get(merchant).ok_or("no key was made")?;
            if *json {
                println!("{:#}", json!({ "merchant": merchant.as_str(), "api_key": &**key }));
            } else {
                println!("{key}");
            }
            Ok(())
        }
        Command::Limit { merchant, pace } => {
            let limit = pace.limit()?;
            let keys = set_limit(account, merchant.as_str(), limit).await?;
            match limit {
                Some(limit) => println!(
                    "{merchant} may bring {} payments a second, {} at once; {keys} keys, within {BELIEVED_SECONDS} s",
                    limit.rate_per_second(),
                    limit.burst()
                ),
                None => println!("the default holds for {merchant} again; {keys} keys, within {BELIEVED_SECONDS} s"),
            }
            Ok(())
        }
        Command::Revoke { key } => {
            let merchant = revoke(account, key).await?;
            println!("taken back from {merchant}; within {BELIEVED_SECONDS} s no request with it is taken any more");
            Ok(())
        }
    }
}

/// A key's record, as far as it may be shown: the key itself is nowhere.
fn record(item: &HashMap<String, AttributeValue>) -> Value {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let may = |name: &str| item.get(name).and_then(|value| value.as_bool().ok()).copied().unwrap_or_default();
    let limit = item.get("limit").and_then(|limit| limit.as_m().ok());
    let number = |name: &str| limit?.get(name)?.as_n().ok()?.parse::<u32>().ok();
    json!({
        "merchant": text("merchant"),
        "key_hash": text("key_hash"),
        "unlinked_refunds": may("unlinked_refunds"),
        "high_priority": may("high_priority"),
        "rate_per_second": number("rate_per_second"),
        "burst": number("burst"),
    })
}

async fn list(account: &Account, is_json: bool) -> Result<(), Failure> {
    let scan = account.clients.dynamodb.scan().table_name(&account.merchants_table);
    let mut items = scan.into_paginator().items().send();
    let mut records = Vec::new();
    while let Some(item) = items.next().await {
        records.push(record(&item.map_err(|error| format!("cannot read the merchants: {}", why(&error)))?));
    }
    let key = |record: &Value| (record["merchant"].to_string(), record["key_hash"].to_string());
    records.sort_by_key(key);
    if is_json {
        println!("{:#}", json!({ "keys": records }));
        return Ok(());
    }
    for record in &records {
        let text = |name: &str| record[name].as_str().unwrap_or("?").to_owned();
        let may = [("unlinked_refunds", "unlinked refunds"), ("high_priority", "high lane")];
        let may = may.iter().filter(|(name, _)| record[name] == true).map(|(_, word)| format!(", {word}"));
        let rate = match (&record["rate_per_second"], &record["burst"]) {
            (Value::Null, _) => "the default rate".to_owned(),
            (rate, burst) => format!("{rate} a second, {burst} at once"),
        };
        println!("{}  {}  {rate}{}", text("key_hash"), text("merchant"), may.collect::<String>());
    }
    println!("{} keys", records.len());
    Ok(())
}

/// Sets a merchant's limit in the record of each of its keys, or takes it out; returns how many there are.
pub async fn set_limit(account: &Account, merchant: &str, limit: Option<Limit>) -> Result<usize, Failure> {
    let client = &account.clients.dynamodb;
    let whose = AttributeValue::S(merchant.to_owned());
    let mut records = client.scan().table_name(&account.merchants_table).into_paginator().items().send();
    let mut keys = 0;
    while let Some(record) = records.next().await {
        let record = record.map_err(|error| format!("cannot read the merchants: {}", why(&error)))?;
        let Some(hash) = record.get("key_hash").filter(|_| record.get("merchant") == Some(&whose)).cloned() else {
            continue;
        };
        // A key that was taken back meanwhile does not come to life again.
        let update = client
            .update_item()
            .table_name(&account.merchants_table)
            .key("key_hash", hash)
            .condition_expression("#merchant = :merchant")
            .expression_attribute_names("#merchant", "merchant")
            .expression_attribute_names("#limit", "limit")
            .expression_attribute_values(":merchant", whose.clone());
        let update = match limit {
            Some(limit) => update
                .update_expression("SET #limit = :limit")
                .expression_attribute_values(":limit", keys::limit_attribute(limit)),
            None => update.update_expression("REMOVE #limit"),
        };
        update.send().await.map_err(|error| format!("cannot set the rate of {merchant}: {}", why(&error)))?;
        keys += 1;
    }
    if keys == 0 {
        let at = account.option();
        let add = format!("`sluice merchants add-key {merchant}{at}`");
        return Err(Failure::Found(format!("{merchant} has no key: give it one with {add}")));
    }
    Ok(keys)
}

/// Takes a key back; returns whose it was.
pub async fn revoke(account: &Account, key: &str) -> Result<String, Failure> {
    // A hash has the form of a key too, so the key's own hash is tried first.
    let hashes = ApiKeyHash::of(key).map(|hash| hash.as_str().to_owned()).into_iter().chain([key.to_owned()]);
    for hash in hashes {
        let delete = account
            .clients
            .dynamodb
            .delete_item()
            .table_name(&account.merchants_table)
            .key("key_hash", AttributeValue::S(hash))
            .return_values(ReturnValue::AllOld);
        let output = delete.send().await;
        let output = output.map_err(|error| format!("cannot take the key back: {}", why(&error)))?;
        let merchant = output.attributes.unwrap_or_default().remove("merchant");
        if let Some(Ok(merchant)) = merchant.as_ref().map(|merchant| merchant.as_s()) {
            return Ok(merchant.clone());
        }
    }
    Err(Failure::Found("there is no such key".to_owned()))
}

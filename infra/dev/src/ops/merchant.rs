//! `cargo dev merchant`: gives a merchant an API key, takes one back, and sets how fast it may bring payments.

use std::collections::BTreeMap;

use aws::system::SystemEntropy;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use clap::{Args, Subcommand};
use payments::id::MerchantId;
use payments::limit::{BURST_MAX, Limit, RATE_MAX};
use payments::merchant::ApiKeyHash;

use crate::account::{Account, AccountArguments, why};
use crate::merchants::{self, Permissions};

/// How long a key still works after it was taken back, in seconds: `ingest` believes a record for so long.
const BELIEVED_SECONDS: u32 = 60;

/// What to do.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    account: AccountArguments,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Draws an API key and prints it, once: the table has its hash only. A merchant may have several.
    AddKey {
        /// The merchant's id.
        #[arg(value_name = "MERCHANT")]
        merchant: String,
        /// May refund without naming the charge.
        #[arg(long)]
        unlinked_refunds: bool,
        /// May use the high lane.
        #[arg(long)]
        high_priority: bool,
        #[command(flatten)]
        pace: Pace,
    },
    /// Sets how fast a merchant may bring payments, with each of its keys. It holds within a minute.
    Set {
        /// The merchant's id.
        #[arg(value_name = "MERCHANT")]
        merchant: String,
        #[command(flatten)]
        pace: Pace,
    },
    /// Takes a key back, given the key itself or its hash. It works for a minute more at most.
    Revoke {
        /// The key, or the hash that the table has.
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// How fast.
#[derive(Args, Clone, Copy, Debug)]
struct Pace {
    /// Payments a second; without it the deployment's default holds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(RATE_MAX)))]
    rate: Option<u32>,
    /// Payments at once after a pause, at least a second's worth; four times the rate if not given.
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

/// Does it.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let account = Account::open(&arguments.account).await?;
    match &arguments.command {
        Command::AddKey { merchant, unlinked_refunds, high_priority, pace } => {
            let merchant = MerchantId::new(merchant.clone()).map_err(|error| format!("the merchant {error}"))?;
            let limit = pace.limit()?;
            let permissions = Permissions { unlinked_refunds: *unlinked_refunds, high_priority: *high_priority, limit };
            let wanted = BTreeMap::from([(merchant.clone(), permissions)]);
            let (client, table) = (&account.clients.dynamodb, &account.merchants_table);
            let keys = merchants::create(client, table, &wanted, &SystemEntropy).await?;
            let key = keys.get(&merchant).ok_or("no key was made")?;
            println!("{key}");
            Ok(())
        }
        Command::Set { merchant, pace } => {
            let limit = pace.limit()?;
            let keys = set_limit(&account, merchant, limit).await?;
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
            let merchant = revoke(&account, key).await?;
            println!("taken back from {merchant}; within {BELIEVED_SECONDS} s no request with it is taken any more");
            Ok(())
        }
    }
}

/// Sets a merchant's limit in the record of each of its keys, or takes it out; returns how many there are.
pub async fn set_limit(account: &Account, merchant: &str, limit: Option<Limit>) -> Result<usize, String> {
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
                .expression_attribute_values(":limit", merchants::limit_attribute(limit)),
            None => update.update_expression("REMOVE #limit"),
        };
        update.send().await.map_err(|error| format!("cannot set the rate of {merchant}: {}", why(&error)))?;
        keys += 1;
    }
    if keys == 0 {
        return Err(format!("{merchant} has no key: give it one with `cargo dev merchant add-key {merchant}`"));
    }
    Ok(keys)
}

/// Takes a key back; returns whose it was.
pub async fn revoke(account: &Account, key: &str) -> Result<String, String> {
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
    Err("there is no such key".to_owned())
}

//! `cargo dev merchant`: gives a merchant an API key, and takes one back.

use std::collections::BTreeMap;

use aws::system::SystemEntropy;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use clap::{Args, Subcommand};
use payments::id::MerchantId;
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
    },
    /// Takes a key back, given the key itself or its hash. It works for a minute more at most.
    Revoke {
        /// The key, or the hash that the table has.
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// Does it.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let account = Account::open(&arguments.account).await?;
    match &arguments.command {
        Command::AddKey { merchant, unlinked_refunds, high_priority } => {
            let merchant = MerchantId::new(merchant.clone()).map_err(|error| format!("the merchant {error}"))?;
            let permissions = Permissions { unlinked_refunds: *unlinked_refunds, high_priority: *high_priority };
            let wanted = BTreeMap::from([(merchant.clone(), permissions)]);
            let (client, table) = (&account.clients.dynamodb, &account.merchants_table);
            let keys = merchants::create(client, table, &wanted, &SystemEntropy::new()).await?;
            let key = keys.get(&merchant).ok_or("no key was made")?;
            println!("{key}");
            Ok(())
        }
        Command::Revoke { key } => {
            let merchant = revoke(&account, key).await?;
            println!("taken back from {merchant}; within {BELIEVED_SECONDS} s no request with it is taken any more");
            Ok(())
        }
    }
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

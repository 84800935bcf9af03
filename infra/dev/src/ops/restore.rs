//! `cargo dev restore`: the table of payments after a point-in-time recovery. What was open then is made unknown, and asked
//! about before anything is sent. `infra/runbooks/restore.md` says what comes before and after.

use aws::system::{SystemClock, SystemEntropy};
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use payments::id::PaymentId;
use payments::message::Message;
use payments::payment::{OPEN_SHARDS, PARKED_SHARD};
use payments::policy::Policy;
use payments::ports::{Clock, Queue, Store};
use payments::store::{self, Outcome};
use payments::time::Timestamp;
use payments::transition::{Event, Kept, Recovery};

use super::{indexed, policy};
use crate::account::{Account, AccountArguments, why};

/// Between two lines that say how far it is, in payments.
const SAID_EVERY: u64 = 1_000;

/// Which restore.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The moment that the table was restored to, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub point: Timestamp,
    /// From when on no consumer ran any more; the same in every run of this command for one restore.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub consumers_off: Timestamp,
    /// The table that AWS has restored into; its items are written over those of the payments' table first.
    #[arg(long, value_name = "TABLE")]
    pub from: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub account: AccountArguments,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Items that were written over.
    pub copied: u64,
    /// Open payments that are unknown now, each with a message.
    pub unknown: u64,
    /// Those that an earlier run had seen to.
    pub before: u64,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time is like 2026-01-31T12:00:00Z".to_owned())
}

/// Does it, and says what to do next.
pub async fn run(arguments: &Arguments) -> Result<(), String> {
    let Arguments { point, consumers_off, from, account } = arguments;
    let recovery = Recovery { point: *point, at: *consumers_off };
    let account = Account::open(account).await?;
    let Done { copied, unknown, before } = restore(&account, &recovery, from.as_deref()).await?;
    println!("copied {copied} items; made {unknown} open payments unknown, {before} were so already");
    println!(
        "now deploy with RecoveryPointMs={} and RecoveredAtMs={}, and turn the functions on",
        recovery.point.ms(),
        recovery.at.ms()
    );
    Ok(())
}

/// Copies the restored items, if they are in a table of their own, and makes what is open unknown. It may be run again.
pub async fn restore(account: &Account, recovery: &Recovery, from: Option<&str>) -> Result<Done, String> {
    if recovery.point >= recovery.at || recovery.at > SystemClock.now() {
        return Err("--point has to be before --consumers-off, and both have to be over".to_owned());
    }
    let policy = policy(account)?;
    let mut done = Done::default();
    if let Some(from) = from {
        if from == account.payments_table {
            return Err(format!("--from {from} is the payments' table itself"));
        }
        copy(account, from, &mut done).await?;
    }
    for shard in (0..OPEN_SHARDS).map(|shard| shard.to_string()).chain([PARKED_SHARD.to_owned()]) {
        for id in indexed(account, &shard).await? {
            doubt(account, &policy, recovery, &id, &mut done).await?;
            if (done.unknown + done.before) % SAID_EVERY == 0 {
                println!("{} open payments so far", done.unknown + done.before);
            }
        }
    }
    Ok(done)
}

/// Item by item as it is: attributes of newer code survive.
async fn copy(account: &Account, from: &str, done: &mut Done) -> Result<(), String> {
    let dynamodb = &account.clients.dynamodb;
    let mut items = dynamodb.scan().table_name(from).consistent_read(true).into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.map_err(|error| format!("cannot read {from}: {}", why(&error)))?;
        let id = item.get("id").and_then(|id: &AttributeValue| id.as_s().ok()).cloned().unwrap_or_default();
        let put = dynamodb.put_item().table_name(&account.payments_table).set_item(Some(item)).send().await;
        put.map_err(|error| format!("cannot write {id} over; run the command again: {}", why(&error)))?;
        done.copied += 1;
    }
    Ok(())
}

/// First written down, then a message, because the one that it had may be gone. Should the send fail, the sweep finds it.
async fn doubt(
    account: &Account,
    policy: &Policy,
    recovery: &Recovery,
    id: &PaymentId,
    done: &mut Done,
) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("payment {id} is not seen to; run the command again: {error}");
    let (store, entropy) = (account.store(), SystemEntropy::new());
    let Some(payment) = store.get(id).await.map_err(|error| failed(&error))? else { return Ok(()) };
    let event = Event::Restored(recovery);
    let decided = store::decide(&store, &SystemClock, &entropy, policy, payment, &event).await;
    match decided.map_err(|error| failed(&error))? {
        Outcome::Changed(payment) => {
            let message = Message::new(payment.id.clone(), payment.order.merchant.clone(), SystemClock.now());
            account.queue().send(payment.order.lane, &message, 0).await.map_err(|error| failed(&error))?;
            done.unknown += 1;
        }
        Outcome::Kept(_, Kept::NotDue) => done.before += 1,
        // Ended meanwhile: the index is a moment behind its table.
        Outcome::Kept(..) | Outcome::Missing => {}
    }
    Ok(())
}

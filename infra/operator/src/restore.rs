//! `sluice restore`: the table of payments after a point-in-time recovery. What was open then is made unknown, and asked
//! about before anything is sent. `infra/runbooks/restore.md` says what comes before and after.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use aws::system::SystemClock;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use clap::Args;
use futures_util::StreamExt;
use payments::index::Shard;
use payments::time::Timestamp;
use payments::transition::Recovery;
use ports::Clock;
use reconcile::operate::{Answer, DOUBTS_MAX, Request};

use crate::account::{Account, why};
use crate::failure::Failure;
use crate::index::{indexed, next};
use crate::load::progress::Bar;
use crate::load::sender::Pace;

/// Calls side by side: at ten milliseconds each, more than any sensible rate.
const SIDE_BY_SIDE: usize = 64;
/// Times that is asked again for what the table or a queue did not answer.
const PASSES_MAX: u32 = 5;
/// Items read at a time, after which a later run may go on.
const PAGE: i32 = 1_000;

/// Which restore.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The moment that the table was restored to, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub point: Timestamp,
    /// From when on no consumer ran any more; the same in every run of this command for one restore
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub consumers_off: Timestamp,
    /// The table that AWS has restored into; its items are written over those of the payments' table first
    #[arg(long, value_name = "TABLE")]
    pub from: Option<String>,
    /// Where an earlier run says that it stopped
    #[arg(long, value_name = "ID", requires = "from")]
    pub after: Option<String>,
    /// Items a second, first to copy and then to doubt: below what the table and the lanes bear beside it
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=40_000))]
    pub rate: u32,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Items that were written over.
    pub copied: u64,
    /// Items that an earlier run has copied, or that were written since the consumers were off, and were left alone.
    pub left: u64,
    /// Open payments that are unknown now, each with a message.
    pub unknown: u64,
    /// Those that an earlier run had seen to.
    pub before: u64,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "a time is like 2026-01-31T12:00:00Z".to_owned())
}

/// What to copy, and how fast all goes.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// The table to copy from, if the items are in one of their own.
    pub from: Option<&'a str>,
    /// The item after which to begin.
    pub after: Option<&'a str>,
    /// Items a second.
    pub rate: u32,
}

/// How far the copying is: a later run may begin after this item.
type Reached = Mutex<Option<String>>;

/// Does it, and says what to do next.
pub async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { point, consumers_off, from, after, rate } = arguments;
    let recovery = Recovery { point: *point, at: *consumers_off };
    let course = Course { from: from.as_deref(), after: after.as_deref(), rate: *rate };
    let reached = Reached::new(after.clone());
    let done = tokio::select! {
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
        done = restore_from(account, &recovery, &course, &reached) => done,
    };
    let Done { copied, left, unknown, before } = done.map_err(|why| {
        let reached = reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let go_on = reached.map_or_else(String::new, |id| format!(" with --after {id} and"));
        format!("{why}; nothing is lost by it: run the command again{go_on} with the same times")
    })?;
    println!("copied {copied} items, left {left}; made {unknown} open payments unknown, {before} were so already");
    println!(
        "now deploy with RecoveryPointMs={} and RecoveredAtMs={}, and turn the functions on",
        recovery.point.ms(),
        recovery.at.ms()
    );
    Ok(())
}

/// Copies the restored items, if they are in a table of their own, and makes what is open unknown. It may be run again.
pub async fn restore(account: &Account, recovery: &Recovery, course: &Course<'_>) -> Result<Done, String> {
    restore_from(account, recovery, course, &Reached::default()).await
}

async fn restore_from(
    account: &Account,
    recovery: &Recovery,
    course: &Course<'_>,
    reached: &Reached,
) -> Result<Done, String> {
    if recovery.point >= recovery.at || recovery.at > SystemClock.now() {
        return Err("--point has to be before --consumers-off, and both have to be over".to_owned());
    }
    let mut done = Done::default();
    if let Some(from) = course.from {
        if from == account.payments_table {
            return Err(format!("--from {from} is the payments' table itself"));
        }
        copy(account, recovery, from, course, reached, &mut done).await?;
    }
    doubt_all(account, recovery, course.rate, &mut done).await?;
    Ok(done)
}

/// Item by item as it is: attributes of newer code survive. Page by page, so that it is known where a later run may begin.
async fn copy(
    account: &Account,
    recovery: &Recovery,
    from: &str,
    course: &Course<'_>,
    reached: &Reached,
    done: &mut Done,
) -> Result<(), String> {
    let dynamodb = &account.clients.dynamodb;
    let unread = |reason: String| format!("cannot read {from}: {reason}");
    // Counted by DynamoDB every six hours or so, which is enough for a bar.
    let table = dynamodb.describe_table().table_name(from).send().await.map_err(|error| unread(why(&error)))?;
    let expected = table.table.and_then(|table| table.item_count).and_then(|count| u64::try_from(count).ok());
    let mut bar = Bar::new("copied", expected.unwrap_or_default());
    let (begun, pace) = (Instant::now(), Pace::PerSecond(course.rate));
    let mut key = course.after.map(|id| HashMap::from([("id".to_owned(), AttributeValue::S(id.to_owned()))]));
    let mut nth = 0;
    loop {
        let scan = dynamodb.scan().table_name(from).consistent_read(true).limit(PAGE).set_exclusive_start_key(key);
        let scanned = scan.send().await.map_err(|error| unread(why(&error)))?;
        let writes = scanned.items.unwrap_or_default().into_iter().map(|item| {
            let due = begun + pace.due(nth);
            nth += 1;
            async move {
                tokio::time::sleep_until(due.into()).await;
                write_over(account, recovery, item).await
            }
        });
        let mut writes = futures_util::stream::iter(writes).buffer_unordered(SIDE_BY_SIDE);
        while let Some(written) = writes.next().await {
            if written? {
                done.copied += 1;
            } else {
                done.left += 1;
            }
            bar.show(done.copied + done.left);
        }
        key = scanned.last_evaluated_key.filter(|key| !key.is_empty());
        let Some(next) = &key else { break };
        *reached.lock().unwrap_or_else(PoisonError::into_inner) = next.get("id").and_then(|id| id.as_s().ok()).cloned();
    }
    bar.finish();
    Ok(())
}

/// Writes an item over what stands there; whether it did. What was written since the consumers were off is this restore's own
/// doubt, or what came of it, and what is there already needs no second write.
async fn write_over(
    account: &Account,
    recovery: &Recovery,
    item: HashMap<String, AttributeValue>,
) -> Result<bool, String> {
    let id = item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
    let nonce = item.get("nonce").cloned().unwrap_or_else(|| AttributeValue::S(String::new()));
    let put = account
        .clients
        .dynamodb
        .put_item()
        .table_name(&account.payments_table)
        .set_item(Some(item))
        .condition_expression(
            "attribute_not_exists(id) OR (nonce <> :nonce AND changed_at <= :off AND \
             (attribute_not_exists(recovered_at) OR recovered_at < :off))",
        )
        .expression_attribute_values(":nonce", nonce)
        .expression_attribute_values(":off", AttributeValue::N(recovery.at.ms().to_string()));
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(format!("cannot write {id} over: {}", why(&error))),
    }
}

/// What is open, oldest first.
async fn doubt_all(account: &Account, recovery: &Recovery, rate: u32, done: &mut Done) -> Result<(), String> {
    let store = account.store();
    let mut found = indexed(&store, Shard::all_open().chain(Shard::all_parked()));
    let mut ids = Vec::new();
    while let Some(id) = next(&mut found).await? {
        ids.push(id);
    }
    let mut bar = Bar::new("doubted", u64::try_from(ids.len()).unwrap_or(u64::MAX));
    let (begun, pace) = (Instant::now(), Pace::PerSecond(rate));
    let mut nth = 0;
    for _ in 0..PASSES_MAX {
        let mut left_over = Vec::new();
        // One after the other: the function has an environment for an operator beside its sweep.
        for payment_ids in ids.chunks(DOUBTS_MAX) {
            tokio::time::sleep_until((begun + pace.due(nth)).into()).await;
            nth += payment_ids.len();
            let (point_ms, off_ms) = (recovery.point.ms(), recovery.at.ms());
            let request = Request::Doubt { payment_ids: payment_ids.to_vec(), point_ms, off_ms };
            match account.writer.ask(&request).await? {
                Answer::Doubted { unknown, before, left } => {
                    done.unknown += u64::try_from(unknown.len()).unwrap_or(u64::MAX);
                    done.before += u64::try_from(before.len()).unwrap_or(u64::MAX);
                    left_over.extend(left);
                }
                Answer::Refused { why } => return Err(format!("what was open is not doubted: {why}")),
                Answer::Changed { .. } | Answer::Kept { .. } | Answer::Missing => {
                    return Err("what was open is not doubted: another question was answered".to_owned());
                }
            }
            bar.show(done.unknown + done.before);
        }
        ids = left_over;
        if ids.is_empty() {
            bar.finish();
            return Ok(());
        }
    }
    let first = ids.first().map(ToString::to_string).unwrap_or_default();
    Err(format!("{} open payments are not seen to; the first is {first}", ids.len()))
}

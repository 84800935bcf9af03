//! `sluice payments replay`: what "Start DLQ redrive" does in the console, with a preview that says for each payment what would
//! happen and why; and a start from the item for a payment whose message SQS has forgotten.

mod parked;
mod preview;

use std::collections::BTreeSet;
use std::time::Duration;

use aws::system::SystemClock;
use clap::Args;
use payments::id::PaymentId;
use payments::index::Shard;
use payments::message::Message;
use payments::payment::{Payment, State};
use payments::policy::Policy;
use payments::time::Timestamp;
use ports::{Clock, Store};
use reconcile::operate::{Answer, Request};
use serde_json::json;

use crate::account::{Account, why};
use crate::failure::Failure;
use crate::index::{indexed, next};
use parked::{Content, Parked};
pub use preview::{Preview, Would, preview};

/// Messages moved in a second, so that a replay is no burst of its own.
const MOVES_PER_SECOND: i32 = 50;
/// Between two looks at how far the move is.
const LOOK: Duration = Duration::from_secs(1);

/// What to replay.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Says for each parked payment and message what a replay would do and why, and does nothing
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// One line of the preview: a message, or a payment that has none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The payment's id, or the message's where it names none.
    pub name: String,
    /// What would become of it.
    pub would: Preview,
}

/// What a replay did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Messages moved back to where they came from.
    pub moved: i64,
    /// Payments taken up from their items.
    pub started: usize,
}

/// What is there to replay.
struct Found {
    lines: Vec<Line>,
    /// Parked payments that no message in the queue names.
    without_message: Vec<PaymentId>,
}

/// Previews, or replays.
pub async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    let policy = account.stack.policy()?;
    if arguments.dry_run {
        let lines = dry_run(account, &policy).await?;
        if arguments.json {
            let line =
                |Line { name, would }: &Line| json!({ "id": name, "would": would.would.as_str(), "why": would.why });
            println!("{:#}", json!({ "lines": lines.iter().map(line).collect::<Vec<_>>() }));
            return Ok(());
        }
        print(&lines);
        println!("nothing was touched");
        return Ok(());
    }
    let Done { moved, started } = replay(account, &policy).await?;
    if arguments.json {
        println!("{:#}", json!({ "moved": moved, "started": started }));
        return Ok(());
    }
    println!("moved {moved} messages from the parked queue; started {started} payments from their items");
    let at = account.option();
    println!("see what became of them with `sluice payments get ID{at}` and `sluice payments list --state parked{at}`");
    Ok(())
}

/// Says what a replay would do, and does nothing.
pub async fn dry_run(account: &Account, policy: &Policy) -> Result<Vec<Line>, String> {
    Ok(find(account, &Parked::of(account), policy).await?.lines)
}

/// Moves every message in the parked queue back, and starts what is parked without a message from its item.
pub async fn replay(account: &Account, policy: &Policy) -> Result<Done, String> {
    let parked = Parked::of(account);
    let found = find(account, &parked, policy).await?;
    let moved = move_all(account, &parked).await?;
    let mut started = 0;
    for id in &found.without_message {
        started += usize::from(start(account, id).await?);
    }
    Ok(Done { moved, started })
}

async fn find(account: &Account, parked: &Parked<'_>, policy: &Policy) -> Result<Found, String> {
    let store = account.store();
    let now = SystemClock.now();
    let mut lines = Vec::new();
    let mut with_message = BTreeSet::new();
    for (message_id, content) in parked.peek().await? {
        let (name, would) = match content {
            Content::NotOurs(why) => (format!("message {message_id}"), Preview::nothing(why)),
            Content::Ours(message) => {
                let stands = read(&store, &message.payment_id).await?;
                let would = of_message(stands.as_ref(), &message, policy, now);
                with_message.insert(message.payment_id.clone());
                (message.payment_id.to_string(), would)
            }
        };
        lines.push(Line { name, would });
    }
    let mut without_message = Vec::new();
    let mut ids = indexed(&store, Shard::all_parked());
    while let Some(id) = next(&mut ids).await? {
        let stands = if with_message.contains(&id) { None } else { read(&store, &id).await? };
        // The index is a moment behind its table.
        if let Some(payment) = stands.filter(|payment| payment.state == State::Parked) {
            let would = preview(&payment, policy, now);
            let why = format!("its message is gone, so this begins from the item; {}", would.why);
            lines.push(Line { name: id.to_string(), would: Preview { why, ..would } });
            without_message.push(id);
        }
    }
    Ok(Found { lines, without_message })
}

async fn read(store: &impl Store, id: &PaymentId) -> Result<Option<Payment>, String> {
    store.get(id).await.map_err(|error| format!("cannot read payment {id}: {error}"))
}

/// What moving this message would do, by the rules that `dead_letter` and `consumer` go by.
fn of_message(stands: Option<&Payment>, message: &Message, policy: &Policy, now: Timestamp) -> Preview {
    let Some(payment) = stands else {
        return Preview::nothing("there is no such payment: the message is parked again".to_owned());
    };
    if payment.order.merchant != message.merchant {
        return Preview::nothing("it names another merchant than its payment: the message is parked again".to_owned());
    }
    let counts_from = message.sent_at.plus_ms(payments::message::LATE_SEND_MS);
    if payment.parked_at.is_some_and(|at| !message.is_replay(now, at)) {
        return Preview::nothing(format!(
            "its message was written less than two minutes ago and would be taken for a late one: it is parked again; \
             replay it after {counts_from}"
        ));
    }
    preview(payment, policy, now)
}

fn print(lines: &[Line]) {
    for Line { name, would } in lines {
        println!("{name}  {:<7}  {}", would.would.as_str(), would.why);
    }
    let of = |wanted| lines.iter().filter(|line| line.would.would == wanted).count();
    println!(
        "{} query, {} send, {} end, {} nothing",
        of(Would::Query),
        of(Would::Send),
        of(Would::End),
        of(Would::Nothing),
    );
}

/// Moves all messages back to where they came from, and waits until it is done ("StartMessageMoveTask").
async fn move_all(account: &Account, parked: &Parked<'_>) -> Result<i64, String> {
    let arn = parked.arn().await?;
    let sqs = &account.clients.sqs;
    let task = sqs.start_message_move_task().source_arn(&arn).max_number_of_messages_per_second(MOVES_PER_SECOND);
    task.send().await.map_err(|error| format!("the move cannot be started: {}", why(&error)))?;
    loop {
        let tasks = sqs.list_message_move_tasks().source_arn(&arn).max_results(10).send().await;
        let tasks = tasks.map_err(|error| format!("the move cannot be followed: {}", why(&error)))?;
        // In no order that is promised.
        let newest = tasks.results().iter().max_by_key(|task| task.started_timestamp());
        let Some(task) = newest else { return Err("the move is not listed".to_owned()) };
        let moved = task.approximate_number_of_messages_moved();
        match task.status() {
            Some("RUNNING" | "CANCELLING") => tokio::time::sleep(LOOK).await,
            Some("COMPLETED") => return Ok(moved),
            status => {
                let why = task.failure_reason().unwrap_or("no reason given");
                return Err(format!("the move ended as {}: {why}; {moved} messages were moved", status.unwrap_or("?")));
            }
        }
    }
}

/// Takes a parked payment up again without a message.
async fn start(account: &Account, id: &PaymentId) -> Result<bool, String> {
    match account.writer.ask(&Request::Replay { payment_id: id.clone() }).await? {
        Answer::Changed { .. } => Ok(true),
        Answer::Kept { .. } | Answer::Missing => Ok(false),
        Answer::Refused { why } => Err(format!("cannot replay payment {id}: {why}")),
        Answer::Doubted { .. } => Err(format!("cannot replay payment {id}: another question was answered")),
    }
}

//! `sluice payments explain`: one payment's story, and whether it is the one that was written.

mod log;
mod story;

use std::path::PathBuf;

use clap::Args;
use payments::history::{AnchorFinding, Anchored, Finding, HistoryKeys, Verification, anchored, verify};
use payments::id::PaymentId;
use payments::payment::Payment;
use ports::Store;
use serde_json::{Value, json};

use super::{read, read_id};
use crate::account::Account;
use crate::failure::Failure;
use crate::function::history_keys;

/// Which payment.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The payment's id, or MERCHANT/KIND/ORDER_ID
    #[arg(value_name = "ID", value_parser = read_id)]
    id: PaymentId,
    /// Checks the chain of its history, under the keys in the stack's secret, which the caller has to be allowed to read
    #[arg(long)]
    verify: bool,
    /// Checks the chain against the heads in a function's log too, one JSON event a line
    #[arg(long, value_name = "FILE", requires = "verify")]
    log: Option<PathBuf>,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// What a person may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Check the chain under these keys.
    pub verify: Option<HistoryKeys>,
    /// Check it against the heads in this log too, one JSON event a line.
    pub log: Option<PathBuf>,
    /// For a program instead of a person.
    pub json: bool,
}

/// A payment, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What is to be shown.
    pub text: String,
    /// What does not fit, one sentence each; nothing when all is well or nothing was to be checked.
    pub findings: Vec<String>,
}

/// What was checked.
struct Checked {
    verification: Verification,
    log: Option<Anchored>,
}

impl Checked {
    fn of(payment: &Payment, keys: &HistoryKeys, log: Option<&PathBuf>) -> Result<Self, String> {
        let verification = verify(payment, keys);
        let log = match log {
            Some(path) => Some(anchored(payment, &verification, &log::anchors(path, &payment.id)?)),
            None => None,
        };
        Ok(Self { verification, log })
    }

    fn findings(&self) -> Vec<String> {
        let chain = self.verification.findings.iter().map(Finding::to_string);
        let log = self.log.iter().flat_map(|log| log.findings.iter().map(AnchorFinding::to_string));
        chain.chain(log).collect()
    }

    fn json(&self) -> Value {
        let Self { verification, log } = self;
        let mut value = json!({
            "holds": self.findings().is_empty(),
            "linked_lines": verification.covered,
            "dropped_lines": verification.dropped,
            "last_line_awaits_its_link": verification.awaits_link,
            "findings": self.findings(),
        });
        if let Some(log) = log {
            let log = json!({
                "heads_passed": log.passed,
                "heads_among_dropped_lines": log.among_dropped,
                "heads_forgotten": log.forgotten,
                "newest_version": log.newest,
            });
            add(&mut value, "log", log);
        }
        value
    }
}

fn add(document: &mut Value, name: &str, value: Value) {
    if let Some(members) = document.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// Prints it.
pub(crate) async fn run(account: &Account, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { id, verify, log, json } = arguments;
    let verify = if *verify {
        Some(history_keys(&account.config, &account.stack.output("HistorySecretName")?).await?)
    } else {
        None
    };
    let options = Options { verify, log: log.clone(), json: *json };
    let explained = explain(&account.store(), id, &options).await?;
    println!("{}", explained.text);
    match explained.findings.len() {
        0 => Ok(()),
        1 => Err(Failure::Found("the history is not the one that was written: 1 finding".to_owned())),
        more => Err(Failure::Found(format!("the history is not the one that was written: {more} findings"))),
    }
}

/// Reads a payment and explains it.
pub async fn explain(store: &impl Store, id: &PaymentId, options: &Options) -> Result<Explained, Failure> {
    let payment = read(store, id).await?;
    let checked = match &options.verify {
        Some(keys) => Some(Checked::of(&payment, keys, options.log.as_ref())?),
        None => None,
    };
    let text = if options.json {
        let mut value = story::json(&payment);
        if let Some(checked) = &checked {
            add(&mut value, "verification", checked.json());
        }
        format!("{value:#}")
    } else {
        let mut text = story::text(&payment);
        if let Some(checked) = &checked {
            text.push_str(&verdict(&payment, checked));
        }
        text
    };
    Ok(Explained { text, findings: checked.map(|checked| checked.findings()).unwrap_or_default() })
}

fn verdict(payment: &Payment, checked: &Checked) -> String {
    let Checked { verification, log } = checked;
    let mut text = String::from("\n");
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    if verification.holds() {
        line(format!("the chain holds: the order and {} of {} lines", verification.covered, payment.history.len()));
        if verification.dropped > 0 {
            line(format!("  {} dropped lines are vouched for by what stands for them", verification.dropped));
        }
        if verification.awaits_link {
            line("  the last line is a claim's, which the next write links".to_owned());
        }
    }
    if let Some(log) = log.as_ref().filter(|log| log.findings.is_empty()) {
        line(format!("the log agrees: the history passes through {} of its heads", log.passed));
        if log.among_dropped > 0 {
            line(format!("  {} more may lie among the dropped lines", log.among_dropped));
        }
        if log.forgotten > 0 {
            line(format!("  {} more are of the history that was forgotten", log.forgotten));
        }
        if log.newest < payment.version {
            line(format!("  it ends with version {}, the table has {}", log.newest, payment.version));
        }
    }
    for finding in checked.findings() {
        line(format!("FOUND: {finding}"));
    }
    text
}

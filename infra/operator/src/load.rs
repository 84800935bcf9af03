//! `sluice load`: a file of payments to a running system, and what became of it.

pub mod books;
pub mod outcome;
pub mod progress;
pub mod sender;
pub mod summary;
pub mod table;
pub mod transactions;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws::store::DynamoStore;
use aws::system::{SystemClock, SystemEntropy};
use clap::Args;
use futures_util::StreamExt;
use payments::id::PaymentId;
use payments::payment::State;
use payments::transition::LOST_IN_EMPTY_LANE_MS;
use ports::{Clock, Store};

use self::books::Books;
use self::outcome::{Answers, report_bad_rows, shots};
use self::progress::{Display, Progress};
use self::sender::{Hit, Pace, repeated};
use self::summary::{Accepted, Evidence, Report, Standing};
use self::transactions::{Transaction, Transactions};
use crate::account::Account;
use crate::client::Base;
use crate::failure::Failure;
use crate::merchants::keys::{self, ApiKeys};

/// Connections that the requests come on, unless told otherwise.
const CONNECTIONS: usize = 6;
/// Longest that the sandbox lands what it has promised to land late, in ms.
pub const LATE_MS: u64 = 3_500;
/// Longest time between two sweeps, a deployment's.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// Reads side by side.
const READS: usize = 32;
/// Most open payments that are named when it was not drained in time.
const NAMED_MAX: usize = 10;

/// The transactions that were taken since somebody last looked.
type Arrived = Mutex<BTreeSet<usize>>;

/// What to send, and where.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// A CSV file in UTF-8 with the columns order_id, kind, merchant, amount (minor units) and currency, and any of
    /// payment_method, original_order_id, expires_at, priority, customer, description and at, the last of which is not sent. A
    /// line that is wrong is named and left out; the command then ends with 3
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A column of the file that nobody is to read; may be given for each
    #[arg(long = "ignore", value_name = "COLUMN")]
    pub ignored: Vec<String>,
    /// Where merchants send their payments, such as `https://shop.example/stage`; where the stack says if not given
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Requests a second; as fast as they are answered if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Share of the requests that are made twice or more
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub repeat: f64,
    /// Connections that the requests come on
    #[arg(long, value_name = "N", default_value_t = CONNECTIONS, value_parser = connections)]
    pub connections: usize,
    /// Where the sandbox provider shows its books; where `cargo dev up` says if not given
    #[arg(long, value_name = "URL")]
    pub provider_url: Option<String>,
    /// A CSV file with the columns merchant and api_key. Without it each merchant gets a new key, which only
    /// `cargo dev up` does
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

/// Reads a share on the command line.
pub fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => Err("a share is a number from 0 to 1".to_owned()),
    }
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000) => Ok(count),
        Ok(_) | Err(_) => Err("from 1 to 1000".to_owned()),
    }
}

/// Sends it all and waits for the ends. An error is one line; the summary has been printed by then if there was one.
pub async fn run(account: &Account, arguments: Arguments) -> Result<(), Failure> {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {
            let at = account.option();
            let list = format!("`sluice payments list --state open{at}`");
            Err(format!("interrupted; what was accepted goes on, {list} shows it").into())
        }
        done = run_to_end(account, arguments) => done,
    }
}

async fn run_to_end(account: &Account, arguments: Arguments) -> Result<(), Failure> {
    let file = transactions::read_file(&arguments.file, &arguments.ignored).map_err(|error| error.to_string())?;
    report_bad_rows(&file.bad);
    if file.rows.is_empty() {
        return Err(Failure::Found("the file holds no payment that can be sent".to_owned()));
    }
    let told = |given: &Option<String>, name: &str| given.clone().map_or_else(|| account.stack.output(name), Ok);
    let url = told(&arguments.url, "ApiUrl")?;
    let provider_url = told(&arguments.provider_url, "SandboxUrl").map_err(|_| {
        "what became of a load is judged by the provider's books: say with --provider-url where a sandbox shows them".to_owned()
    })?;
    let mut books = Books::at(&provider_url)?;
    let health = books.health().await?;
    let limit = health.rate_per_second;
    if limit == 0 {
        return Err("the provider has no limit, so there is none to hold it against".into());
    }
    let keys = keys(&arguments, account, &file).await?;
    println!("sending   {} payments of {} merchants to {}", file.rows.len(), keys.len(), url);

    let (begun, begun_ms) = (Instant::now(), SystemClock.now().ms());
    let shots = repeated(shots(&file.rows, &keys)?, arguments.repeat, begun_ms);
    let base = Base::parse(&url).map_err(|error| error.to_string())?;
    let pace = arguments.rate.map_or(Pace::Unbounded, Pace::PerSecond);
    let arrived = Arc::new(Arrived::default());
    let counter = Arc::clone(&arrived);
    let connections = arguments.connections;
    let sending = tokio::spawn(async move {
        let count = move |hit: &Hit| {
            if hit.is_accepted() {
                counter.lock().unwrap_or_else(PoisonError::into_inner).insert(hit.index);
            }
        };
        sender::send(&base, shots, pace, connections, count).await
    });
    let mut watch = Watch { begun, limit, store: account.store(), books: &mut books, display: Display::new() };
    let hits = watch.until_sent(sending, &arrived, &file.rows).await?;
    let mut answers = Answers::of(&file.rows, &hits);
    let open = watch.until_drained(&mut answers.accepted).await?;
    let took = begun.elapsed();
    // What the provider still lands late has to be in the ledger that is judged.
    tokio::time::sleep(Duration::from_millis(LATE_MS)).await;

    let ours: BTreeSet<&str> = answers.accepted.iter().map(|payment| payment.payment_id.as_str()).collect();
    let mut ledger = books.ledger().await?;
    // Other files' payments are not this one's to judge.
    ledger.retain(|effect| ours.contains(effect.payment_id.as_str()));
    let mut calls = books.calls().await?;
    calls.retain(|call| call.at_ms >= begun_ms);
    let answer_ms: Vec<u64> = hits.iter().map(|hit| hit.latency_ms).collect();
    let report = Report {
        evidence: Evidence {
            accepted: &answers.accepted,
            unanswered: answers.unanswered.len(),
            ledger: &ledger,
            calls: &calls,
            limit,
            books_are_torn: books.health().await? != health,
        },
        transactions: file.rows.len(),
        bad_rows: file.bad.len(),
        answer_ms: &answer_ms,
        replayed: answers.replayed,
        rate_limited: answers.rate_limited,
        refused: &answers.refused,
        inside: None,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    println!("\n{report}");
    for line in answers.unanswered.iter().chain(&open).take(NAMED_MAX) {
        println!("open: {line}");
    }
    match (report.faults().len(), file.bad.len()) {
        (0, 0) => Ok(()),
        (0, 1) => Err(Failure::Found("1 line of the file was not sent; it is named above".to_owned())),
        (0, bad) => Err(Failure::Found(format!("{bad} lines of the file were not sent; they are named above"))),
        (count, _) => {
            Err(Failure::Found(format!("{count} of the promises did not hold; the verdict above names them")))
        }
    }
}

async fn keys(arguments: &Arguments, account: &Account, file: &Transactions) -> Result<ApiKeys, String> {
    match &arguments.keys {
        Some(path) => keys::read_keys(path),
        None if account.is_local => {
            let merchants = keys::named(&file.rows);
            let client = &account.clients.dynamodb;
            keys::create(client, &account.merchants_table, &merchants, &SystemEntropy).await
        }
        None => Err("--keys is missing: on a deployed stack no API key is made up".to_owned()),
    }
}

/// Looks on, from outside.
struct Watch<'a> {
    begun: Instant,
    limit: u32,
    store: DynamoStore,
    books: &'a mut Books,
    display: Display,
}

impl Watch<'_> {
    async fn until_sent(
        &mut self,
        mut sending: tokio::task::JoinHandle<Vec<Hit>>,
        arrived: &Arrived,
        rows: &[Transaction],
    ) -> Result<Vec<Hit>, String> {
        let expected = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let (mut accepted, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            tokio::select! {
                done = &mut sending => return done.map_err(|_| "the requests could not be sent".to_owned()),
                () = tokio::time::sleep(LOOK) => {}
            }
            let news = std::mem::take(&mut *arrived.lock().unwrap_or_else(PoisonError::into_inner));
            for row in news.into_iter().filter_map(|index| rows.get(index)) {
                let id = row.payment_id().to_string();
                if seen.insert(id.clone()) {
                    accepted.push(outcome::accepted(row, id));
                }
            }
            self.read_open(&mut accepted).await?;
            self.show(&accepted, expected).await?;
        }
    }

    /// Reads the payments until each has ended, or nothing has changed for longer than anything should wait; returns
    /// those that are still open, by name.
    async fn until_drained(&mut self, accepted: &mut [Accepted]) -> Result<Vec<String>, String> {
        let mut bound = Bound::new(accepted.len(), self.limit);
        loop {
            let unread = self.read_open(accepted).await?;
            let settled = accepted.iter().filter(|payment| is_settled(payment)).count();
            self.show(accepted, count(accepted, |_| true)).await?;
            if settled == accepted.len() || bound.is_over(settled) {
                self.display.finish();
                if let Some(why) = unread {
                    return Err(why);
                }
                let open = accepted.iter().filter(|payment| !is_settled(payment));
                return Ok(open.map(describe).collect());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads where the open ones stand. A table that throttles is no reason to stop looking: what cannot be read stands where
    /// it stood, and the last reason comes back.
    async fn read_open(&self, accepted: &mut [Accepted]) -> Result<Option<String>, String> {
        let store = &self.store;
        let reads = accepted.iter_mut().filter(|payment| !is_settled(payment)).map(|payment| async move {
            let id = PaymentId::new(payment.payment_id.clone()).map_err(|error| error.to_string())?;
            Ok::<_, String>(match store.get(&id).await {
                Ok(stands) => {
                    payment.stands = stands.as_ref().map(Standing::of);
                    None
                }
                Err(error) => Some(format!("cannot read payment {id}: {error}")),
            })
        });
        let mut reads = futures_util::stream::iter(reads).buffer_unordered(READS);
        let mut unread = None;
        while let Some(read) = reads.next().await {
            unread = read?.or(unread);
        }
        Ok(unread)
    }

    async fn show(&mut self, accepted: &[Accepted], expected: u64) -> Result<(), String> {
        let now_ms = SystemClock.now().ms();
        // A provider that is gone for a while is no reason to look away; its books are needed at the end only.
        let calls = self.books.calls().await.unwrap_or_default();
        self.display.show(&Progress {
            seconds: self.begun.elapsed().as_secs(),
            arrived: count(accepted, |_| true),
            queued: count(accepted, |payment| stands_in(payment, &[State::Queued])),
            in_flight: count(accepted, |payment| stands_in(payment, &[State::Sending])),
            to_query: count(accepted, |payment| stands_in(payment, &[State::Pending, State::Unknown])),
            settled: count(accepted, is_settled),
            calls: calls.iter().filter(|call| call.at_ms + 1_000 > now_ms).count(),
            limit: self.limit,
            expected,
        });
        Ok(())
    }
}

/// How long to go on although nothing ends: three calls for each payment at the rate, the time after which the sweep
/// takes a message for lost, and a minute for what waits; begun anew whenever something does end.
struct Bound {
    patience: Duration,
    settled: usize,
    since: Instant,
}

impl Bound {
    fn new(payments: usize, limit: u32) -> Self {
        let calls = u64::try_from(payments).unwrap_or(u64::MAX).saturating_mul(3);
        let lost = Duration::from_millis(LOST_IN_EMPTY_LANE_MS) + SWEEP_EVERY;
        let patience = lost + Duration::from_secs(60 + calls / u64::from(limit.max(1)));
        Self { patience, settled: 0, since: Instant::now() }
    }

    fn is_over(&mut self, settled: usize) -> bool {
        if settled > self.settled {
            (self.settled, self.since) = (settled, Instant::now());
        }
        self.since.elapsed() > self.patience
    }
}

fn is_settled(payment: &Accepted) -> bool {
    payment.stands.as_ref().is_some_and(Standing::is_settled)
}

fn stands_in(payment: &Accepted, states: &[State]) -> bool {
    payment.stands.as_ref().is_some_and(|stands| states.contains(&stands.state))
}

fn count(accepted: &[Accepted], wanted: impl Fn(&Accepted) -> bool) -> u64 {
    u64::try_from(accepted.iter().filter(|payment| wanted(payment)).count()).unwrap_or(u64::MAX)
}

fn describe(payment: &Accepted) -> String {
    match &payment.stands {
        None => format!("{}: no item", payment.payment_id),
        Some(stands) => format!("{}: {}", payment.payment_id, stands.state.as_str()),
    }
}

//! `cargo dev demo`: real shop transactions through the whole system, to a provider that misbehaves, and the books
//! checked at the end. It fails if a payment was lost, made twice or sent faster than the provider allows.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cloud::local::provider::{Keys, Provider};
use cloud::local::settings;
use cloud::local::system::{self, System, Wiring};
use cloud::sandbox::Fault;
use operator::client::Base;
use operator::load::outcome::{Answers, report_bad_rows, shots};
use operator::load::progress::{Display, Progress};
use operator::load::sender::{self, Hit, Shot, repeated};
use operator::load::summary::{Accepted, AwsCalls, Evidence, Inside, Report, Standing};
use operator::load::transactions::{self, Transaction};
use operator::merchants::keys::named;
use payments::id::PaymentId;
use payments::payment::State;
use payments::provider::ProviderKind;

use crate::localized;
use crate::merchants;
use crate::secrets::{self, Secrets};

/// The file that the demo sends when no other is named.
pub const SHIPPED_FILE: &str = "events/online-retail-2010-12.csv";

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_secs(1);
/// Most open payments that are named when it was not drained in time.
const NAMED_MAX: usize = 10;

/// What a person may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Calls a second that the provider allows.
    pub rate_per_second: u32,
    /// Decides which calls fail and which messages come twice.
    pub seed: u64,
    /// The payments.
    pub file: PathBuf,
    /// Whose protocol is spoken.
    pub provider: ProviderKind,
    /// Whether nothing goes wrong: no fault of the provider's, no request and no message twice.
    pub calm: bool,
}

/// Runs it. An error is one line that says what failed; the summary has been printed by then if there was one.
pub async fn run(options: Options) -> Result<(), String> {
    tokio::select! {
        // Dropping everything ends the provider's process too.
        _ = tokio::signal::ctrl_c() => Err("interrupted before the payments were through".to_owned()),
        done = run_to_end(options) => done,
    }
}

async fn run_to_end(options: Options) -> Result<(), String> {
    let Options { rate_per_second, seed, file, provider: kind, calm } = options;
    let mut file = transactions::read_file(&located(file), &[]).map_err(|error| error.to_string())?;
    report_bad_rows(&file.bad);
    if file.rows.is_empty() {
        return Err("the file holds no payment that can be sent".to_owned());
    }
    let secrets = Secrets::draw(kind)?;
    if let Some(line) = localized::localized(&mut file.rows, kind) {
        println!("{line}");
    }
    let faults: Vec<(Fault, f64)> = settings::faults(kind).into_iter().filter(|_| !calm).collect();
    let key_window_ms = settings::demo_key_window_ms(kind);
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let calls_back = faults.iter().any(|(fault, _)| *fault == Fault::Callback);
    let listen = if calls_back { free_port()? } else { any_port };
    let mut arguments = settings::sandbox_arguments(rate_per_second, key_window_ms, seed, faults);
    arguments.extend(["--speaks".to_owned(), kind.as_str().to_owned()]);
    if calls_back {
        let events = format!("http://{listen}/v1/providers/{}/events", settings::PROVIDER_NAME);
        arguments.extend(["--callback-url".to_owned(), events]);
    }
    let keys = Keys { key: &secrets.sandbox, callback_key: Some(&secrets.sandbox_callback) };
    let mut provider = Provider::start(any_port, &arguments, keys).await?;
    let provider_url = secrets::url(kind, provider.base_url());
    let wiring = Wiring {
        listen,
        provider_kind: kind,
        provider_url: &provider_url,
        provider_key: &secrets.provider,
        callback_key: Some(&secrets.callback),
        rate_per_second,
        key_window_ms,
        merchant_rate: settings::MERCHANT_RATE,
        queue_depth_max: settings::QUEUE_DEPTH_MAX,
        duplicate_share: if calm { 0.0 } else { settings::DUPLICATE_SHARE },
        seed,
    };
    let mut system = System::start(&wiring).await?;
    let merchants = named(&file.rows);
    let api_keys = merchants::create_in(&system, &merchants).await?;
    println!("sluice    http://{}, {} merchants", system.address(), merchants.len());
    println!("provider  {}, a process of its own, {rate_per_second} calls a second", provider.base_url());
    println!("seed      {seed}; {}", settings::scale());

    let begun = Instant::now();
    let arrived = Arc::new(AtomicU64::new(0));
    let mut hits = Vec::new();
    for shots in phases(shots(&file.rows, &api_keys)?, &file.rows) {
        let shots = repeated(shots, if calm { 0.0 } else { settings::REPEAT_SHARE }, seed);
        let sending = send(&system, shots, Arc::clone(&arrived))?;
        let watch = Watch { begun: Instant::now(), arrived: &arrived, rate_per_second, payments: file.rows.len() };
        hits.extend(watch.until_drained(&system, &mut provider, sending).await?);
    }
    let took = begun.elapsed();
    // What the provider still lands late has to be in the ledger that is judged.
    tokio::time::sleep(Duration::from_millis(settings::LATE_MS)).await;
    let (duplicated, failed_batches) = (system.duplicated(), system.failed_batches());
    system.stop().await;

    let answer_ms: Vec<u64> = hits.iter().map(|hit| hit.latency_ms).collect();
    let mut answers = Answers::of(&file.rows, &hits);
    let open = find(&system, &mut answers.accepted).await?;
    let (ledger, calls) = (provider.books().ledger().await?, provider.books().calls().await?);
    let aws_calls = aws_calls(&system, answers.accepted.len(), calls.len());
    let report = Report {
        evidence: Evidence {
            books_are_torn: false,
            accepted: &answers.accepted,
            unanswered: answers.unanswered.len(),
            ledger: &ledger,
            calls: &calls,
            limit: rate_per_second,
        },
        transactions: file.rows.len(),
        bad_rows: file.bad.len(),
        answer_ms: &answer_ms,
        replayed: answers.replayed,
        rate_limited: answers.rate_limited,
        refused: &answers.refused,
        inside: Some(Inside {
            aws_calls: &aws_calls,
            calls_per_1000_s: settings::calls_per_1000_s(rate_per_second),
            duplicated,
            failed_batches,
        }),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    println!("\n{report}");
    for line in answers.unanswered.iter().chain(&open).take(NAMED_MAX) {
        println!("open: {line}");
    }
    match report.faults().len() {
        0 => Ok(()),
        count => Err(format!("{count} of the demo's promises did not hold; the verdict above names them")),
    }
}

/// What names a charge is sent once everything else has ended: what has not succeeded yet bears no refund.
fn phases(shots: Vec<Shot>, rows: &[Transaction]) -> Vec<Vec<Shot>> {
    let names_a_charge = |shot: &Shot| rows[shot.index].optional.contains_key("original_order_id");
    let (refunds, others): (Vec<Shot>, Vec<Shot>) = shots.into_iter().partition(names_a_charge);
    [others, refunds].into_iter().filter(|phase| !phase.is_empty()).collect()
}

/// A port that nobody listens on, for what has to be told an address before it is taken.
fn free_port() -> Result<SocketAddr, String> {
    let bound = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map_err(|error| format!("no port is free: {error}"))
}

/// The shipped file is found from anywhere in the workspace.
pub fn located(file: PathBuf) -> PathBuf {
    if file.exists() || file != Path::new(SHIPPED_FILE) {
        return file;
    }
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

type Sending = tokio::task::JoinHandle<Vec<Hit>>;

fn send(system: &System, shots: Vec<Shot>, arrived: Arc<AtomicU64>) -> Result<Sending, String> {
    let base = Base::parse(&format!("http://{}", system.address())).map_err(|error| error.to_string())?;
    Ok(tokio::spawn(async move {
        sender::send(&base, shots, sender::Pace::Unbounded, settings::CONNECTIONS, move |hit| {
            if hit.is_accepted() && !hit.is_replay {
                arrived.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await
    }))
}

/// Looks on until everything has ended.
struct Watch<'a> {
    begun: Instant,
    arrived: &'a AtomicU64,
    rate_per_second: u32,
    payments: usize,
}

impl Watch<'_> {
    /// Three calls for each payment at the rate, and a minute for what waits.
    fn bound(&self) -> Duration {
        let calls = u64::try_from(self.payments).unwrap_or(u64::MAX).saturating_mul(3);
        Duration::from_secs(60 + calls / u64::from(self.rate_per_second.max(1)))
    }

    /// Shows how far it is until nothing is open, or until the bound. What is open then, the summary names.
    async fn until_drained(
        &self,
        system: &System,
        provider: &mut Provider,
        mut sending: Sending,
    ) -> Result<Vec<Hit>, String> {
        let mut display = Display::new();
        let mut hits = None;
        loop {
            tokio::select! {
                done = &mut sending, if hits.is_none() => {
                    hits = Some(done.map_err(|_| "the requests could not be sent".to_owned())?);
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let progress = self.look(system, provider).await?;
            display.show(&progress);
            let is_drained = progress.arrived == progress.settled;
            let is_over = self.begun.elapsed() > self.bound();
            match hits {
                Some(hits) if is_drained || is_over => {
                    display.finish();
                    return Ok(hits);
                }
                None if is_over => {
                    display.finish();
                    return Err("the requests were not all answered in time".to_owned());
                }
                unfinished => hits = unfinished,
            }
        }
    }

    async fn look(&self, system: &System, provider: &mut Provider) -> Result<Progress, String> {
        let calls = provider.books().calls().await?;
        let now_ms = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(0);
        let states = system.states().await?;
        let in_states =
            |wanted: &[State]| -> u64 { wanted.iter().filter_map(|state| states.get(state.as_str())).sum() };
        Ok(Progress {
            seconds: self.begun.elapsed().as_secs(),
            // The item is there before its answer is.
            arrived: states.values().sum::<u64>().max(self.arrived.load(Ordering::Relaxed)),
            queued: in_states(&[State::Queued]),
            in_flight: in_states(&[State::Sending]),
            to_query: in_states(&[State::Pending, State::Unknown]),
            settled: in_states(&[State::Parked, State::Succeeded, State::Declined, State::Canceled, State::Expired]),
            calls: calls.iter().filter(|call| call.at_ms + 1_000 > now_ms).count(),
            limit: self.rate_per_second,
            expected: u64::try_from(self.payments).unwrap_or(u64::MAX),
        })
    }
}

/// Reads where each payment stands; returns those that are still open, by name.
async fn find(system: &System, accepted: &mut [Accepted]) -> Result<Vec<String>, String> {
    let mut open = Vec::new();
    for payment in accepted {
        let id = PaymentId::new(payment.payment_id.clone()).map_err(|error| error.to_string())?;
        let Some(stands) = system.payment(&id).await? else {
            open.push(format!("{id}: no item"));
            continue;
        };
        let standing = Standing::of(&stands);
        if !standing.is_settled() {
            open.push(format!("{id}: {}, {}", stands.state.as_str(), stands.reason.as_str()));
        }
        payment.stands = Some(standing);
    }
    Ok(open)
}

fn aws_calls(system: &System, payments: usize, provider_calls: usize) -> Vec<AwsCalls> {
    let of = |name, provider_calls| AwsCalls { name, payments, provider_calls, by_operation: system.calls_of(name) };
    vec![
        of(system::INGEST, None),
        of(system::CONSUMER, Some(provider_calls)),
        of(system::MAPPINGS, None),
        of(system::DEAD_LETTER, None),
        of(system::RECONCILE, None),
    ]
}

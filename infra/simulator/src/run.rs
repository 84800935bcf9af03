//! One run from one seed, and many of them.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use consumer::{Consumer, Limits};
use dead_letter::DeadLetter;
use ingest::Ingest;
use payments::gate::GateState;
use payments::payment::State;
use payments::policy::Policy;
use payments::ports::Clock;
use reconcile::Reconcile;

use crate::check::Check;
use crate::faults::{CrashPoint, Faults, Phase};
use crate::mapping::{self, Numbers};
use crate::memory::queue::Name;
use crate::memory::{Gates, Ledger, MemoryGate, MemoryProvider, MemoryQueue, MemoryStore, Queues, Table};
use crate::scenario::{self, Api, Told};
use crate::world::{Environment, World, lock};

/// What a run is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// Customers in the run.
    pub payments: u64,
    /// The provider's limit, in calls a second.
    pub rate_per_second: u32,
    /// How long things go wrong, in ms; after that nothing fails any more.
    pub faults_for_ms: u64,
    /// How long everything may take to come to rest after that, in ms.
    pub rest_within_ms: u64,
}

impl Settings {
    /// A dozen payments on a day with these faults.
    pub const fn new(seed: u64, faults: Faults) -> Self {
        Self {
            seed,
            faults,
            payments: 12,
            rate_per_second: 10,
            faults_for_ms: 3 * 60 * 60 * 1_000,
            rest_within_ms: 8 * 60 * 60 * 1_000,
        }
    }
}

/// The policy of a run: a provider's ordinary numbers.
pub fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 1_000,
        call_timeout_ms: 3_000,
        claim_lead_ms: 100,
        settle_allowance_ms: 5_000,
        absence_bound_ms: 120_000,
        key_window_ms: 24 * 60 * 60 * 1_000,
        clock_skew_ms: 600_000,
        max_attempts: 5,
        backoff_base_ms: 1_000,
        backoff_cap_ms: 60_000,
        max_heals: 100,
        missing_item_grace_ms: 60_000,
        newer_version_grace_ms: 60 * 60 * 1_000,
        retention_ms: 400 * 24 * 60 * 60 * 1_000,
    }
}

/// What became of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its settings.
    pub settings: Settings,
    /// Broken invariants; none in a good run.
    pub violations: Vec<String>,
    /// The last lines before the end.
    pub trace: Vec<String>,
    /// Payments by their state.
    pub states: BTreeMap<&'static str, u64>,
    /// Effects in the provider's ledger.
    pub effects: u64,
    /// Calls that the provider got.
    pub calls: u64,
    /// I/Os of all environments.
    pub ios: u64,
    /// Environments that died.
    pub crashes: u64,
    /// Faults injected, crashes included.
    pub injected: u64,
    /// Virtual time that it took, in ms.
    pub virtual_ms: u64,
    /// Requests refused for good, and given up.
    pub refused: u32,
}

impl Report {
    /// Whether every invariant held.
    pub fn held(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    /// What somebody needs who has to find the fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        write!(f, "seed {}", self.settings.seed)?;
        if let Some(CrashPoint { io, phase }) = self.settings.faults.crash {
            write!(f, ", crash {phase:?} I/O {io}")?;
        }
        Ok(())
    }
}

type TheIngest = Ingest<MemoryStore, MemoryStore, MemoryQueue, Environment, Environment>;
type TheConsumer = Consumer<MemoryStore, MemoryGate, MemoryQueue, MemoryProvider, Environment, Environment>;
type TheReconcile = Reconcile<MemoryStore, MemoryQueue, Environment, Environment>;
type TheDeadLetter = DeadLetter<MemoryStore, MemoryQueue, Environment, Environment>;

/// A function's warm environments: one is taken for an invocation, and given back unless it died.
#[derive(Debug)]
struct Function<H> {
    world: Arc<World>,
    name: &'static str,
    warm: Mutex<Vec<(Environment, Arc<H>)>>,
    started: Mutex<u32>,
}

impl<H> Function<H> {
    fn new(world: &Arc<World>, name: &'static str) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), name, warm: Mutex::default(), started: Mutex::new(0) })
    }

    /// Invokes the function; `None` when its environment died.
    async fn invoke<T, F: Future<Output = T>>(
        &self,
        start: impl Fn(&Environment) -> H,
        call: impl FnOnce(Environment, Arc<H>) -> F,
    ) -> Option<T> {
        let taken = lock(&self.warm).pop();
        let (environment, handler) = taken.unwrap_or_else(|| {
            let mut started = lock(&self.started);
            *started += 1;
            let environment = Environment::new(&self.world, &format!("{} {started}", self.name));
            let handler = Arc::new(start(&environment));
            (environment, handler)
        });
        let answer = tokio::select! {
            biased;
            () = environment.death() => None,
            answer = environment.run(call(environment.clone(), Arc::clone(&handler))) => Some(answer),
        };
        if answer.is_some() {
            lock(&self.warm).push((environment, handler));
        }
        answer
    }
}

/// The whole system of a run.
#[derive(Clone, Debug)]
struct System {
    world: Arc<World>,
    table: Arc<Table>,
    queues: Arc<Queues>,
    gates: Arc<Gates>,
    ledger: Arc<Ledger>,
    rate_per_second: u32,
    ingest: Arc<Function<TheIngest>>,
    consumer: Arc<Function<TheConsumer>>,
    dead_letter: Arc<Function<TheDeadLetter>>,
    reconcile: Arc<Function<TheReconcile>>,
}

/// Time between a function's deadline and its time-out, in ms.
const GRACE_MS: u64 = 100;

impl System {
    fn new(settings: &Settings) -> Self {
        let world = World::new(settings.seed, settings.faults.clone());
        let table = Table::new(policy());
        for merchant in scenario::merchants() {
            table.add_merchant(merchant);
        }
        Self {
            queues: Queues::new(&world, 360_000, 12),
            gates: Arc::default(),
            ledger: Ledger::new(&world),
            rate_per_second: settings.rate_per_second,
            ingest: Function::new(&world, "ingest"),
            consumer: Function::new(&world, "consumer"),
            dead_letter: Function::new(&world, "dead_letter"),
            reconcile: Function::new(&world, "reconcile"),
            table,
            world,
        }
    }

    async fn consume(self, event: SqsEvent, timeout_ms: u64) -> Option<SqsBatchResponse> {
        let start = |environment: &Environment| {
            Consumer::new(
                MemoryStore::new(&self.table, environment),
                MemoryGate::new(&self.gates, environment),
                MemoryQueue::new(&self.queues, environment),
                MemoryProvider::new(&self.ledger, environment),
                environment.clone(),
                environment.clone(),
                policy(),
                Limits { max_in_flight: 8 },
                GateState::new("sandbox", self.rate_per_second, 10),
            )
        };
        self.consumer
            .invoke(start, |environment, consumer| async move {
                let deadline = environment.now().plus_ms(timeout_ms - GRACE_MS);
                consumer.handle(event, deadline).await
            })
            .await
    }

    async fn triage(self, event: SqsEvent, timeout_ms: u64) -> Option<SqsBatchResponse> {
        let start = |environment: &Environment| {
            DeadLetter::new(
                MemoryStore::new(&self.table, environment),
                MemoryQueue::new(&self.queues, environment),
                environment.clone(),
                environment.clone(),
                policy(),
            )
        };
        self.dead_letter
            .invoke(start, |environment, dead_letter| async move {
                let deadline = environment.now().plus_ms(timeout_ms - GRACE_MS);
                dead_letter.handle(event, deadline).await
            })
            .await
    }

    /// The schedule: a sweep every minute.
    async fn sweep_every_minute(self) {
        let start = |environment: &Environment| {
            Reconcile::new(
                MemoryStore::new(&self.table, environment),
                MemoryQueue::new(&self.queues, environment),
                environment.clone(),
                environment.clone(),
                policy(),
                20,
            )
        };
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            let sweep = self.reconcile.invoke(start, |environment, reconcile| async move {
                reconcile.handle(environment.now().plus_ms(60_000)).await
            });
            // A sweep whose environment died is made up for by the next.
            let _ = sweep.await;
        }
    }

    fn check(&self) -> Check {
        Check {
            world: Arc::clone(&self.world),
            table: Arc::clone(&self.table),
            queues: Arc::clone(&self.queues),
            ledger: Arc::clone(&self.ledger),
            rate_per_second: self.rate_per_second,
        }
    }

    fn start_mappings(&self) {
        let lanes = Numbers { batch_size: 10, maximum_concurrency: 2, function_timeout_ms: 60_000 };
        let check = Arc::new(self.check());
        for name in [Name::High, Name::Standard] {
            let system = self.clone();
            tokio::spawn(mapping::run(
                Arc::clone(&self.world),
                Arc::clone(&self.queues),
                name,
                lanes,
                Arc::clone(&check) as Arc<dyn mapping::Deletions>,
                move |event, timeout_ms| system.clone().consume(event, timeout_ms),
            ));
        }
        tokio::spawn(self.clone().sweep_every_minute());
        let system = self.clone();
        tokio::spawn(mapping::run(
            Arc::clone(&self.world),
            Arc::clone(&self.queues),
            Name::DeadLetter,
            lanes,
            check,
            move |event, timeout_ms| system.clone().triage(event, timeout_ms),
        ));
    }

    fn at_rest(&self) -> bool {
        let nothing_to_do =
            [Name::High, Name::Standard, Name::DeadLetter].into_iter().all(|name| self.queues.depth(name) == 0);
        nothing_to_do
            && self.table.payments().iter().all(|payment| payment.state.is_terminal() || payment.state == State::Parked)
    }

    /// Waits until nothing is left to do; gives up at a bound.
    async fn rest(&self, within_ms: u64) {
        let until_ms = self.world.elapsed_ms() + within_ms;
        while !self.at_rest() && self.world.elapsed_ms() < until_ms {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
}

impl Api for System {
    async fn request(&self, request: ApiGatewayV2httpRequest) -> Option<ApiGatewayV2httpResponse> {
        let start = |environment: &Environment| {
            Ingest::new(
                MemoryStore::new(&self.table, environment),
                MemoryStore::new(&self.table, environment),
                MemoryQueue::new(&self.queues, environment),
                environment.clone(),
                environment.clone(),
                policy(),
            )
        };
        let invocation = self.ingest.invoke(start, |_, ingest| async move { ingest.handle(request).await });
        Box::pin(invocation).await
    }
}

async fn play(settings: &Settings) -> Report {
    let system = System::new(settings);
    system.check().after_each_step();
    system.start_mappings();
    let told = Arc::new(Told::default());
    let scenario = scenario::run(Arc::clone(&system.world), system.clone(), Arc::clone(&told), settings.payments);
    // What merchants want and what goes wrong go on side by side; then only what is left has to come to an end.
    let calm = async {
        tokio::time::sleep(Duration::from_millis(settings.faults_for_ms)).await;
        system.world.calm();
    };
    let busy = async {
        scenario.await;
        system.rest(settings.rest_within_ms).await;
    };
    tokio::select! {
        biased;
        () = busy => {}
        () = async { calm.await; std::future::pending::<()>().await } => {}
    }
    // A person presses the button: everything parked is put back, and then put back again.
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_mins(5)).await;
        if system.queues.move_all(Name::Parked, None) > 0 {
            system.world.note("an operator moves the parked messages to their source");
            system.rest(settings.rest_within_ms).await;
        }
    }
    system.check().at_the_end(&told.accepted());
    report(settings, &system, &told)
}

fn report(settings: &Settings, system: &System, told: &Told) -> Report {
    let mut states = BTreeMap::new();
    for payment in system.table.payments() {
        *states.entry(payment.state.as_str()).or_default() += 1;
    }
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Report {
        settings: settings.clone(),
        violations: system.world.violations(),
        trace: system.world.trace(),
        states,
        effects: count(system.ledger.effects().len()),
        calls: count(system.ledger.calls_us().len()),
        ios: system.world.ios(),
        crashes: system.world.crashes(),
        injected: system.world.injected(),
        virtual_ms: system.world.elapsed_ms(),
        refused: told.refused() + told.gave_up(),
    }
}

/// Plays one run in a runtime of its own, whose time is virtual.
pub fn run(settings: &Settings) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O starts");
    runtime.block_on(play(settings))
}

/// Plays a run once for each I/O and each of its sides, with a crash there. Returns the first that broke an
/// invariant, or how many runs held.
pub fn sweep(settings: &Settings) -> Result<u64, Box<Report>> {
    let ios = run(settings).ios;
    let mut runs = 0;
    for io in 1..=ios {
        for phase in [Phase::Before, Phase::After] {
            let mut crashed = settings.clone();
            crashed.faults.crash = Some(CrashPoint { io, phase });
            let report = run(&crashed);
            if !report.held() {
                return Err(Box::new(report));
            }
            runs += 1;
        }
    }
    Ok(runs)
}

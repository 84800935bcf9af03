//! The system of a run: the real handlers in environments that may die or freeze, and what AWS does around them.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use consumer::{Consumer, Limits};
use dead_letter::DeadLetter;
use ingest::Ingest;
use pacing::gate::GateState;
use payments::payment::State;
use payments::transition::Recovery;
use ports::{Clock, Wired};
use reconcile::{Reconcile, Watched};

use crate::callbacks;
use crate::check::Check;
use crate::mapping::{self, Numbers};
use crate::memory::queue::{Count, Name};
use crate::memory::{
    Gates, Ledger, MemoryAdmission, MemoryGate, MemoryProvider, MemoryQueue, MemoryStore, Queues, Table,
};
use crate::run::{PASS, Settings, gate_settings};
use crate::scenario::{self, Api};
use crate::world::{Environment, World, lock};

pub(crate) type TheLedger = Wired<MemoryStore, MemoryQueue, Environment, Environment>;
type TheIngest = Ingest<TheLedger, MemoryStore, MemoryAdmission>;
type TheConsumer = Consumer<TheLedger, MemoryGate, MemoryProvider>;
type TheReconcile = Reconcile<TheLedger, MemoryGate>;
type TheDeadLetter = DeadLetter<TheLedger>;

/// A function's warm environments: one is taken for an invocation, and given back unless it died.
#[derive(Debug)]
struct Function<H> {
    world: Arc<World>,
    name: &'static str,
    warm: Mutex<Vec<(Environment, Arc<H>)>>,
    started: Mutex<u32>,
    deployed: AtomicU64,
}

impl<H> Function<H> {
    fn new(world: &Arc<World>, name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            name,
            warm: Mutex::default(),
            started: Mutex::new(0),
            deployed: AtomicU64::new(0),
        })
    }

    /// A new version: its environments start anew, and those of the one before end with what they are doing.
    fn deploy(&self) {
        self.deployed.fetch_add(1, Ordering::Relaxed);
        lock(&self.warm).clear();
    }

    /// Invokes the function; `None` when its environment died.
    async fn invoke<T, F: Future<Output = T>>(
        &self,
        start: impl Fn(&Environment) -> H,
        call: impl FnOnce(Environment, Arc<H>) -> F,
    ) -> Option<T> {
        let version = self.deployed.load(Ordering::Relaxed);
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
        if answer.is_some() && self.deployed.load(Ordering::Relaxed) == version {
            lock(&self.warm).push((environment, handler));
        }
        answer
    }
}

/// The whole system of a run.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) world: Arc<World>,
    pub(crate) table: Arc<Table>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) ledger: Arc<Ledger>,
    rate_per_second: u32,
    ingest: Arc<Function<TheIngest>>,
    consumer: Arc<Function<TheConsumer>>,
    dead_letter: Arc<Function<TheDeadLetter>>,
    reconcile: Arc<Function<TheReconcile>>,
    is_off: Arc<AtomicBool>,
    recovery: Arc<Mutex<Option<Recovery>>>,
}

/// Time between a function's deadline and its time-out, in ms.
const GRACE_MS: u64 = 100;

impl System {
    pub(crate) fn new(settings: &Settings) -> Self {
        let world = World::new(settings.seed, settings.faults.clone());
        let table = Table::new(settings.faults.policy());
        for merchant in scenario::merchants() {
            table.add_merchant(merchant);
        }
        Self {
            queues: Queues::new(&world, 360_000, settings.faults.max_receive_count, Count::of_seed(settings.seed)),
            gates: Arc::default(),
            ledger: Ledger::new(&world),
            rate_per_second: settings.rate_per_second,
            ingest: Function::new(&world, "ingest"),
            consumer: Function::new(&world, "consumer"),
            dead_letter: Function::new(&world, "dead_letter"),
            reconcile: Function::new(&world, "reconcile"),
            is_off: Arc::default(),
            recovery: Arc::default(),
            table,
            world,
        }
    }

    /// Every function's reserved concurrency is 0: nobody is invoked any more.
    pub(crate) fn turn_off(&self) {
        self.world.note("operator     turns every function off");
        self.is_off.store(true, Ordering::Relaxed);
    }

    /// They are on again, deployed anew, and beware of what a restore has lost.
    pub(crate) fn turn_on(&self, recovery: Option<Recovery>) {
        self.world.note("operator     turns every function on");
        *lock(&self.recovery) = recovery;
        self.deploy();
        self.is_off.store(false, Ordering::Relaxed);
    }

    /// A new version of every function, in the middle of whatever goes on.
    pub(crate) fn deploy(&self) {
        self.world.note("operator     deploys");
        self.ingest.deploy();
        self.consumer.deploy();
        self.dead_letter.deploy();
        self.reconcile.deploy();
    }

    fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Relaxed)
    }

    /// The table, the queues, a clock and dice, as an environment reaches them.
    pub(crate) fn wired(&self, environment: &Environment) -> TheLedger {
        Wired {
            store: MemoryStore::new(&self.table, environment),
            queue: MemoryQueue::new(&self.queues, environment),
            clock: environment.clone(),
            entropy: environment.clone(),
            policy: self.world.faults.policy(),
        }
    }

    async fn consume(self, event: SqsEvent, timeout_ms: u64) -> Option<SqsBatchResponse> {
        let start = |environment: &Environment| {
            Consumer::new(
                self.wired(environment),
                MemoryGate::new(&self.gates, environment),
                MemoryProvider::new(&self.ledger, environment),
                Limits { max_in_flight: 8, gate: gate_settings() },
                GateState::new("sandbox", self.rate_per_second, 10),
            )
        };
        if self.is_off() {
            return None;
        }
        self.consumer
            .invoke(start, |environment, consumer| async move {
                let deadline = environment.now().plus_ms(timeout_ms - GRACE_MS);
                consumer.handle(event, deadline).await
            })
            .await
    }

    async fn triage(self, event: SqsEvent, timeout_ms: u64) -> Option<SqsBatchResponse> {
        let start = |environment: &Environment| DeadLetter::new(self.wired(environment));
        if self.is_off() {
            return None;
        }
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
                self.wired(environment),
                Watched { gates: MemoryGate::new(&self.gates, environment), provider: "sandbox".to_owned() },
                20,
            )
            .with_pass(PASS)
        };
        loop {
            tokio::time::sleep(Duration::from_mins(1)).await;
            // As the restore's runbook has it: functions are off while the table is put back, and on before a run ends.
            if self.is_off() {
                continue;
            }
            let sweep = self.reconcile.invoke(start, |environment, reconcile| async move {
                reconcile.handle(environment.now().plus_ms(60_000)).await
            });
            // A sweep whose environment died is made up for by the next.
            let _ = sweep.await;
            self.check().messages();
        }
    }

    pub(crate) fn check(&self) -> Check {
        Check {
            world: Arc::clone(&self.world),
            table: Arc::clone(&self.table),
            queues: Arc::clone(&self.queues),
            ledger: Arc::clone(&self.ledger),
            gates: Arc::clone(&self.gates),
            rate_per_second: self.rate_per_second,
        }
    }

    pub(crate) fn start_mappings(&self) {
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
        tokio::spawn(callbacks::deliver(self.clone()));
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
            && self.ledger.undelivered() == 0
            && self.table.payments().iter().all(|payment| payment.state.is_terminal() || payment.state == State::Parked)
    }

    /// Waits until nothing is left to do; gives up at a bound.
    pub(crate) async fn rest(&self, within_ms: u64) {
        let until_ms = self.world.elapsed_ms() + within_ms;
        while !self.at_rest() && self.world.elapsed_ms() < until_ms {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
}

impl Api for System {
    async fn request(&self, request: ApiGatewayV2httpRequest) -> Option<ApiGatewayV2httpResponse> {
        let start = |environment: &Environment| {
            Ingest::new(self.wired(environment), MemoryStore::new(&self.table, environment), None)
                .with_callbacks(Some(callbacks::taken()))
                .with_recovery(*lock(&self.recovery))
        };
        if self.is_off() {
            return None;
        }
        let invocation = self.ingest.invoke(start, |_, ingest| async move { ingest.handle(request).await });
        Box::pin(invocation).await
    }
}

//! One run from one seed, and many of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pacing::brake::BrakeSettings;
use pacing::breaker::BreakerSettings;
use pacing::gate::GateSettings;
use payments::history::{HistoryKey, HistoryKeys};
use payments::pass::Pass;
use payments::policy::Policy;

use crate::ageing;
use crate::faults::{CrashPoint, Faults, Phase};
use crate::memory::queue::Name;
use crate::operator;
use crate::people::{self, Decided};
use crate::poison;
use crate::restore;
use crate::scenario::{self, Told};
use crate::system::System;

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
    /// A dozen payments on a day with these faults; sixty where they come over a longer time.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self {
            seed,
            payments: if faults.arrive_within_ms > Faults::none().arrive_within_ms { 60 } else { 12 },
            rest_within_ms: faults.over_ms() + 8 * 60 * 60 * 1_000,
            faults,
            rate_per_second: 10,
            faults_for_ms: 3 * 60 * 60 * 1_000,
        }
    }
}

/// How often a person puts back everything that is parked.
const MOVES: u32 = 2;

/// The policy of a run: a provider's ordinary numbers.
pub fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 1_000,
        call_timeout_ms: 3_000,
        claim_lead_ms: 100,
        settle_allowance_ms: 5_000,
        absence_bound_ms: 120_000,
        key_window_ms: Faults::none().key_window_ms,
        clock_skew_ms: 600_000,
        max_attempts: 5,
        backoff_base_ms: 1_000,
        backoff_cap_ms: 60_000,
        pending_backoff_base_ms: 5_000,
        pending_backoff_cap_ms: 900_000,
        max_heals: 20,
        missing_item_grace_ms: 60_000,
        newer_version_grace_ms: 60 * 60 * 1_000,
        retention_ms: 400 * 24 * 60 * 60 * 1_000,
        overdue_after_ms: 60 * 60 * 1_000,
        park_overdue_after_ms: 72 * 60 * 60 * 1_000,
        history_keys: HistoryKeys::one(HistoryKey::of(b"the simulator's key, not secret.")),
    }
}

/// How often a message may be put back in runs whose messages are dead-lettered soon.
const HEALS_OF_SHORT_LAPS: u32 = 100;

impl Faults {
    /// The policy of a run with these faults.
    pub(crate) fn policy(&self) -> Policy {
        // A deployment's number is for its receive count, 60: where a message is dead-lettered after a few receives, a lap is
        // seconds, and as many laps would be used up by what only waits.
        let max_heals = if self.max_receive_count >= 60 { policy().max_heals } else { HEALS_OF_SHORT_LAPS };
        Policy { key_window_ms: self.key_window_ms, max_heals, ..policy() }
    }
}

/// How a run's sweeps go through the table: in minutes, so that a run sees it.
pub const PASS: Pass = Pass { sweeps: 3, parts_a_sweep: 2 };

/// The gate's numbers of a run: those of a deployment, with a breaker that opens on as few failures as a run has.
pub fn gate_settings() -> GateSettings {
    let breaker = BreakerSettings {
        failures: 5,
        failing_percent: 50,
        calls_min: 20,
        window_ms: 10_000,
        open_ms: 5_000,
        open_max_ms: 60_000,
        ramp_percent: 10,
        ramp_step_ms: 5_000,
        probe_lease_ms: policy().lease_ms(),
    };
    GateSettings { breaker, brake: BrakeSettings { hold_max_ms: 60_000, recovery_ms: 20_000 } }
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
    /// Payments by their state, before people decided about what waits for them.
    pub states: BTreeMap<&'static str, u64>,
    /// Effects in the provider's ledger.
    pub effects: u64,
    /// Calls that the provider got.
    pub calls: u64,
    /// Callbacks of the provider's that were taken.
    pub callbacks: u64,
    /// Parked payments that a person ended.
    pub resolved: u64,
    /// Late successes that a person decided about.
    pub cases: u64,
    /// Payments whose details were forgotten.
    pub forgotten: u64,
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
    /// Attempts beyond the sends that the provider has seen.
    pub unsent_attempts: u64,
    /// After a brownout: ms from its end until the breaker was closed, and until the last payment from before or in it
    /// had ended.
    pub recovered_after_ms: Option<(u64, u64)>,
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

async fn play(settings: &Settings) -> Report {
    let system = System::new(settings);
    system.check().after_each_step();
    system.start_mappings();
    let told = Arc::new(Told::default());
    let scenario = scenario::run(Arc::clone(&system.world), system.clone(), Arc::clone(&told), settings.payments);
    if settings.faults.operator {
        tokio::spawn(operator::run(system.clone(), settings.rate_per_second));
    }
    if let Some(pause) = settings.faults.pause {
        tokio::spawn(operator::pause(system.clone(), pause));
    }
    let poisoning = settings.faults.poison.then(|| tokio::spawn(poison::run(system.clone())));
    // What merchants want and what goes wrong go on side by side; then only what is left has to come to an end.
    let calm = async {
        tokio::time::sleep(Duration::from_millis(settings.faults_for_ms)).await;
        system.world.calm();
    };
    let restoring = settings
        .faults
        .restore
        .map(|how| tokio::spawn(restore::run(system.clone(), Arc::clone(&told), how, settings.rest_within_ms)));
    let busy = async {
        scenario.await;
        if let Some(poisoning) = poisoning {
            poisoning.await.expect("no more of them come");
        }
        if let Some(restoring) = restoring {
            restoring.await.expect("a restore ends");
        }
        system.rest(settings.rest_within_ms).await;
    };
    tokio::select! {
        biased;
        () = busy => {}
        () = async { calm.await; std::future::pending::<()>().await } => {}
    }
    // A person presses the button: everything parked is put back, and then put back again, to its source or into a lane.
    for _ in 0..MOVES {
        tokio::time::sleep(Duration::from_mins(5)).await;
        let lane = (system.world.between(0, 1) == 1).then_some(Name::Standard);
        if system.queues.move_all(Name::Parked, lane) > 0 {
            system.world.note("an operator moves the parked messages");
            system.rest(settings.rest_within_ms).await;
        }
    }
    system.check().at_the_end(&told.accepted());
    if settings.faults.poison {
        poison::judge(&system);
    }
    let states = states(&system);
    let decided = people::decide(&system).await;
    system.check().at_the_end(&told.accepted());
    if settings.faults.ageing {
        ageing::run(&system, &told, settings.rest_within_ms).await;
    }
    report(settings, &system, &told, states, decided)
}

fn states(system: &System) -> BTreeMap<&'static str, u64> {
    let mut states = BTreeMap::new();
    for payment in system.table.payments() {
        *states.entry(payment.state.as_str()).or_default() += 1;
    }
    states
}

fn report(
    settings: &Settings,
    system: &System,
    told: &Told,
    states: BTreeMap<&'static str, u64>,
    decided: Decided,
) -> Report {
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    Report {
        settings: settings.clone(),
        violations: system.world.violations(),
        trace: system.world.trace(),
        states,
        effects: count(system.ledger.effects().len()),
        calls: count(system.ledger.calls_us().len()),
        callbacks: system.ledger.callbacks_taken(),
        resolved: decided.resolved,
        cases: decided.closed,
        forgotten: count(system.table.payments().iter().filter(|payment| payment.is_forgotten()).count()),
        ios: system.world.ios(),
        crashes: system.world.crashes(),
        injected: system.world.injected(),
        virtual_ms: system.world.elapsed_ms(),
        refused: told.refused() + told.gave_up(),
        unsent_attempts: system.check().unsent_attempts(),
        recovered_after_ms: system.check().recovered_after_ms(),
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

//! The checks that a mutant has to be found by: the simulator with every set of faults, then the model checker.

use model::{Bounds, DEPLOYED};
use serde::{Deserialize, Serialize};
use simulator::{Faults, Settings};

/// What both checks say of the code that they are built with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What the simulator found first.
    pub simulator: Option<Finding>,
    /// Runs that it took.
    pub runs: u64,
    /// What the model checker found first.
    pub model: Option<Finding>,
    /// States that it explored; none if it was not asked.
    pub states: usize,
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which, and how.
    pub what: String,
    /// The command that repeats it in the changed tree.
    pub repeat: String,
}

/// The sets of faults, as `cargo dev simulate` knows them: the simplest first, so that what is found is told by it.
pub fn faults() -> [(&'static str, Faults); 20] {
    [
        ("none", Faults::none()),
        ("lost-answers", Faults::lost_answers()),
        ("freezes", Faults::freezes()),
        ("stray-429", Faults::stray_429()),
        ("bad-provider", Faults::bad_provider()),
        ("forgetting-provider", Faults::forgetting_provider()),
        ("slow-connections", Faults::slow_connections()),
        ("fickle-provider", Faults::fickle_provider()),
        ("dead-letters", Faults::dead_letters()),
        ("bad-table", Faults::bad_table()),
        ("everything", Faults::everything()),
        ("skewed-clocks", Faults { clock_skew_ms: 300_000, ..Faults::everything() }),
        ("brownout", Faults::brownout()),
        ("operator", Faults::operator()),
        ("outage", Faults::outage()),
        ("stalls", Faults::stalls()),
        ("stubborn-provider", Faults::stubborn_provider()),
        ("poison", Faults::poison()),
        ("ageing", Faults::ageing()),
        ("restore", Faults::restore()),
    ]
}

/// Judges the code that this is built with: so many seeds of each set of faults, and the model's small bounds unless
/// nothing was changed that it knows. Each check stops at the first thing that it finds.
pub fn judge(seeds: u64, with_model: bool) -> Judgement {
    // Side by side: neither knows of the other.
    let (simulated, modelled) = std::thread::scope(|scope| {
        let modelled = scope.spawn(|| if with_model { modelled() } else { (None, 0) });
        (simulated(seeds), modelled.join())
    });
    let (simulator, runs) = simulated;
    let (model, states) = modelled.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    Judgement { simulator, runs, model, states }
}

fn simulated(seeds: u64) -> (Option<Finding>, u64) {
    let mut runs = 0;
    for (name, faults) in faults() {
        for seed in 1..=seeds {
            runs += 1;
            let report = simulator::run(&Settings::new(seed, faults.clone()));
            if let Some(what) = report.violations.first() {
                let repeat = format!("cargo dev simulate --seed {seed} --runs 1 --faults {name}");
                return (Some(Finding { what: what.clone(), repeat }), runs);
            }
        }
    }
    (None, runs)
}

fn modelled() -> (Option<Finding>, usize) {
    let mut states = 0;
    for bounds in Bounds::SMALL {
        let report = model::check(bounds, DEPLOYED);
        states += report.states;
        if let Some(violation) = report.violation {
            let steps = violation.path.len().saturating_sub(1);
            let what = format!("{}, after {steps} steps", violation.property);
            return (Some(Finding { what, repeat: "cargo dev model".to_owned() }), states);
        }
    }
    (None, states)
}

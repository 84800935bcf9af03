//! `cargo dev simulate`: many runs of the simulator, one after the other, and what they add up to. The first run that
//! breaks an invariant ends it, with its trace and the command that repeats it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use simulator::{Brownout, CrashPoint, Faults, Phase, Report, Settings};

/// A set of faults and the name that the command line knows it by.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// As it is given on the command line.
    pub name: &'static str,
    /// What goes wrong.
    pub faults: Faults,
}

/// The sets of faults that can be named.
pub fn named() -> [Named; 24] {
    let skewed = Faults { clock_skew_ms: 300_000, ..Faults::everything() };
    [
        Named { name: "none", faults: Faults::none() },
        Named { name: "lost-answers", faults: Faults::lost_answers() },
        Named { name: "freezes", faults: Faults::freezes() },
        Named { name: "stray-429", faults: Faults::stray_429() },
        Named { name: "bad-provider", faults: Faults::bad_provider() },
        Named { name: "stubborn-provider", faults: Faults::stubborn_provider() },
        Named { name: "forgetting-provider", faults: Faults::forgetting_provider() },
        Named { name: "slow-connections", faults: Faults::slow_connections() },
        Named { name: "fickle-provider", faults: Faults::fickle_provider() },
        Named { name: "dead-letters", faults: Faults::dead_letters() },
        Named { name: "bad-table", faults: Faults::bad_table() },
        Named { name: "stalls", faults: Faults::stalls() },
        Named { name: "brownout", faults: Faults::brownout() },
        Named { name: "operator", faults: Faults::operator() },
        Named { name: "outage", faults: Faults::outage() },
        Named { name: "outage-24h", faults: Faults::outage_of(24) },
        Named { name: "outage-72h", faults: Faults::outage_of(72) },
        Named { name: "dead-provider-24h", faults: Faults::dead_provider(24) },
        Named { name: "dead-provider-72h", faults: Faults::dead_provider(72) },
        Named { name: "everything", faults: Faults::everything() },
        Named { name: "poison", faults: Faults::poison() },
        Named { name: "ageing", faults: Faults::ageing() },
        Named { name: "restore", faults: Faults::restore() },
        Named { name: "skewed-clocks", faults: skewed },
    ]
}

/// Reads a set's name.
pub fn parse_faults(name: &str) -> Result<Named, String> {
    named().into_iter().find(|set| set.name == name).ok_or_else(|| {
        let known: Vec<&str> = named().iter().map(|set| set.name).collect();
        format!("no such faults; there are {}", known.join(", "))
    })
}

/// Reads a crash, such as `before:17`.
pub fn parse_crash(text: &str) -> Result<CrashPoint, String> {
    let expected = || "a crash is before:N or after:N, N being an I/O of the run from 1 on".to_owned();
    let (side, io) = text.split_once(':').ok_or_else(expected)?;
    let phase = match side {
        "before" => Phase::Before,
        "after" => Phase::After,
        _ => return Err(expected()),
    };
    let io = io.parse().map_err(|_| expected())?;
    Ok(CrashPoint { io, phase })
}

/// What a person may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first run's seed.
    pub seed: u64,
    /// How many runs, each with the next seed.
    pub runs: u64,
    /// Instead of so many runs, for so long: as many as there is time for.
    pub minutes: Option<u64>,
    /// What goes wrong.
    pub faults: Named,
    /// Payments in a run, if not as many as these faults want.
    pub payments: Option<u64>,
    /// Whether each run is swept by crashes.
    pub sweep: bool,
    /// One crash in each run.
    pub crash: Option<CrashPoint>,
}

/// Plays the runs. An error is one line; the trace of the run that failed has been printed by then.
pub fn run(options: &Options) -> Result<(), String> {
    let begun = Instant::now();
    let mut sum = Sum::default();
    let ends = options.minutes.map(|minutes| begun + Duration::from_secs(60 * minutes));
    let runs = if ends.is_some() { u64::MAX } else { options.runs };
    for seed in options.seed..options.seed.saturating_add(runs) {
        if ends.is_some_and(|ends| Instant::now() >= ends) {
            break;
        }
        let mut settings = Settings::new(seed, options.faults.faults.clone());
        settings.payments = options.payments.unwrap_or(settings.payments);
        settings.faults.crash = options.crash;
        let report = simulator::run(&settings);
        sum.add(&report);
        if !report.held() {
            return failed(&report, options);
        }
        if options.sweep {
            match simulator::sweep(&settings) {
                Ok(runs) => sum.swept += runs,
                Err(report) => return failed(&report, options),
            }
        }
    }
    println!("runs             {} with {}, seeds from {}", sum.runs, options.faults.name, options.seed);
    if options.sweep {
        println!("crash sweep      {} runs more, a crash before and after each I/O", sum.swept);
    }
    let took = begun.elapsed();
    let all_runs = u128::from(sum.runs + sum.swept);
    println!("virtual time     {} hours in {:.1} s", sum.virtual_ms / 3_600_000, took.as_secs_f64());
    println!("runs a minute    {}", all_runs * 60_000 / took.as_millis().max(1));
    println!("faults injected  {}, {} crashes among them", sum.injected, sum.crashes);
    println!("provider calls   {}, {} effects, {} callbacks taken", sum.calls, sum.effects, sum.callbacks);
    let states: Vec<String> = sum.states.iter().map(|(state, count)| format!("{state} {count}")).collect();
    println!("final states     {}", states.join(", "));
    println!("people           then resolved {} parked payments and closed {} cases", sum.resolved, sum.cases);
    if let Some((closed_ms, ended_ms)) = sum.recovered_after_ms {
        let parked = sum.states.get("parked").copied().unwrap_or(0);
        println!("waiting          used up {} attempts and parked {parked}", sum.unsent_attempts);
        println!(
            "recovered        breaker closed within {} s of the brownout's end (stated: {} s), payments ended within {} s \
             (stated: {} s)",
            closed_ms.div_ceil(1_000),
            Brownout::CLOSED_WITHIN_MS / 1_000,
            ended_ms.div_ceil(1_000),
            Brownout::ENDED_WITHIN_MS / 1_000,
        );
    }
    println!("VERDICT          good: I1 to I9 and I11 held in every run");
    Ok(())
}

fn failed(report: &Report, options: &Options) -> Result<(), String> {
    println!("{report}");
    let crash = match report.settings.faults.crash {
        Some(CrashPoint { io, phase: Phase::Before }) => format!(" --crash before:{io}"),
        Some(CrashPoint { io, phase: Phase::After }) => format!(" --crash after:{io}"),
        None => String::new(),
    };
    Err(format!(
        "an invariant was broken; repeat it with: cargo dev simulate --seed {} --runs 1 --faults {} --payments {}{crash}",
        report.settings.seed, options.faults.name, report.settings.payments,
    ))
}

#[derive(Default)]
struct Sum {
    runs: u64,
    swept: u64,
    virtual_ms: u64,
    injected: u64,
    crashes: u64,
    calls: u64,
    effects: u64,
    callbacks: u64,
    resolved: u64,
    cases: u64,
    states: BTreeMap<&'static str, u64>,
    unsent_attempts: u64,
    recovered_after_ms: Option<(u64, u64)>,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.virtual_ms += report.virtual_ms;
        self.injected += report.injected;
        self.crashes += report.crashes;
        self.calls += report.calls;
        self.effects += report.effects;
        self.callbacks += report.callbacks;
        self.resolved += report.resolved;
        self.cases += report.cases;
        self.unsent_attempts += report.unsent_attempts;
        if let Some((closed_ms, ended_ms)) = report.recovered_after_ms {
            let (closed_before_ms, ended_before_ms) = self.recovered_after_ms.unwrap_or_default();
            self.recovered_after_ms = Some((closed_ms.max(closed_before_ms), ended_ms.max(ended_before_ms)));
        }
        for (state, count) in &report.states {
            *self.states.entry(state).or_default() += count;
        }
    }
}

//! Everything together, in hundreds of runs from seeds: I1 to I7 hold whatever fails, and each run repeats to the
//! letter. What fails prints its report and the command that plays it again.

use simulator::{Faults, Phase, Report, Settings, run, sweep};

/// Plays these seeds; each has to hold, and together they have to have gone through something.
fn hold(name: &str, faults: &Faults, seeds: std::ops::Range<u64>) -> Vec<Report> {
    let reports: Vec<Report> = seeds.map(|seed| run(&Settings::new(seed, faults.clone()))).collect();
    for report in &reports {
        assert!(report.held(), "{}", told(name, report));
    }
    reports
}

fn told(name: &str, report: &Report) -> String {
    let Settings { seed, payments, ref faults, .. } = report.settings;
    let crash = faults.crash.map_or_else(String::new, |at| match at.phase {
        Phase::Before => format!(" --crash before:{}", at.io),
        Phase::After => format!(" --crash after:{}", at.io),
    });
    format!("{report}\ncargo dev simulate --seed {seed} --runs 1 --payments {payments} --faults {name}{crash}")
}

fn total(reports: &[Report], count: impl Fn(&Report) -> u64) -> u64 {
    reports.iter().map(count).sum()
}

fn ended(reports: &[Report], state: &str) -> u64 {
    total(reports, |report| report.states.get(state).copied().unwrap_or(0))
}

#[test]
fn on_a_good_day_everything_is_done_once() {
    let reports = hold("none", &Faults::none(), 0..100);
    assert_eq!(total(&reports, |report| report.injected), 0);
    for state in ["declined", "parked", "unknown", "pending"] {
        assert_eq!(ended(&reports, state), 0, "{state}");
    }
    assert_eq!(ended(&reports, "succeeded"), total(&reports, |report| report.effects));
    // Nothing is asked twice: each payment that was sent is one call.
    assert_eq!(total(&reports, |report| report.calls), total(&reports, |report| report.effects));
}

#[test]
fn a_bad_provider_charges_nobody_twice() {
    let reports = hold("bad-provider", &Faults::bad_provider(), 0..200);
    assert!(total(&reports, |report| report.injected) > 500);
    assert!(ended(&reports, "declined") > 20 && ended(&reports, "succeeded") > 500);
    assert!(
        total(&reports, |report| report.calls) > total(&reports, |report| report.effects),
        "nothing was ever queried"
    );
    assert!(total(&reports, |report| report.callbacks) > 500, "hardly anything was called back");
}

#[test]
fn with_everything_failing_at_once_nothing_is_lost_and_nobody_charged_twice() {
    let reports = hold("everything", &Faults::everything(), 0..200);
    assert!(total(&reports, |report| report.crashes) > 100, "hardly anything died");
}

#[test]
fn other_seeds_hold_as_well() {
    hold("everything", &Faults::everything(), 10_000..10_200);
}

#[test]
fn clocks_five_minutes_apart_charge_nobody_twice() {
    let faults = Faults { clock_skew_ms: 300_000, ..Faults::everything() };
    hold("skewed-clocks", &faults, 20_000..20_150);
}

#[test]
fn a_provider_that_hardly_ever_answers_charges_nobody_twice() {
    let reports = hold("stubborn-provider", &Faults::stubborn_provider(), 0..100);
    assert!(total(&reports, |report| report.calls) > 2 * total(&reports, |report| report.effects));
}

#[test]
fn a_crash_before_or_after_any_io_loses_nothing() {
    for (seed, payments) in [(7, 6), (8, 12)] {
        let settings = Settings { payments, ..Settings::new(seed, Faults::bad_provider()) };
        match sweep(&settings) {
            Ok(runs) => assert!(runs > 100, "{runs} crashes"),
            Err(report) => panic!("{}", told("bad-provider", &report)),
        }
    }
}

#[test]
fn a_run_repeats_to_the_letter() {
    for seed in [1, 2, 3] {
        let settings = Settings::new(seed, Faults { clock_skew_ms: 1_000, ..Faults::everything() });
        let (one, two) = (run(&settings), run(&settings));
        assert_eq!(one.trace, two.trace, "seed {seed}");
        let counts = |report: &Report| {
            (
                report.states.clone(),
                report.effects,
                report.calls,
                report.ios,
                report.crashes,
                report.injected,
                report.virtual_ms,
            )
        };
        assert_eq!(counts(&one), counts(&two), "seed {seed}");
    }
    let (one, two) = (run(&Settings::new(1, Faults::everything())), run(&Settings::new(2, Faults::everything())));
    assert_ne!(one.trace, two.trace, "another seed is another run");
}

#[test]
fn a_lost_answer_costs_a_retry_and_neither_a_lease_nor_a_sweep() {
    let reports = hold("lost-answers", &Faults::lost_answers(), 0..100);
    assert!(total(&reports, |report| report.injected) > 500);
}

#[test]
fn what_thaws_sends_no_burst() {
    let mut injected = 0;
    for seed in 0..60 {
        let report = run(&Settings { payments: 60, ..Settings::new(seed, Faults::freezes()) });
        assert!(report.held(), "{}", told("freezes", &report));
        injected += report.injected;
    }
    assert!(injected > 500, "hardly anything froze");
}

//! Everything together, in hundreds of runs from seeds: I1 to I7 hold whatever fails, and each run repeats to the
//! letter. What fails prints its report and the command that plays it again.

use simulator::{Brownout, Faults, Phase, Report, Restore, Settings, run, sweep};

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
fn a_429_now_and_then_slows_down_nobody_but_its_payment() {
    let reports = hold("stray-429", &Faults::stray_429(), 0..100);
    assert!(total(&reports, |report| report.injected) >= 5);
    assert_eq!(ended(&reports, "succeeded"), total(&reports, |report| report.effects));
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
    assert!(total(&reports, |report| report.cases) > 5, "hardly anything was done after all");
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
    assert!(ended(&reports, "parked") > 5, "nobody had to be asked");
    assert_eq!(
        total(&reports, |report| report.resolved),
        ended(&reports, "parked"),
        "people know what the provider knows"
    );
}

/// Where messages are received too often, `dead_letter` is at work all the time, also on what is delivered twice.
#[test]
fn dead_letters_come_back_and_are_parked_for_no_wait() {
    let reports = hold("dead-letters", &Faults::dead_letters(), 0..150);
    assert_eq!(ended(&reports, "parked"), 0);
    assert!(ended(&reports, "succeeded") > 1_000);
}

/// What the provider has taken and denies is parked, and never sent again.
#[test]
fn a_provider_that_forgets_what_it_has_charges_nobody_twice() {
    let reports = hold("forgetting-provider", &Faults::forgetting_provider(), 0..100);
    assert!(total(&reports, |report| report.calls) > 2 * total(&reports, |report| report.effects));
}

/// Two consumers at the same payment, one of them with its request not yet written.
#[test]
fn slow_connections_send_nothing_without_a_lease() {
    hold("slow-connections", &Faults::slow_connections(), 0..100);
}

/// An end stays, whatever the provider says later; what it did after all becomes a case.
#[test]
fn a_fickle_provider_changes_no_end() {
    hold("fickle-provider", &Faults::fickle_provider(), 0..100);
}

#[test]
fn a_table_that_refuses_every_third_write_loses_nothing() {
    let reports = hold("bad-table", &Faults::bad_table(), 0..150);
    assert!(total(&reports, |report| report.injected) > 10_000);
}

/// The gate is paused for six hours: what waits keeps its one message, and all of it ends once it is resumed.
#[test]
fn a_long_outage_multiplies_no_messages() {
    let reports = hold("outage", &Faults::outage(), 0..20);
    assert!(ended(&reports, "succeeded") > 600);
}

/// A message is dead-lettered once an hour meanwhile, more often than `MAX_HEALS` allows.
#[test]
fn an_outage_of_days_uses_up_no_heals_and_parks_nothing_that_only_had_to_wait() {
    let reports = hold("outage-72h", &Faults::outage_of(72), 0..1);
    assert!(ended(&reports, "succeeded") > 30);
    let reports = hold("dead-provider-24h", &Faults::dead_provider(24), 0..2);
    assert!(ended(&reports, "succeeded") > 30);
}

#[test]
fn invocations_that_run_out_of_time_lose_nothing() {
    hold("stalls", &Faults::stalls(), 0..40);
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

/// The provider is down for ten minutes in the middle of a sale, and answers in half the time afterwards: what waits
/// uses up no attempt and is not parked, and the stated times hold.
#[test]
fn a_brownout_uses_up_no_attempt_and_is_over_in_time() {
    let reports = hold("brownout", &Faults::brownout(), 0..40);
    assert_eq!(total(&reports, |report| report.unsent_attempts), 0);
    assert_eq!(ended(&reports, "parked"), 0);
    assert!(total(&reports, |report| report.injected) > 200, "hardly anything failed");
    for report in &reports {
        let (closed_ms, ended_ms) = report.recovered_after_ms.expect("the breaker opened and closed again");
        assert!(closed_ms <= Brownout::CLOSED_WITHIN_MS && ended_ms <= Brownout::ENDED_WITHIN_MS);
        // While it was open next to nothing was sent: a call each few seconds at most, where ten a second may be.
        assert!(report.calls < 400, "{} calls", report.calls);
    }
}

/// Rates, pauses and resumes, some of them before the slots from before are used up.
#[test]
fn what_an_operator_sets_holds_for_everybody_from_the_next_slot_on() {
    let reports = hold("operator", &Faults::operator(), 0..40);
    assert!(ended(&reports, "succeeded") > 1_000);
}

#[test]
fn what_is_not_ours_ends_in_front_of_people_and_touches_no_payment() {
    hold("poison", &Faults::poison(), 0..40);
}

#[test]
fn what_is_forgotten_is_not_paid_again_and_still_answers_whatever_comes() {
    let reports = hold("ageing", &Faults::ageing(), 0..40);
    let (payments, forgotten) =
        (total(&reports, |report| report.states.values().sum()), total(&reports, |report| report.forgotten));
    assert!(ended(&reports, "succeeded") > 200 && forgotten * 10 > payments * 8, "{forgotten} of {payments} forgotten");
}

/// Some minutes of the table are lost, and not a payment: what was open is asked about, what is new as well.
#[test]
fn a_restored_table_charges_nobody_twice_and_loses_nothing_that_merchants_ask_for_again() {
    let reports = hold("restore", &Faults::restore(), 0..40);
    assert!(ended(&reports, "succeeded") > 1_000);
}

/// The drill can fail: without the runbook somebody is charged twice.
#[test]
fn a_table_that_is_put_back_carelessly_charges_somebody_twice() {
    let careless = Faults { restore: Some(Restore::Carelessly), ..Faults::restore() };
    let reports: Vec<Report> = (0..10).map(|seed| run(&Settings::new(seed, careless.clone()))).collect();
    let twice = |report: &&Report| report.violations.iter().any(|violation| violation.starts_with("I1 violated"));
    let found = reports.iter().filter(twice).count();
    assert!(found >= 8, "found in {found} of 10 runs");
}

/// The breaker opens, is tried and ramps while environments die and freeze with slots, probes and counts in hand.
#[test]
fn a_brownout_with_everything_else_failing_charges_nobody_twice() {
    let Faults { arrive_within_ms, brownout, .. } = Faults::brownout();
    let faults = Faults { arrive_within_ms, brownout, operator: true, ..Faults::everything() };
    for seed in 0..40 {
        let report = run(&Settings::new(seed, faults.clone()));
        assert!(report.held(), "{report}\neverything, an operator and a brownout");
        assert!(report.crashes > 0);
    }
}

//! The sale at a hundredth of its size: the same times, environments and handlers, a hundredth of the payments.

use std::num::NonZeroU32;

use plan::{Demand, Plan};
use simulator::sale::{Course, Scale, Settings, Size, Told, Trouble, Way, play, target};

fn small(trouble: Trouble) -> Settings {
    let scale = Scale::one_to(100).expect("a scale");
    Settings { trouble, ..Settings::new(1, scale) }
}

fn ours(trouble: Trouble) -> Course {
    let settings = small(trouble);
    let course = play(&settings, Way::Ours);
    assert_eq!(target::missed(&settings, &course), Vec::<String>::new());
    course
}

fn share(told: Told) -> f64 {
    f64::from(u32::try_from(told.right).unwrap()) / f64::from(u32::try_from(told.payments).unwrap())
}

#[test]
fn a_sale_is_drained_at_the_providers_rate_and_never_above_it() {
    let course = ours(Trouble::NONE);
    assert_eq!((course.payments, course.succeeded), (60_000, 60_000));
    assert_eq!(course.calls, 60_000, "each is called once");
    // The gate is one item: a write a batch, and one more where the batch's time was up.
    assert!(course.gate_updates < 2 * course.calls, "{} updates", course.gate_updates);
    println!("{} updates and {} reads of the gate", course.gate_updates, course.gate_reads);

    // Neither lane starves, and nobody waits for the whale but the whale.
    assert!(course.high.p99_ms < 10_000, "{:?}", course.high.p99_ms);
    assert!(course.standard.payments > 0 && course.standard.p99_ms < 1_200_000);
    assert!(course.waits_of(Size::Small).worst_p99_ms < 10_000);
    assert!(course.waits_of(Size::Whale).all.p50_ms > 300_000, "the whale's backlog is the whale's");

    // What was told came true: within 20 % or 10 s, of each size of merchants' nine in ten (`target::missed`) and of the urgent.
    assert!(share(course.told_high) > 0.99, "{:?}", course.told_high);
}

#[test]
fn a_provider_that_fails_half_of_the_burst_loses_no_payment() {
    let course = ours(Trouble::HALF);
    assert_eq!((course.parked, course.failed, course.dead_letters), (0, 0, 0));
    assert!(course.attempts >= course.payments);
    // Nor does the ramp after it fill the queue: what finds no slot is kept.
    let most = u64::try_from(course.most_in_flight).unwrap();
    assert!(most < small(Trouble::HALF).scale.of(120_000) / 2, "{most} in flight");
}

#[test]
fn ten_minutes_of_brownout_in_the_backlog_park_nothing_and_fill_no_queue() {
    let settings = small(Trouble::BROWNOUT);
    let course = ours(Trouble::BROWNOUT);
    assert_eq!((course.parked, course.failed, course.dead_letters), (0, 0, 0));
    // Only calls that were made before the breaker opened, and probes, may have used an attempt.
    assert!(course.attempts <= course.payments + course.payments / 100, "{} attempts", course.attempts);
    let in_flight_max = settings.scale.of(120_000);
    let most = u64::try_from(course.most_in_flight).unwrap();
    assert!(most < in_flight_max / 2, "{most} of {in_flight_max} in flight");
    // Not much more than the brownout is lost: the longest wait for the probe that is answered, a minute, and half of the ramp,
    // which gives a tenth of the rate back every 15 s.
    let brownout_ms = settings.trouble.until_ms - settings.trouble.from_ms;
    let lost_ms = course.drain_ms - course.ideal_drain_ms;
    assert!(lost_ms < brownout_ms + 60_000 + 75_000, "{lost_ms} ms lost to {brownout_ms}");
}

/// Stray 429s left 4 % of the rate to a brake that each of them pulled.
#[test]
fn stray_429s_cost_the_sale_next_to_nothing() {
    for stray in [0.005, 0.01, 0.02] {
        let course = ours(Trouble::stray(stray));
        println!("{stray}: {:.4} used, {:.4} of the ideal", course.share_used, course.drain_over_ideal());
        assert!(course.refused > 0 && course.succeeded == course.payments);
    }
}

/// It says so to nobody. That it is sent all of its rate again when it takes it is `domain::brake`'s.
#[test]
fn a_provider_that_halves_its_limit_is_over_it_for_two_seconds_at_most() {
    // Batches of ten, which `target::OVER_THE_LIMIT_BATCH` asks for.
    let scale = Scale::one_to(20).expect("a scale");
    for (stray, used_at_least) in [(0.0, 0.46), (0.01, 0.43)] {
        let trouble = Trouble { from_ms: 60_000, until_ms: 200_000, stray, ..Trouble::HALVED };
        let settings = Settings { trouble, sale_ms: 20_000, ..Settings::new(1, scale) };
        let course = play(&settings, Way::Ours);
        let used = |from_ms: u64, until_ms: u64| {
            let window = |ms: u64| usize::try_from(ms / course.window_ms).unwrap();
            let windows = &course.calls_a_window[window(from_ms)..window(until_ms)];
            let calls: u64 = windows.iter().sum();
            f64::from(u32::try_from(calls * 1_000).unwrap())
                / f64::from(u32::try_from((until_ms - from_ms) * course.rate).unwrap())
        };
        let less = used(trouble.from_ms + 10_000, trouble.until_ms);
        println!(
            "{less:.3} of the rate while it took half, {} answered 429, most {} of {}",
            course.refused,
            course.most_while_less,
            course.rate / 2
        );
        assert_eq!(target::missed(&settings, &course), Vec::<String>::new());
        assert!((used_at_least..0.5).contains(&less), "{less}");
        assert_eq!(course.succeeded, course.payments);
    }
}

#[test]
fn twice_the_environments_send_no_faster_and_drain_no_later() {
    let settings = small(Trouble::NONE).with_environments(264);
    let course = play(&settings, Way::Ours);
    assert_eq!(target::missed(&settings, &course), Vec::<String>::new());
}

#[test]
fn a_merchant_with_a_quota_of_its_own_keeps_and_uses_it_and_the_others_have_the_rest() {
    for quota_per_second in [500, 1_000, 2_500] {
        let settings = Settings { quota_per_second: Some(quota_per_second), ..small(Trouble::NONE) };
        let course = play(&settings, Way::Ours);
        assert_eq!(target::missed(&settings, &course), Vec::<String>::new(), "{quota_per_second}");
        let quota = course.quota.expect("the whale has a deployment of its own");
        assert_eq!(
            (quota.per_second, quota.calls),
            (u64::from(quota_per_second) / 100, course.waits_of(Size::Whale).all.payments)
        );
        assert_eq!(course.succeeded, course.payments);
    }
}

#[test]
fn whichever_lane_has_payments_has_all_of_the_rate() {
    for high_permille in [0, 500, 1_000] {
        let scale = Scale::one_to(20).expect("a scale");
        let settings = Settings { high_permille, sale_ms: 10_000, ..Settings::new(1, scale) };
        let course = play(&settings, Way::Ours);
        // Of the 99 % that the margin leaves, within 2 %.
        assert!(course.share_used > 0.99 * 0.98, "{high_permille}: {}", course.share_used);
        assert!(course.most_in_a_second <= course.rate);
        assert_eq!(course.succeeded, course.payments);
    }
}

/// What `cargo dev plan` says with `--max-in-flight 3000` for this provider, whose answers take half a second.
#[test]
fn a_provider_that_takes_few_calls_side_by_side_is_sent_as_many_a_second_as_the_plan_says() {
    let demand = Demand {
        rate_per_second: NonZeroU32::new(5_000).unwrap(),
        latency_ms: 550,
        tail_ms: 2_000,
        peak_per_second: NonZeroU32::new(100_000).unwrap(),
        sale_ms: 60_000,
        payments_per_month: 6_000_000,
        absence_bound_ms: None,
        calls_max: NonZeroU32::new(3_000),
    };
    let plan = Plan::of(&demand).unwrap();
    let said = plan.bounded_by_calls().expect("they are too few for the rate");
    let settings = Settings {
        batch: plan.batch,
        calls_each: plan.calls_each(),
        sale_ms: 10_000,
        high: plan.high,
        standard: plan.standard,
        ..Settings::new(1, Scale::TENTH)
    };
    let course = play(&settings, Way::Ours);
    let sent = course.share_used * 5_000.0;
    let said = f64::from(u32::try_from(said).unwrap()) / 1_000.0;
    assert!((said * 0.95..said * 1.2).contains(&sent), "{sent} a second, and the plan says {said}");
    assert!(course.most_at_once <= settings.scale.of(3_000), "{} at once", course.most_at_once);
    assert_eq!((course.succeeded, course.dead_letters), (course.payments, 0));
}

#[test]
fn the_usual_ways_lose_payments_in_the_same_sale() {
    let settings = small(Trouble::NONE);
    let direct = play(&settings, Way::Direct);
    assert!(direct.success() < 0.5 && direct.charged_unknown > 0 && direct.double_charged > 0);
    assert!(direct.most_in_a_second > 10 * direct.rate);
    for reserved in [100, 1_000] {
        let recipe = play(&settings, Way::Recipe { reserved });
        assert!(recipe.dead_uncharged > 0, "dead letters of payments that nothing was wrong with");
        let is_slow = recipe.drain_over_ideal() > 2.0;
        let is_over = recipe.most_in_a_second > recipe.rate;
        assert!(is_slow || is_over, "a fixed number of environments is no rate");
        assert!(!target::missed(&settings, &recipe).is_empty());
    }
}

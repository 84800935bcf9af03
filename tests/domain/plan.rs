//! A plan keeps the rules that a template is held to, grows with what is asked of it, and counts as Little's law does;
//! and each rule finds a number that is one off.

use std::num::NonZeroU32;

use payments::payment::OPEN_SHARDS;
use plan::cost::{self, Item, Traffic, WRITE_UNITS_PER_PAYMENT};
use plan::deployment::{Deployment, FunctionName, Number, QueueName, Warm};
use plan::flow::Flow;
use plan::formula::{looks_until, slot_room_ms};
use plan::price::{Dollars, US_EAST_1};
use plan::rules::{breaches, left_to_dynamodb};
use plan::{Demand, Infeasible, Plan, quota, standing};
use proptest::prelude::*;

use super::cases;

fn rate(rate: u32) -> NonZeroU32 {
    NonZeroU32::new(rate).unwrap()
}

/// A flash sale: 100,000 payments a second for a minute, to a provider that takes 5,000 and answers in 0.2–2 s.
pub(crate) fn flash_sale() -> Demand {
    Demand {
        rate_per_second: rate(5_000),
        latency_ms: 200,
        tail_ms: 2_000,
        peak_per_second: rate(100_000),
        sale_ms: 60_000,
        payments_per_month: 6_000_000,
        absence_bound_ms: Some(900_000),
        calls_max: None,
    }
}

/// A card network behind a bank, and a small bank.
pub(crate) fn three_providers() -> [Demand; 3] {
    let slow = Demand {
        rate_per_second: rate(100),
        latency_ms: 2_000,
        tail_ms: 10_000,
        peak_per_second: rate(2_000),
        ..flash_sale()
    };
    let small = Demand {
        rate_per_second: rate(20),
        latency_ms: 1_000,
        tail_ms: 10_000,
        peak_per_second: rate(20),
        payments_per_month: 1_200,
        ..flash_sale()
    };
    [flash_sale(), slow, small]
}

pub(crate) fn demands() -> impl Strategy<Value = Demand> {
    let rates = (prop_oneof![1_u32..50, 50_u32..2_000, 2_000_u32..20_000], 1_u32..100_000);
    let times = (1_u64..5_000, 0_u64..40_000, 1_000_u64..3_600_000);
    let rest = (1_u64..100_000_000, proptest::option::of(60_000_u64..3_000_000_000));
    (rates, times, rest).prop_map(|((rate_per_second, peak), (latency_ms, more_ms, sale_ms), (month, absence))| {
        Demand {
            rate_per_second: rate(rate_per_second),
            latency_ms,
            tail_ms: latency_ms + more_ms,
            peak_per_second: rate(peak),
            sale_ms,
            payments_per_month: month,
            absence_bound_ms: absence.filter(|_| month % 5 > 0),
            // Not a draw of its own: others' seeds stay what they are.
            calls_max: NonZeroU32::new(peak * 7 % 20_000).filter(|_| month % 3 == 0),
        }
    })
}

/// A plan, unless there is none because the calls would not fit into SQS's in-flight limit.
fn feasible(demand: &Demand) -> Option<Plan> {
    match Plan::of(demand) {
        Ok(plan) => Some(plan),
        Err(Infeasible::InFlight { calls, in_lane }) => {
            assert!(in_lane >= quota::IN_FLIGHT_MAX && in_lane >= calls, "{calls} calls, {in_lane} in a lane");
            None
        }
        Err(Infeasible::CallsMax { calls_max, least }) => {
            assert!(calls_max < least && demand.calls_max.is_some());
            None
        }
        Err(other) => panic!("{demand:?}: {other}"),
    }
}

fn dollars(plan: &Plan, wanted: Item) -> Dollars {
    let lines = cost::running(plan, &US_EAST_1, Traffic::Sale, plan.demand.payments_per_month);
    lines.into_iter().find(|(item, _)| *item == wanted).unwrap().1
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_plan_keeps_its_own_rules(demand in demands()) {
        if let Some(plan) = feasible(&demand) {
            // A bound of weeks takes more looks than SQS counts and `dead_letter` puts back: that much is said, once a lane.
            let found = breaches(&plan.deployment());
            let by_absence = found.iter().all(|breach| matches!(breach.at, Number::Receives(QueueName::High | QueueName::Standard)));
            let looks = demand.absence_bound_ms.map_or(0, |bound| looks_until(bound + 600_000, 1_000, 60_000));
            prop_assert!(by_absence && found.is_empty() == (looks <= 21 * plan.receives_max), "{:?}", found);
        }
    }

    #[test]
    fn what_is_in_hand_is_what_littles_law_asks_for(demand in demands()) {
        // A provider that takes fewer calls side by side is the other bound.
        let demand = Demand { calls_max: None, ..demand };
        if let Some(plan) = feasible(&demand) {
            let rate = u64::from(demand.rate_per_second.get());
            // The rate times how long the slowest ordinary call is held.
            prop_assert!(plan.in_hand() * 1_000 >= rate * demand.tail_ms, "{:?}", plan);
            // With a lane's in hand, an invocation takes what that is over the pace: to a millisecond, or one call's time.
            let calls_per_second = plan.pace_per_1000_seconds();
            let (held, took_ms) = (plan.standard * plan.batch * 1_000_000, plan.invocation_ms());
            prop_assert!(took_ms * calls_per_second >= held);
            prop_assert!((took_ms - 1) * calls_per_second < held || took_ms == demand.tail_ms + 200, "{:?}", plan);
            // And each of them finds a slot before its invocation has to end.
            let deployment = plan.deployment();
            let room_ms = slot_room_ms(plan.timeout_seconds, deployment.times.lease_ms, deployment.times.claim_lead_ms);
            prop_assert!(plan.in_hand() * 1_000_000 <= room_ms * calls_per_second);
            prop_assert!(plan.call_timeout_ms >= demand.tail_ms);
        }
    }

    #[test]
    fn a_faster_provider_or_a_slower_answer_never_asks_for_less(demand in demands(), more in 1_u32..5_000, more_ms in 1_u64..20_000) {
        let Some(plan) = feasible(&demand) else { return Ok(()) };
        let faster = Demand { rate_per_second: rate(demand.rate_per_second.get() + more), ..demand };
        if let Some(faster) = feasible(&faster) {
            // Where few fit side by side, the batch is what keeps those busy, and more a second are not to be had.
            let few = demand.calls_max.is_some();
            prop_assert!(few || faster.in_hand() >= plan.in_hand());
            prop_assert!(few || faster.flow().drain_ms() <= plan.flow().drain_ms());
            prop_assert!(faster.table_write_units() > plan.table_write_units());
            prop_assert!(faster.heals_per_sweep >= plan.heals_per_sweep);
            prop_assert!(few || [50, 90, 99, 100].iter().all(|p| faster.flow().wait_ms(*p) <= plan.flow().wait_ms(*p)) || faster.window_seconds > plan.window_seconds);
        }
        if let Some(slower) = feasible(&Demand { tail_ms: demand.tail_ms + more_ms, ..demand }) {
            let few = demand.calls_max.is_some();
            prop_assert!(few || slower.in_hand() >= plan.in_hand());
            prop_assert!(few || slower.timeout_seconds >= plan.timeout_seconds && slower.visibility_seconds >= plan.visibility_seconds);
        }
    }

    #[test]
    fn a_larger_sale_never_asks_for_less(demand in demands(), more in 1_u32..50_000, longer_ms in 1_u64..100_000) {
        let Some(plan) = feasible(&demand) else { return Ok(()) };
        let larger = Demand { peak_per_second: rate(demand.peak_per_second.get() + more), sale_ms: demand.sale_ms + longer_ms, ..demand };
        let larger = feasible(&larger).unwrap();
        prop_assert!(larger.ingest >= plan.ingest && larger.growth().seconds >= plan.growth().seconds);
        // Shards and warm throughput go up in steps, a partition more or less at a time.
        prop_assert!(2 * larger.index_shards() >= plan.index_shards() && larger.index_write_units() > plan.index_write_units());
        prop_assert!(larger.flow().drain_ms() >= plan.flow().drain_ms());
        prop_assert!([50, 90, 99, 100].iter().all(|p| larger.flow().wait_ms(*p) >= plan.flow().wait_ms(*p)));
        let raised = larger.quotas_to_raise();
        let mut needed = plan.quotas_to_raise().into_iter().filter(|(quota, _)| *quota != quota::Quota::IndexWrites);
        prop_assert!(needed.all(|(quota, needed)| raised.iter().any(|(other, more)| *other == quota && *more >= needed)));
        // Each quota that is named is above its default, and each that is not is enough.
        prop_assert!(raised.iter().all(|(quota, needed)| *needed > quota.by_default()));
        prop_assert_eq!(raised.iter().any(|(quota, _)| *quota == quota::Quota::Concurrency), larger.account_concurrency() > 1_000);
    }

    #[test]
    fn all_that_came_has_gone_when_the_drain_is_over_and_not_before(
        peak in 1_u64..100_000, sale_ms in 1_000_u64..3_600_000, pace in 990_u64..20_000_000,
    ) {
        let flow = Flow { peak_per_second: peak, sale_ms, pace_per_1000_seconds: pace, service_ms: 400, slow_service_ms: 3_000 };
        let gone_by = |ms: u64| pace * ms / 1_000_000;
        let drained_ms = flow.drain_ms();
        if drained_ms == 0 {
            prop_assert!(gone_by(sale_ms) >= flow.payments());
        } else {
            // One payment more or less: what has gone is rounded down twice.
            prop_assert!(gone_by(sale_ms + drained_ms) + 1 >= flow.payments());
            prop_assert!(gone_by(sale_ms + drained_ms - 1) <= flow.payments());
        }
        let waits: Vec<u64> = (0..=100).map(|percentile| flow.wait_ms(percentile)).collect();
        prop_assert!(waits.is_sorted());
        prop_assert_eq!((waits[0], waits[100]), (400, drained_ms + 3_000));
    }

    #[test]
    fn a_longer_proof_takes_more_looks_and_none_is_longer_than_the_cap(proof in 0_u64..10_000_000, more in 0_u64..1_000_000, base in 1_u64..10_000, cap in 10_000_u64..600_000) {
        let looks = looks_until(proof, base, cap);
        prop_assert!(looks_until(proof + more, base, cap) >= looks);
        // At half the cap a look on average, there are no fewer than that; and the ramp's doublings are few.
        prop_assert!(looks >= proof.div_ceil((cap / 2).max(1)));
        prop_assert!(looks <= proof.div_ceil((cap / 2).max(1)) + 20);
    }

    #[test]
    fn twice_the_payments_cost_twice_as_much_to_keep_and_to_forget(payments in 1_u64..100_000_000) {
        for kept in [cost::stored, cost::forgetting, cost::kept] {
            let (one, two) = (kept(&US_EAST_1, payments).cents(), kept(&US_EAST_1, 2 * payments).cents());
            prop_assert!(two <= 2 * one && two + 2 >= 2 * one, "{} and {}", one, two);
        }
    }

    #[test]
    fn twice_the_payments_cost_twice_as_much_to_the_cent(demand in demands()) {
        let Some(plan) = feasible(&demand) else { return Ok(()) };
        let twice = Plan { demand: Demand { payments_per_month: 2 * demand.payments_per_month, ..demand }, ..plan };
        for item in Item::ALL {
            let (one, two) = (dollars(&plan, item).cents(), dollars(&twice, item).cents());
            let batch = if matches!(item, Item::Compute | Item::Admission) { dollars(&Plan { demand: Demand { payments_per_month: 1, ..demand }, ..plan }, item).cents() } else { 0 };
            prop_assert!(two <= 2 * one && two + 2 + batch >= 2 * one, "{:?}: {} and {}", item, one, two);
        }
    }
}

#[test]
fn three_providers_each_get_what_fits_them() {
    for demand in three_providers() {
        let plan = Plan::of(&demand).unwrap();
        assert_eq!(breaches(&plan.deployment()), [], "{demand:?}");
        let rate = u64::from(demand.rate_per_second.get());
        // A minute's payments, at most, stand in consumers' hands, and the lanes have all that is reserved.
        assert!(plan.in_hand() <= rate * 60 && plan.reserved() == plan.high + plan.standard, "{plan:?}");
        // The pace is 1 % under the rate.
        assert_eq!(plan.pace_per_1000_seconds(), rate * 990);
        assert!(plan.shards_suffice() && plan.index_shards() <= u64::from(OPEN_SHARDS));
        assert!(plan.index_spread(plan.index_warm_throughput().unwrap_or(4_000)).risk_per_million() <= 1_000);
        // Ten requests a second each, a thousand environments at once and a thousand more every ten seconds.
        assert_eq!(plan.growth().refused > 0, plan.ingest > 1_000);
        // The whole rate flows: at the slowest ordinary answer the consumers can make more calls than there are slots.
        let calls_per_1000_seconds = plan.in_hand() * 1_000_000 / (demand.tail_ms + 1_200);
        assert!(calls_per_1000_seconds >= plan.pace_per_1000_seconds(), "{plan:?}");
    }
    let [sale, slow, small] = three_providers().map(|demand| Plan::of(&demand).unwrap());
    assert!(small.quotas_to_raise().is_empty() && slow.quotas_to_raise().is_empty());
    assert_eq!(sale.quotas_to_raise().len(), 4);
    assert_eq!((small.table_warm_throughput(), small.index_warm_throughput()), (None, None));
    assert_eq!((sale.table_warm_throughput(), sale.index_warm_throughput()), (Some(110_000), Some(420_000)));
    // Who comes no faster than the provider takes waits for nothing but the line's end.
    assert!(small.flow().drain_ms() < 1_000 && small.flow().wait_ms(50) < 4_000);
}

#[test]
fn the_flash_sale_drains_within_1_5_percent_of_the_ideal() {
    let plan = Plan::of(&flash_sale()).unwrap();
    // (100,000 − 5,000) × 60 s ÷ 5,000.
    let ideal_ms = 1_140_000;
    let drain_ms = plan.flow().drain_ms();
    assert!(drain_ms > ideal_ms && drain_ms * 1_000 <= ideal_ms * 1_015, "{drain_ms} ms");
}

#[test]
fn a_million_payments_write_five_units_each_and_two_more_a_batch() {
    let plan = Plan::of(&Demand { payments_per_month: 1_000_000, ..flash_sale() }).unwrap();
    let units = 1_000_000 * WRITE_UNITS_PER_PAYMENT + 2 * 1_000_000 / plan.batch;
    assert_eq!(dollars(&plan, Item::Writes), US_EAST_1.write_units_million.times(units).divided_by(1_000_000));
    assert_eq!(dollars(&plan, Item::Writes).to_string(), "3.14");
    assert_eq!(dollars(&plan, Item::Api).to_string(), "1.00");
    assert_eq!(dollars(&plan, Item::Queue).to_string(), "0.48");
    assert_eq!(dollars(&plan, Item::Invocations).to_string(), "0.21");
}

#[test]
fn the_less_comes_at_once_the_more_a_payment_costs() {
    let plan = Plan::of(&flash_sale()).unwrap();
    let lines = Traffic::ALL.map(|traffic| cost::running(&plan, &US_EAST_1, traffic, 1_000_000));
    let sums = lines.each_ref().map(|lines| lines.iter().map(|(_, dollars)| *dollars).sum::<Dollars>());
    assert!(sums.is_sorted(), "{sums:?}");
    assert_eq!(Traffic::ALL.map(|traffic| traffic.batch(&plan)), [200, 40, 4, 1]);
    // A batch of one is a receive, a delete, an invocation, a slot and Lambda's own lines for each payment.
    let [.., single] = &lines;
    let of = |wanted: Item| single.iter().find(|(item, _)| *item == wanted).unwrap().1.to_string();
    assert_eq!([Item::Queue, Item::Invocations, Item::Writes].map(of), ["1.20", "0.40", "3.75"]);
    // Every line is in every sum, once.
    assert!(lines.iter().all(|lines| lines.iter().map(|(item, _)| *item).eq(Item::ALL)));
}

#[test]
fn what_stands_is_the_sum_of_what_is_listed() {
    let lines = standing::month(&US_EAST_1);
    assert!(lines.iter().map(|(item, _)| *item).eq(standing::Item::ALL) && lines.iter().all(|(_, it)| it.cents() > 0));
    let sweeps = lines.iter().find(|(item, _)| *item == standing::Item::SweepReads).unwrap().1;
    // 43,200 times half a unit for each of 2,048 shards, and for the parts of the table.
    let half_units = 43_200 * standing::sweep_looks();
    assert_eq!(sweeps, US_EAST_1.read_units_million.times(half_units.div_ceil(2)).divided_by(1_000_000));
    assert!((553..600).contains(&sweeps.cents()), "{sweeps}");
}

#[test]
fn a_sale_that_begins_at_once_waits_for_lambda_to_grow() {
    // 10,000 environments: 1,000 at once and 1,000 more every ten seconds, each for ten requests a second of 100,000.
    let growth = Plan::of(&flash_sale()).unwrap().growth();
    assert_eq!((growth.seconds, growth.refused), (90, (90 + 80 + 70 + 60 + 50 + 40) * 1_000 * 10));
    let longer = Plan::of(&Demand { sale_ms: 600_000, ..flash_sale() }).unwrap().growth();
    assert_eq!((longer.seconds, longer.refused), (90, 45 * 10_000 * 10));
    assert_eq!(Plan::of(&flash_sale()).unwrap().log_streams_seconds(), 203);
}

#[test]
fn a_rate_that_no_queue_can_hold_has_no_plan() {
    let demand = Demand { rate_per_second: rate(100_000), ..flash_sale() };
    assert_eq!(Plan::of(&demand), Err(Infeasible::InFlight { calls: 264_000, in_lane: 264_000 }));
    let demand = Demand { rate_per_second: rate(1), tail_ms: 450_000, ..flash_sale() };
    assert!(matches!(Plan::of(&demand), Err(Infeasible::Timeout { .. })));
}

type Change = fn(&mut Deployment);

/// One number of a right deployment put wrong, and the number that a person is sent to.
const WRONG: [(Number, Change); 28] = [
    (Number::Visibility(QueueName::High), |it| queue(it, QueueName::High).visibility_seconds -= 1),
    (Number::Visibility(QueueName::DeadLetter), |it| queue(it, QueueName::DeadLetter).visibility_seconds -= 1),
    (Number::Visibility(QueueName::Standard), |it| queue(it, QueueName::Standard).visibility_seconds = 43_201),
    (Number::Retention(QueueName::DeadLetter), |it| queue(it, QueueName::DeadLetter).retention_seconds -= 1),
    (Number::Retention(QueueName::Parked), |it| queue(it, QueueName::Parked).retention_seconds -= 1),
    (Number::Receives(QueueName::Standard), |it| receives(it, QueueName::Standard, 59)),
    (Number::Receives(QueueName::Standard), |it| receives(it, QueueName::Standard, 1_001)),
    (Number::Receives(QueueName::DeadLetter), |it| receives(it, QueueName::DeadLetter, 79)),
    (Number::Batch(QueueName::DeadLetter), |it| mapping(it, QueueName::DeadLetter).batch = 0),
    (Number::Window(QueueName::High), |it| mapping(it, QueueName::High).window_seconds = 0),
    (Number::Window(QueueName::DeadLetter), |it| mapping(it, QueueName::DeadLetter).batch = 11),
    (Number::Concurrency(QueueName::High), |it| mapping(it, QueueName::High).concurrency = Some(1)),
    (Number::Concurrency(QueueName::DeadLetter), |it| mapping(it, QueueName::DeadLetter).concurrency = None),
    (Number::ResponseTypes(QueueName::Standard), |it| mapping(it, QueueName::Standard).fails_in_part = false),
    (Number::Reserved(FunctionName::Consumer), |it| mapping(it, QueueName::High).concurrency = Some(67)),
    (Number::Reserved(FunctionName::DeadLetter), |it| function(it, FunctionName::DeadLetter).reserved = None),
    (Number::RecursiveLoop, |it| it.loop_is_allowed = false),
    (Number::Rate, |it| it.rates.provider_per_second = Some(4_999)),
    (Number::Margin, |it| it.rates.margin_ms = 0),
    (Number::PendingBackoff, |it| it.times.pending_backoff_cap_ms = 400_000),
    (Number::LogRetention, |it| it.evidence.log_days = Some(399)),
    (Number::HealsPerSweep, |it| it.rates.heals_per_sweep = 3_001),
    (Number::ApiRate, |it| {
        it.rates.api_per_second += 1;
        it.rates.api_burst += 1;
        it.warm = Warm { table: 110_001, index: 420_004 };
    }),
    (Number::ApiBurst, |it| it.rates.api_burst -= 1),
    (Number::TableWarm, |it| it.warm.table -= 1),
    (Number::TableWarm, |it| it.warm.table = 1),
    (Number::IndexWarm, |it| it.warm.index = 315_000),
    (Number::MaxInFlight, |it| it.rates.calls_max = Some(26_399)),
];

fn queue(deployment: &mut Deployment, name: QueueName) -> &mut plan::deployment::Queue {
    deployment.queues.get_mut(&name).unwrap()
}

fn mapping(deployment: &mut Deployment, name: QueueName) -> &mut plan::deployment::Mapping {
    deployment.mappings.get_mut(&name).unwrap()
}

fn function(deployment: &mut Deployment, name: FunctionName) -> &mut plan::deployment::Function {
    deployment.functions.get_mut(&name).unwrap()
}

fn receives(deployment: &mut Deployment, name: QueueName, receives_max: u64) {
    queue(deployment, name).redrive.as_mut().unwrap().receives_max = receives_max;
}

#[test]
fn each_rule_finds_a_number_that_is_one_off_and_nothing_else() {
    let right = Plan::of(&flash_sale()).unwrap().deployment();
    for (at, change) in WRONG {
        let mut wrong = right.clone();
        change(&mut wrong);
        let found = breaches(&wrong);
        // Two lanes may each have something to say about what they share.
        assert!(!found.is_empty() && found.iter().all(|breach| breach.at == at), "{at:?}: {found:#?}");
    }
}

/// Nothing has to be bought; what a sale then needs is said.
#[test]
fn what_is_left_to_dynamodb_is_no_breach_and_is_named() {
    let mut deployment = Plan::of(&flash_sale()).unwrap().deployment();
    assert_eq!(left_to_dynamodb(&deployment), []);
    deployment.warm = Warm { table: 0, index: 0 };
    assert_eq!(breaches(&deployment), []);
    let left: Vec<Number> = left_to_dynamodb(&deployment).into_iter().map(|left| left.at).collect();
    assert_eq!(left, [Number::TableWarm, Number::IndexWarm]);
}

#[test]
fn calls_and_batches_fit_into_an_invocation_and_a_queue() {
    let right = Plan::of(&flash_sale()).unwrap().deployment();
    let at = |change: &dyn Fn(&mut Deployment)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        breaches(&wrong).into_iter().map(|breach| breach.at).collect::<Vec<_>>()
    };
    // A lease of 21 s and as much again for its batch's others.
    let short = at(&|it| function(it, FunctionName::Consumer).timeout_seconds = 42);
    assert_eq!(short, [Number::Timeout(FunctionName::Consumer)]);
    assert_eq!(at(&|it| function(it, FunctionName::Consumer).timeout_seconds = 43), []);
    // 132 batches of 200 in the 38.3 s in which a call can begin are 689.3 calls a second, at a pace 1 % below the rate.
    let slow = |rate: u32| {
        move |it: &mut Deployment| {
            it.rates.gate_per_second = Some(rate);
            it.rates.heals_per_sweep = 1;
        }
    };
    assert_eq!(at(&slow(696)), [Number::Batch(QueueName::Standard)]);
    assert_eq!(at(&slow(697)), []);
    // 66 batches of 1,819 are more than the 120,000 that a queue delivers.
    let full = at(&|it| mapping(it, QueueName::Standard).batch = 1_819);
    assert_eq!(full, [Number::Batch(QueueName::Standard)]);
    assert_eq!(at(&|it| mapping(it, QueueName::Standard).batch = 1_818), []);
    // One gate item takes 1,000 updates a second.
    let single = |it: &mut Deployment| {
        mapping(it, QueueName::High).batch = 1;
        mapping(it, QueueName::Standard).batch = 1;
    };
    assert_eq!(at(&single), [Number::Batch(QueueName::Standard)]);
}

#[test]
fn calls_side_by_side_stay_within_what_the_provider_takes_and_too_few_are_said() {
    let limited = |most| Plan::of(&Demand { calls_max: NonZeroU32::new(most), ..flash_sale() });
    let plan = limited(26_400).unwrap();
    assert_eq!((plan.reserved(), plan.calls_each(), plan.batch, plan.bounded_by_calls()), (132, 200, 200, None));
    // 50 at a time of a batch of 1,000: each has its place for 200 ms and is claimed 200 ms before, a third more is waited
    // for others, and the last takes 2 s. Of ten environments seven are the standard lane's.
    let few = limited(500).unwrap();
    assert_eq!((few.calls_each(), few.reserved(), few.standard, few.batch), (50, 10, 7, 1_000));
    let said = 7 * 1_000 * 1_000_000 / (1_000 * 534 / 50 + 1_800);
    assert_eq!(few.bounded_by_calls(), Some(said));
    // That is what it drains at, and what is told of it.
    assert_eq!(few.flow().drain_ms(), ((6_000_000 - 60 * said / 1_000) * 1_000_000).div_ceil(said));
    // With more at once the least batch that keeps them busy is enough.
    let enough = limited(6_000).unwrap();
    assert_eq!((enough.calls_each(), enough.reserved(), enough.batch), (50, 120, 400));
    assert_eq!(enough.bounded_by_calls(), None);
    assert!(matches!(limited(3), Err(Infeasible::CallsMax { calls_max: 3, least: 4 })));
    assert_eq!(Plan::of(&flash_sale()).unwrap().bounded_by_calls(), None);
}

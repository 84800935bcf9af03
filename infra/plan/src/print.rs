//! A plan on paper.

use std::fmt::Write as _;

use crate::cost::{self, Item, Traffic};
use crate::price::{Dollars, US_EAST_1};
use crate::{Plan, REFUSED_AFTER_MS, quota, standing};
use payments::payment::OPEN_SHARDS;

/// A million payments, for comparison.
const MILLION: u64 = 1_000_000;

/// The whole plan as a person reads it.
pub fn sheet(plan: &Plan, key_window_ms: Option<u64>) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = write_sheet(&mut out, plan, key_window_ms);
    out
}

fn write_sheet(out: &mut String, plan: &Plan, key_window_ms: Option<u64>) -> std::fmt::Result {
    let demand = &plan.demand;
    let flow = plan.flow();
    writeln!(
        out,
        "A provider that takes {} calls a second and answers in {}, slowest ordinarily in {}; a sale of {} payments a \
         second for {}.",
        grouped(u64::from(demand.rate_per_second.get())),
        time(demand.latency_ms),
        time(demand.tail_ms),
        grouped(u64::from(demand.peak_per_second.get())),
        time(demand.sale_ms),
    )?;

    writeln!(out, "\nTo deploy")?;
    let pace = plan.pace_per_1000_seconds();
    let fraction = pace % 1_000 / 10;
    row(
        out,
        "pace",
        &format!("{}.{fraction:02} calls a second (margin {} ms)", grouped(pace / 1_000), plan.margin_ms),
    )?;
    row(out, "batch size", &plan.batch.to_string())?;
    row(out, "batching window", &format!("{} s", plan.window_seconds))?;
    row(out, "reserved concurrency", &format!("{} (consumer)", plan.reserved()))?;
    row(out, "MaximumConcurrency", &format!("{} high, {} standard", plan.high, plan.standard))?;
    row(out, "messages in hand", &grouped(plan.in_hand()))?;
    row(out, "calls side by side", &format!("{} in each of them", grouped(plan.calls_each())))?;
    if let Some(calls) = plan.bounded_by_calls() {
        let answer = time(demand.latency_ms);
        row(
            out,
            "",
            &format!(
                "TOO FEW: with answers in {answer} they are about {} calls a second; ask the provider for more, or plan with that \
                 --rate",
                grouped(calls / 1_000)
            ),
        )?;
    }
    row(out, "consumer's time-out", &format!("{} s", plan.timeout_seconds))?;
    row(out, "visibility", &format!("{} s", plan.visibility_seconds))?;
    row(out, "receive count", &plan.receives_max.to_string())?;

    writeln!(out, "\nBefore the sale")?;
    write_index(out, plan)?;
    row(out, "reserved for ingest", &grouped(plan.ingest))?;
    row(out, "API burst", &grouped(plan.api_burst()))?;
    write_growth(out, plan)?;
    let quotas = plan.quotas_to_raise();
    if quotas.is_empty() {
        row(out, "quotas to raise", "none of an account's defaults")?;
    }
    for (quota, needed) in quotas {
        let from = grouped(quota.by_default());
        row(out, "quota to raise", &format!("{}: from {from} to {}", quota.title(), grouped(needed)))?;
    }

    writeln!(out, "\nThe sale")?;
    row(out, "payments", &grouped(flow.payments()))?;
    row(out, "waiting at its end", &grouped(flow.backlog()))?;
    row(out, "drained", &format!("{} after its end", time(flow.drain_ms())))?;
    for percentile in [50, 90, 99, 100] {
        row(out, &format!("wait, p{percentile}"), &time(flow.wait_ms(percentile)))?;
    }

    write_cost(out, plan)?;

    writeln!(out, "\n# Parameters, for infra/stages/STAGE.yaml")?;
    for (name, value) in parameters(plan) {
        writeln!(out, "{name}: {value}")?;
    }
    for (name, given) in [("AbsenceBoundMs", demand.absence_bound_ms), ("KeyWindowMs", key_window_ms)] {
        match given {
            Some(ms) => writeln!(out, "{name}: {ms}")?,
            None => writeln!(out, "{name}: # only the provider can say it")?,
        }
    }
    Ok(())
}

/// What DynamoDB has to be warm for, and what becomes of a sale for which it is not.
fn write_index(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let units = |written: u64, warm: Option<u64>| {
        let written = grouped(written);
        warm.map_or_else(
            || format!("{written} write units a second: a new one's is enough"),
            |warm| format!("{} write units a second, for {written} that are written", grouped(warm)),
        )
    };
    let (table, index) = (plan.table_warm_throughput(), plan.index_warm_throughput());
    row(out, "warm throughput, table", &units(plan.table_write_units(), table))?;
    row(out, "warm throughput, index", &units(plan.index_write_units(), index))?;
    let shards = grouped(plan.index_shards());
    let had = if plan.shards_suffice() { "the code has" } else { "TOO FEW: raise OPEN_SHARDS, the code has" };
    row(out, "index shards", &format!("{shards} ({had} {})", grouped(u64::from(OPEN_SHARDS))))?;
    let Some(warm) = index else { return Ok(()) };
    let risk = plan.index_spread(warm).risk_per_million();
    row(out, "a partition above 1,000 units", &format!("in at most {} of a million such indexes", grouped(risk)))?;
    let bare = plan.bare_index();
    row(
        out,
        "warm for what is written alone",
        &format!(
            "{}.{:02} % of the index's writes above a partition's units",
            bare.over_per_million / 10_000,
            bare.over_per_million / 100 % 100
        ),
    )?;
    row(
        out,
        "",
        &format!(
            "each is tried for {} and then refused with 503: {} of the sale's payments, for ${} more, and {} of \
             ingest's environments busy with them",
            time(REFUSED_AFTER_MS),
            grouped(bare.refused),
            cost::refused(bare.refused, &US_EAST_1),
            grouped(bare.environments)
        ),
    )
}

/// What a million payments cost by how they come, what the asked month costs, and what is billed without a payment.
fn write_cost(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let prices = &US_EAST_1;
    writeln!(
        out,
        "\nA million payments, in US dollars ({}, prices of {}, no free tier), by how they come",
        prices.region, prices.read_on
    )?;
    let columns = Traffic::ALL.map(|traffic| cost::running(plan, prices, traffic, MILLION));
    let heads = Traffic::ALL.map(|traffic| match traffic {
        Traffic::Sale => "in a sale".to_owned(),
        Traffic::PerSecond(rate) => format!("{rate}/s"),
        Traffic::Single => "under 1/s".to_owned(),
    });
    columns_row(out, "", &heads)?;
    let batches = Traffic::ALL.map(|traffic| traffic.batch(plan).to_string());
    columns_row(out, "payments in a batch", &batches)?;
    for (nth, item) in Item::ALL.into_iter().enumerate() {
        let amounts = columns.each_ref().map(|lines| lines.get(nth).map_or_else(String::new, |(_, it)| it.to_string()));
        columns_row(out, item.title(), &amounts)?;
    }
    let sums = columns.each_ref().map(|lines| lines.iter().map(|(_, dollars)| *dollars).sum::<Dollars>());
    columns_row(out, "in all", &sums.map(|sum| sum.to_string()))?;
    let stored = cost::stored(prices, MILLION);
    row(out, "kept for a month: items, recovery, logs", &format!("{stored:>12}"))?;

    writeln!(out, "\nA month without a payment, in US dollars")?;
    let lines = standing::month(prices);
    for (item, dollars) in &lines {
        row(out, &item.title(), &format!("{dollars:>12}"))?;
    }
    let stands: Dollars = lines.iter().map(|(_, dollars)| *dollars).sum();
    row(out, "in all", &format!("{stands:>12}"))?;

    let payments = plan.demand.payments_per_month;
    let running: Dollars = cost::running(plan, prices, Traffic::Sale, payments).iter().map(|(_, it)| *it).sum();
    writeln!(out, "\nA month of {} payments that come in sales, in US dollars", grouped(payments))?;
    row(out, "taken and sent", &format!("{running:>12}"))?;
    let stored = cost::stored(prices, payments);
    row(out, "kept for a month", &format!("{stored:>12}"))?;
    let forgetting = cost::forgetting(prices, payments);
    row(out, "their details forgotten, in the end", &format!("{forgetting:>12}"))?;
    row(out, "what stands", &format!("{stands:>12}"))?;
    row(out, "in all", &format!("{:>12}", running + stored + forgetting + stands))?;
    let kept = cost::kept(prices, payments);
    row(out, "and kept for ever, for each year gone", &format!("{kept:>12}"))?;
    writeln!(
        out,
        "  Not in it: warm throughput (billed once, when it is set), merchants' own look-ups, callbacks, data sent to the \
         provider, and earlier months' payments that are still kept."
    )
}

fn columns_row(out: &mut String, name: &str, cells: &[String; 4]) -> std::fmt::Result {
    let cells = cells.iter().map(|cell| format!("{cell:>12}")).collect::<Vec<_>>().concat();
    row(out, name, &cells)
}

/// What a sale that begins at once meets before everything is warm.
fn write_growth(out: &mut String, plan: &Plan) -> std::fmt::Result {
    let growth = plan.growth();
    if growth.refused > 0 {
        row(
            out,
            "until ingest has them all",
            &format!(
                "{} s, as Lambda adds 1,000 in ten seconds: {} of the first requests are refused with 503 and repeated",
                growth.seconds,
                grouped(growth.refused)
            ),
        )?;
        row(out, "", "let a sale's doors open over that time; the template keeps none ready (decision 0028)")?;
    }
    let streams = plan.log_streams_seconds();
    if streams > 10 {
        let text = format!("{streams} s after they are made at once; until then logs, and alarms from them, are late");
        row(out, "every environment has its log stream", &text)?;
    }
    let hot = plan.hot_items();
    if hot.gate_reads_per_second > quota::PARTITION_READ_UNITS {
        let text = format!(
            "{} a second, of {} that one item gives",
            grouped(hot.gate_reads_per_second),
            grouped(quota::PARTITION_READ_UNITS)
        );
        row(out, "reads of the gate", &format!("TOO MANY: {text}; waits are not told then"))?;
    }
    if hot.bucket_updates_per_second > quota::PARTITION_WRITE_UNITS {
        let text = format!(
            "{} a second, of {} that one item takes",
            grouped(hot.bucket_updates_per_second),
            grouped(quota::PARTITION_WRITE_UNITS)
        );
        row(
            out,
            "if one merchant brings it all, its bucket",
            &format!("{text}; its rate is then held by each environment alone"),
        )?;
    }
    Ok(())
}

/// The template's parameters with this plan's values.
pub fn parameters(plan: &Plan) -> Vec<(&'static str, u64)> {
    let demand = &plan.demand;
    let peak = u64::from(demand.peak_per_second.get());
    let calls_each =
        u64::from(demand.rate_per_second.get()).saturating_mul(demand.tail_ms).div_ceil(1_000 * plan.standard.max(1));
    vec![
        ("ProviderRatePerSecond", u64::from(demand.rate_per_second.get())),
        ("RateMarginMs", u64::from(plan.margin_ms)),
        ("CallTimeoutMs", plan.call_timeout_ms),
        ("MaxInFlight", plan.calls_each()),
        ("ProviderMaxInFlight", demand.calls_max.map_or(0, |most| most.get().into())),
        ("PoolSize", calls_each.min(plan.calls_each())),
        ("BatchSize", plan.batch),
        ("BatchingWindowSeconds", plan.window_seconds),
        ("ConsumerConcurrency", plan.reserved()),
        ("HighConcurrency", plan.high),
        ("StandardConcurrency", plan.standard),
        ("ConsumerTimeoutSeconds", plan.timeout_seconds),
        ("LaneVisibilitySeconds", plan.visibility_seconds),
        ("LaneReceivesMax", plan.receives_max),
        ("DeadLetterReceivesMax", plan.dead_letter_receives_max()),
        ("MaxHealsPerSweep", plan.heals_per_sweep),
        ("BreakerFailures", plan.breaker_failures()),
        ("BreakerCallsMin", plan.batch),
        ("BreakerOpenMs", plan.breaker_open_ms()),
        ("BreakerOpenMaxMs", plan.breaker_open_max_ms()),
        ("BreakerRampStepMs", plan.breaker_open_ms()),
        ("TableWarmWriteUnits", plan.table_warm_throughput().unwrap_or(0)),
        ("IndexWarmWriteUnits", plan.index_warm_throughput().unwrap_or(0)),
        ("ApiRatePerSecond", peak),
        ("ApiBurst", plan.api_burst()),
        ("IngestConcurrency", plan.ingest),
    ]
}

fn row(out: &mut String, name: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "  {name:<46}{value}")
}

/// A time as a person says it.
fn time(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => {
            let seconds = ms.div_ceil(1_000);
            let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            let mut parts = Vec::new();
            for (count, unit) in [(hours, "h"), (minutes, "min"), (seconds, "s")] {
                if count > 0 {
                    parts.push(format!("{count} {unit}"));
                }
            }
            parts.join(" ")
        }
    }
}

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

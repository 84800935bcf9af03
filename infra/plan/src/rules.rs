//! The rules that a deployment's numbers have to keep among themselves. A plan keeps them, and a template is held to
//! them: both are the same function's business.

use super::deployment::{Deployment, Evidence, FunctionName, Mapping, Number, QueueName, Redrive, Warm};
use super::formula::{
    SWEEP_SECONDS, api_burst, dead_letter_receives_needed, gate_updates_per_second, heals_per_sweep_max, looks_until,
    pace_per_1000_seconds, receives_needed, slot_room_ms,
};
use super::{quota, spread};
use payments::payment::OPEN_SHARDS;

/// A rule that does not hold: which number to change, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The number to change.
    pub at: Number,
    /// What is wrong, the numbers, and what to set.
    pub why: String,
}

/// All rules that do not hold, in the order of a payment's way.
pub fn breaches(deployment: &Deployment) -> Vec<Breach> {
    let mut found = Breaches::default();
    rates(deployment, &mut found);
    warm(deployment, &mut found);
    for (name, mapping) in &deployment.mappings {
        of_mapping(deployment, *name, mapping, &mut found);
    }
    for name in [FunctionName::Consumer, FunctionName::DeadLetter] {
        concurrency(deployment, name, &mut found);
    }
    call(deployment, &mut found);
    for name in QueueName::ALL {
        retention(deployment, name, &mut found);
        receives(deployment, name, &mut found);
    }
    pending(deployment, &mut found);
    evidence(deployment, &mut found);
    if !deployment.loop_is_allowed {
        found.add(
            Number::RecursiveLoop,
            "dead_letter sends to the lanes whose dead letters it reads, and Lambda stops such a loop after about 16 \
             rounds: set RecursiveLoop to Allow (MaxHeals ends the loop instead)"
                .to_owned(),
        );
    }
    found.0
}

#[derive(Default)]
struct Breaches(Vec<Breach>);

impl Breaches {
    fn add(&mut self, at: Number, why: String) {
        self.0.push(Breach { at, why });
    }
}

fn rates(deployment: &Deployment, found: &mut Breaches) {
    let rates = &deployment.rates;
    if let (Some(gate), Some(provider)) = (rates.gate_per_second, rates.provider_per_second)
        && gate > provider
    {
        let why =
            format!("a gate of {gate} calls a second where the provider takes {provider}: set at most {provider}");
        found.add(Number::Rate, why);
    }
    if rates.margin_ms == 0 {
        let why = "a margin of 0 ms: a slot may be used late by the margin, so that every one would be missed and lost; \
                   set 10, which is 1 % of the rate";
        found.add(Number::Margin, why.to_owned());
    }
    if let Some(rate) = rates.gate_per_second {
        let most = heals_per_sweep_max(rate);
        if rates.heals_per_sweep > most {
            let why = format!(
                "a sweep puts back up to {} messages, over 1 % of the {rate} calls a second that the provider takes in \
                 {SWEEP_SECONDS} s: set at most {most}",
                rates.heals_per_sweep
            );
            found.add(Number::HealsPerSweep, why);
        }
    }
    let consumer = deployment.functions.get(&FunctionName::Consumer).and_then(|consumer| consumer.reserved);
    if let (Some(most), Some(reserved)) = (rates.calls_max, consumer) {
        let calls = reserved.saturating_mul(rates.calls_each);
        if calls > most {
            let why = format!(
                "{reserved} environments with {} calls side by side are {calls}, and the provider takes {most}: set at most \
                 {}, or reserve fewer",
                rates.calls_each,
                most / reserved.max(1)
            );
            found.add(Number::MaxInFlight, why);
        }
    }
    let Some(ingest) = deployment.functions.get(&FunctionName::Ingest) else { return };
    if let Some(reserved) = ingest.reserved {
        let most = reserved.saturating_mul(quota::REQUESTS_PER_CONCURRENCY);
        if rates.api_per_second > most {
            let why = format!(
                "the API lets in {} requests a second, and Lambda runs {most} on {reserved} environments (ten each): set \
                 at most {most}, or reserve {}",
                rates.api_per_second,
                rates.api_per_second.div_ceil(quota::REQUESTS_PER_CONCURRENCY)
            );
            found.add(Number::ApiRate, why);
        }
    }
    let least = api_burst(rates.api_per_second);
    if rates.api_burst < least {
        let why = format!(
            "the API lets in {} requests a second and a burst of {}, and so many are under way at once that it would answer \
             429 below its rate: set at least {least}",
            rates.api_per_second, rates.api_burst
        );
        found.add(Number::ApiBurst, why);
    }
    if ingest.timeout_seconds > quota::HTTP_API_SECONDS_MAX {
        let why = format!(
            "ingest may run for {} s, and an HTTP API hangs up after {} s: set less",
            ingest.timeout_seconds,
            quota::HTTP_API_SECONDS_MAX
        );
        found.add(Number::Timeout(FunctionName::Ingest), why);
    }
}

/// Write units a second of table and index, where as much comes as is let in and as much goes as the gate gives; `None` where
/// the gate's rate is not known.
fn written(deployment: &Deployment) -> Option<(u64, u64)> {
    let rate = deployment.rates.gate_per_second.map(u64::from)?;
    let comes = deployment.rates.api_per_second;
    // A put for each that comes, a claim and a settling for each that goes; one unit to enter the index, one to leave it.
    Some((comes.saturating_add(rate.saturating_mul(2)), comes.saturating_add(rate)))
}

/// What comes and what goes at the same time has to find table and index as warm as was bought: a throttled write is tried
/// again for seconds, and then refused. What is left to DynamoDB is [`left_to_dynamodb`]'s.
fn warm(deployment: &Deployment, found: &mut Breaches) {
    let Some((table, index)) = written(deployment) else { return };
    let said = of_both(deployment);
    let set = deployment.warm.table;
    if set > 0 && table > set.max(quota::NEW_TABLE_WRITE_UNITS) {
        let why = format!(
            "{said} are {table} write units of the payments' table, which is warm for {set}: set at least {table}, or 0 to \
             leave it to DynamoDB"
        );
        found.add(Number::TableWarm, why);
    }
    let shards = u64::from(OPEN_SHARDS);
    let set = deployment.warm.index;
    match spread::warm_write_units(shards, index) {
        Some(least) if set > 0 && least > set.max(quota::NEW_TABLE_WRITE_UNITS) => {
            let over = spread::at(shards, index, set).over_per_million();
            let why = format!(
                "{said} are {index} write units of the index of open payments, in {shards} shards: warm for {set}, {over} of \
                 a million writes come to a partition above its {}, and what the index throttles is refused; set at least \
                 {least}, or 0 to leave it to DynamoDB",
                quota::PARTITION_WRITE_UNITS
            );
            found.add(Number::IndexWarm, why);
        }
        Some(_) => {}
        None => {
            let why = format!(
                "{said} are {index} write units of the index of open payments, which need {} shards, and the code has \
                 {shards}: let in fewer",
                spread::shards_needed(index)
            );
            found.add(Number::ApiRate, why);
        }
    }
}

/// What nobody has to buy and a sale needs: where table and index are left to DynamoDB, from when on that is too little.
pub fn left_to_dynamodb(deployment: &Deployment) -> Vec<Breach> {
    let Some((table, index)) = written(deployment) else { return Vec::new() };
    let said = of_both(deployment);
    let begins = quota::NEW_TABLE_WRITE_UNITS;
    let index_needs = spread::warm_write_units(u64::from(OPEN_SHARDS), index).unwrap_or(index);
    let Warm { table: table_set, index: index_set } = deployment.warm;
    let left = [
        (Number::TableWarm, table_set, table, "the payments' table"),
        (Number::IndexWarm, index_set, index_needs, "its index"),
    ];
    left.into_iter()
        .filter(|(_, set, needs, _)| *set == 0 && *needs > begins)
        .map(|(at, _, needs, what)| {
            let why = format!(
                "{what} is left to DynamoDB, which costs nothing and begins with {begins} write units a second: before a sale \
                 of {said} set {needs}, which is billed once"
            );
            Breach { at, why }
        })
        .collect()
}

/// What is let in and what is sent.
fn of_both(deployment: &Deployment) -> String {
    let (comes, rate) = (deployment.rates.api_per_second, deployment.rates.gate_per_second.unwrap_or(0));
    format!("{comes} requests and {rate} calls a second")
}

fn of_mapping(deployment: &Deployment, name: QueueName, mapping: &Mapping, found: &mut Breaches) {
    let title = name.title();
    let Mapping { batch, window_seconds, concurrency, fails_in_part } = *mapping;
    if !fails_in_part {
        let why = format!(
            "the mapping of {title} does not report failures one by one, so that one failure brings back its whole \
             batch: set ReportBatchItemFailures"
        );
        found.add(Number::ResponseTypes(name), why);
    }
    if !(1..=quota::BATCH_MAX).contains(&batch) {
        found.add(
            Number::Batch(name),
            format!("batches of {batch} for {title}: Lambda takes 1 to {}", quota::BATCH_MAX),
        );
    }
    if batch > quota::BATCH_WITHOUT_WINDOW_MAX && window_seconds == 0 {
        let why = format!("batches of {batch} for {title} without a window: above 10 set a window of at least 1 s");
        found.add(Number::Window(name), why);
    }
    if window_seconds > quota::WINDOW_SECONDS_MAX {
        let why =
            format!("a window of {window_seconds} s for {title}: Lambda takes {} at most", quota::WINDOW_SECONDS_MAX);
        found.add(Number::Window(name), why);
    }
    match concurrency {
        None => {
            let why = format!(
                "the mapping of {title} has no MaximumConcurrency: it would take all that is reserved and be throttled, \
                 and each throttled receive counts towards the dead letters; set one"
            );
            found.add(Number::Concurrency(name), why);
        }
        Some(most) if !(quota::MAPPING_CONCURRENCY_MIN..=quota::MAPPING_CONCURRENCY_MAX).contains(&most) => {
            let why = format!(
                "a MaximumConcurrency of {most} for {title}: Lambda takes {} to {}",
                quota::MAPPING_CONCURRENCY_MIN,
                quota::MAPPING_CONCURRENCY_MAX
            );
            found.add(Number::Concurrency(name), why);
        }
        Some(most) => {
            let held = mapping.in_hand();
            if held >= quota::IN_FLIGHT_MAX {
                let why = format!(
                    "{most} batches of {batch} are {held} messages of {title} in flight, and SQS stops delivering at \
                     about {}: set less than {} batches",
                    quota::IN_FLIGHT_MAX,
                    quota::IN_FLIGHT_MAX / batch.max(1)
                );
                found.add(Number::Batch(name), why);
            }
        }
    }
    let reader = name.reader().and_then(|reader| deployment.functions.get(&reader));
    if let (Some(function), Some(queue)) = (reader, deployment.queues.get(&name)) {
        let timeout = function.timeout_seconds;
        let least = timeout.saturating_mul(quota::VISIBILITY_IN_TIMEOUTS).saturating_add(window_seconds);
        if queue.visibility_seconds < least {
            let why = format!(
                "{title} hides a message for {} s, less than six time-outs of {timeout} s and the window of \
                 {window_seconds} s: set at least {least}",
                queue.visibility_seconds
            );
            found.add(Number::Visibility(name), why);
        }
        if queue.visibility_seconds > quota::VISIBILITY_SECONDS_MAX {
            let why = format!(
                "{title} hides a message for {} s: SQS takes {} at most",
                queue.visibility_seconds,
                quota::VISIBILITY_SECONDS_MAX
            );
            found.add(Number::Visibility(name), why);
        }
    }
}

fn mappings_of(deployment: &Deployment, name: FunctionName) -> impl Iterator<Item = (QueueName, &Mapping)> {
    let all = deployment.mappings.iter().map(|(queue, mapping)| (*queue, mapping));
    all.filter(move |(queue, _)| queue.reader() == Some(name))
}

fn concurrency(deployment: &Deployment, name: FunctionName, found: &mut Breaches) {
    let asked = mappings_of(deployment, name).filter_map(|(_, mapping)| mapping.concurrency);
    let asked = asked.fold(0_u64, u64::saturating_add);
    let Some(function) = deployment.functions.get(&name) else { return };
    let title = name.title();
    match function.reserved {
        None => {
            let why =
                format!("no concurrency is reserved for {title}, whose mappings ask for {asked}: reserve {asked}");
            found.add(Number::Reserved(name), why);
        }
        Some(reserved) if asked > reserved => {
            let why = format!(
                "the mappings of {title} ask for {asked} environments of the {reserved} reserved, and the rest is \
                 throttled, which counts towards the dead letters: reserve {asked}, or lower a MaximumConcurrency"
            );
            found.add(Number::Reserved(name), why);
        }
        Some(_) => {}
    }
}

/// What the consumer's time-out has to hold: a whole call, and then a slot for each message in hand.
fn call(deployment: &Deployment, found: &mut Breaches) {
    let Some(consumer) = deployment.functions.get(&FunctionName::Consumer) else { return };
    let at = Number::Timeout(FunctionName::Consumer);
    let times = &deployment.times;
    let timeout = consumer.timeout_seconds;
    if timeout > quota::FUNCTION_SECONDS_MAX {
        found
            .add(at, format!("consumer may run for {timeout} s: Lambda takes {} at most", quota::FUNCTION_SECONDS_MAX));
    }
    let room_ms = slot_room_ms(timeout, times.lease_ms, times.claim_lead_ms);
    // As much again as one call takes, for the others of its batch.
    if timeout.saturating_mul(1_000) <= times.lease_ms.saturating_mul(2) || room_ms == 0 {
        let why = format!(
            "consumer runs for {timeout} s, and a call takes up to {} ms (connect, call and settle) beside a lead of {} ms: \
             set more than {} s, or shorten the call",
            times.lease_ms,
            times.claim_lead_ms,
            times.lease_ms.saturating_mul(2).div_ceil(1_000)
        );
        found.add(at, why);
        return;
    }
    let Some(rate) = deployment.rates.gate_per_second else { return };
    let held = mappings_of(deployment, FunctionName::Consumer).map(|(_, mapping)| mapping.in_hand());
    let held = held.fold(0_u64, u64::saturating_add);
    let slots = pace_per_1000_seconds(rate, deployment.rates.margin_ms).saturating_mul(room_ms) / 1_000_000;
    if held > slots {
        let lanes = mappings_of(deployment, FunctionName::Consumer).max_by_key(|(_, mapping)| mapping.in_hand());
        if let Some((lane, _)) = lanes {
            let why = format!(
                "the consumers hold {held} messages, and the gate has {slots} slots at {rate} a second in the \
                 {room_ms} ms of an invocation in which a call can begin: the rest goes back unsent, and each receive \
                 counts towards the dead letters; set smaller batches or fewer of them"
            );
            found.add(Number::Batch(lane), why);
        }
    }
    let batch = mappings_of(deployment, FunctionName::Consumer).map(|(_, mapping)| mapping.batch).min().unwrap_or(1);
    let updates = gate_updates_per_second(rate, batch);
    if updates > quota::PARTITION_WRITE_UNITS {
        let why = format!(
            "{rate} calls a second in batches of {batch} are {updates} updates of the gate's one item, which takes {}: \
             set larger batches",
            quota::PARTITION_WRITE_UNITS
        );
        found.add(Number::Batch(QueueName::Standard), why);
    }
}

/// "Setting-up dead-letter queue retention in Amazon SQS": a standard queue's message expires by its first send, wherever it is
/// moved, so that a target that keeps for less loses what it has just been given.
fn retention(deployment: &Deployment, name: QueueName, found: &mut Breaches) {
    let Some(queue) = deployment.queues.get(&name) else { return };
    let Some(Redrive { to, .. }) = queue.redrive else { return };
    let Some(target) = deployment.queues.get(&to) else { return };
    if target.retention_seconds < queue.retention_seconds {
        let why = format!(
            "{} keeps messages for {} s, less than the {} s of {}, whose dead letters it takes and whose time goes on \
             counting: set at least {}",
            to.title(),
            target.retention_seconds,
            queue.retention_seconds,
            name.title(),
            queue.retention_seconds
        );
        found.add(Number::Retention(to), why);
    }
}

/// Looks at what the provider has, until it is parked: receives of a lane, as often as its message may be put back. After
/// them only the sweep puts it back.
fn pending(deployment: &Deployment, found: &mut Breaches) {
    let times = &deployment.times;
    let looks = looks_until(times.park_overdue_after_ms, times.pending_backoff_base_ms, times.pending_backoff_cap_ms);
    let lanes = [QueueName::High, QueueName::Standard].into_iter().filter_map(|lane| deployment.queues.get(&lane));
    let Some(receives) = lanes.filter_map(|lane| lane.redrive).map(|redrive| redrive.receives_max).min() else {
        return;
    };
    let had = receives.saturating_mul(times.heals_max.saturating_add(1));
    // Too few receives are a breach of their own.
    if receives >= receives_needed(deployment) && had < looks {
        let why = format!(
            "what is pending is looked at about {looks} times before it is parked, and its lane allows {had} ({receives} \
             receives, put back {} times): raise PendingBackoffCapMs or MaxHeals",
            times.heals_max
        );
        found.add(Number::PendingBackoff, why);
    }
}

/// The heads of histories stand in the functions' logs: without its anchor nobody finds an item that was set back.
fn evidence(deployment: &Deployment, found: &mut Breaches) {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let Evidence { log_days: Some(days), retention_ms } = deployment.evidence else { return };
    if days.saturating_mul(DAY_MS) < retention_ms {
        let kept = retention_ms.div_ceil(DAY_MS);
        let why = format!(
            "the functions' logs are kept {days} days and payments {kept}: the logs hold the anchors of histories, so that \
             nobody finds what is changed in an older payment; set EvidenceRetentionDays to {kept} or more, or RetentionMs \
             to less"
        );
        found.add(Number::LogRetention, why);
    }
}

fn receives(deployment: &Deployment, name: QueueName, found: &mut Breaches) {
    let Some(Redrive { receives_max, .. }) = deployment.queues.get(&name).and_then(|queue| queue.redrive) else {
        return;
    };
    let times = &deployment.times;
    let at = Number::Receives(name);
    let title = name.title();
    if receives_max > quota::RECEIVES_MAX {
        found.add(at, format!("{receives_max} receives for {title}: SQS counts to {}", quota::RECEIVES_MAX));
    }
    let (least, what) = match name {
        QueueName::High | QueueName::Standard => (
            receives_needed(deployment),
            "waiting for newer code, proving an absence and being throttled are receives too, and what was never tried \
             would be dead-lettered",
        ),
        QueueName::DeadLetter => (
            dead_letter_receives_needed(deployment),
            "the lanes' receives may count here too, and an item that is not there yet is looked for until \
             MissingItemGraceMs is over",
        ),
        QueueName::Parked => return,
    };
    if receives_max < least {
        let why = format!("{title} gives a message up after {receives_max} receives: {what}; set at least {least}");
        found.add(at, why);
    }
    let needed =
        times.absence_proof_ms.map_or(0, |proof| looks_until(proof, times.backoff_base_ms, times.backoff_cap_ms));
    let had = receives_max.saturating_mul(times.heals_max.saturating_add(1));
    if name != QueueName::DeadLetter && receives_max >= least && had < needed {
        let why = format!(
            "proving an absence takes about {needed} looks, and {title} with its heals allows {had} ({receives_max} \
             receives, put back {} times): raise it, or MaxHeals, or BackoffCapMs",
            times.heals_max
        );
        found.add(at, why);
    }
}

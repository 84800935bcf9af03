//! `cargo dev plan` with `--check`: our own template passes, every plan fits into it, and a template with one number wrong is
//! refused at that number's line.

use std::num::NonZeroU32;

use plan::parse::{duration_ms, rate};
use plan::print::parameters;
use plan::template::check::{Report, check};
use plan::{Plan, cost};
use proptest::prelude::*;

use super::{read, root};
use crate::domain::plan::{demands, flash_sale, three_providers};

fn ours() -> String {
    read(&root().join("template.yaml"))
}

fn given(pairs: &[(&str, u64)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect()
}

/// What only the provider can say.
fn said() -> Vec<(String, String)> {
    given(&[("ProviderRatePerSecond", 5_000), ("AbsenceBoundMs", 900_000), ("KeyWindowMs", 86_400_000)])
}

/// The lines that a template is refused at, with their texts.
fn refused(text: &str, parameters: &[(String, String)]) -> Vec<(usize, String)> {
    check(text, parameters, NonZeroU32::new(5_000)).findings.into_iter().map(|it| (it.line, it.text)).collect()
}

#[test]
fn times_and_rates_are_read_as_people_write_them() {
    for (text, ms) in [("200ms", 200), ("2s", 2_000), ("15m", 900_000), ("24h", 86_400_000), ("90d", 7_776_000_000)] {
        assert_eq!(duration_ms(text), Ok(ms));
    }
    assert_eq!(
        (rate("5000"), rate("100000/s")),
        (Ok(NonZeroU32::new(5_000).unwrap()), Ok(NonZeroU32::new(100_000).unwrap()))
    );
    assert!(["", "s", "2", "-2s", "2.5s", "2sec", "300000000000d"].iter().all(|text| duration_ms(text).is_err()));
    assert!(["", "0", "/s", "5/m", "-1", "1000001"].iter().all(|text| rate(text).is_err()));
}

#[test]
fn our_own_numbers_agree() {
    let warm = given(&[("TableWarmWriteUnits", 15_000), ("IndexWarmWriteUnits", 20_000)]);
    assert_eq!(check(&ours(), &[said(), warm.clone()].concat(), None), Report::default());
    // What costs nothing until it is asked for is named, so that nobody is surprised in a sale.
    let left = check(&ours(), &said(), None);
    let notes: Vec<&str> = left.notes.iter().map(|note| note.text.as_str()).collect();
    assert!(left.findings.is_empty() && notes.len() == 2, "{left:?}");
    assert!(notes[0].contains("5000 requests and 5000 calls a second set 15000"), "{notes:?}");
    assert!(notes[1].contains("set 20000"), "{notes:?}");
    // Also where it is asked for under a name that warms nothing.
    let reads = ours().replace("- WriteUnitsPerSecond: !Ref Index", "- ReadUnitsPerSecond: !Ref Index");
    let notes = check(&reads, &[said(), warm].concat(), None).notes;
    assert!(notes.len() == 1 && notes[0].text.contains("its index is left to DynamoDB"), "{notes:?}");
    // What nobody has said is named, and not guessed.
    let unsaid = check(&ours(), &[], None);
    assert_eq!(unsaid.findings, []);
    assert_eq!(unsaid.not_given, ["ProviderRatePerSecond", "AbsenceBoundMs", "KeyWindowMs"]);
}

#[test]
fn the_templates_defaults_are_the_plan_of_the_flash_sale() {
    let plan = Plan::of(&flash_sale()).unwrap();
    // What a sale needs of API and account is for who has one.
    let asked = [
        "ProviderRatePerSecond",
        "ApiRatePerSecond",
        "ApiBurst",
        "IngestConcurrency",
        "TableWarmWriteUnits",
        "IndexWarmWriteUnits",
    ];
    for (name, value) in parameters(&plan).into_iter().filter(|(name, _)| !asked.contains(name)) {
        let line = format!("  {name}:\n    Type: Number\n    Default: '{value}'\n");
        assert!(ours().contains(&line), "{name} is not {value}");
    }
    for (memory, function) in
        [(cost::CONSUMER_MEMORY_MB, "ConsumerFunction"), (cost::INGEST_MEMORY_MB, "IngestFunction")]
    {
        let (_, rest) =
            ours().split_once(&format!("\n  {function}:\n")).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let set = rest.lines().find_map(|line| line.trim().strip_prefix("MemorySize: ")).unwrap();
        assert_eq!(set, memory.to_string(), "{function}");
    }
}

fn fits(plan: &Plan) -> Vec<(usize, String)> {
    let numbers: Vec<(String, String)> =
        parameters(plan).into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect();
    let absence = plan.demand.absence_bound_ms.unwrap_or(900_000);
    let promised = given(&[("AbsenceBoundMs", absence), ("KeyWindowMs", absence + 2 * 86_400_000)]);
    refused_by(&ours(), &[numbers, promised].concat(), plan)
}

fn refused_by(text: &str, parameters: &[(String, String)], plan: &Plan) -> Vec<(usize, String)> {
    let report = check(text, parameters, Some(plan.demand.rate_per_second));
    report.findings.into_iter().map(|it| (it.line, it.text)).collect()
}

#[test]
fn three_providers_plans_fit_into_the_template() {
    for demand in three_providers() {
        assert_eq!(fits(&Plan::of(&demand).unwrap()), [], "{demand:?}");
    }
}

proptest! {
    #![proptest_config(crate::domain::cases(40))]

    #[test]
    fn whatever_is_planned_can_be_pasted(demand in demands()) {
        // An absence that takes weeks is more looks than anybody counts; the core's own test is about that.
        let demand = plan::Demand { absence_bound_ms: demand.absence_bound_ms.map(|ms| ms.min(36_000_000)), ..demand };
        if let Ok(plan) = Plan::of(&demand) {
            prop_assert_eq!(fits(&plan), []);
        }
    }
}

/// A text of ours that stands once, what to put in its place, which of its lines is named, and what is said there.
const BROKEN: [(&str, &str, usize, &str); 24] = [
    // Queues.
    (
        "  LaneVisibilitySeconds:\n    Type: Number\n    Default: '361'",
        "  LaneVisibilitySeconds:\n    Type: Number\n    Default: '360'",
        2,
        "set at least 361",
    ),
    (
        "      # Six times dead_letter's 60 s, and one second.\n      VisibilityTimeout: 361",
        "      # Too short.\n      VisibilityTimeout: 300",
        1,
        "less than six time-outs of 60 s",
    ),
    (
        "  LaneReceivesMax:\n    Type: Number\n    Default: '60'",
        "  LaneReceivesMax:\n    Type: Number\n    Default: '5'",
        2,
        "what was never tried would be dead-lettered",
    ),
    (
        "  DeadLetterReceivesMax:\n    Type: Number\n    Default: '85'",
        "  DeadLetterReceivesMax:\n    Type: Number\n    Default: '25'",
        2,
        "the lanes' receives may count here too",
    ),
    (
        "  LaneReceivesMax:\n    Type: Number\n    Default: '60'",
        "  LaneReceivesMax:\n    Type: Number\n    Default: '66'",
        8,
        "set at least 86",
    ),
    // Mappings and functions.
    (
        "  HighConcurrency:\n    Type: Number\n    Default: '66'",
        "  HighConcurrency:\n    Type: Number\n    Default: '76'",
        usize::MAX,
        "ask for 142 environments of the 132 reserved",
    ),
    (
        "  StandardConcurrency:\n    Type: Number\n    Default: '66'",
        "  StandardConcurrency:\n    Type: Number\n    Default: '1'",
        2,
        "Lambda takes 2 to 1000",
    ),
    (
        "  BatchingWindowSeconds:\n    Type: Number\n    Default: '1'",
        "  BatchingWindowSeconds:\n    Type: Number\n    Default: '0'",
        2,
        "set a window of at least 1 s",
    ),
    (
        "  BatchSize:\n    Type: Number\n    Default: '200'",
        "  BatchSize:\n    Type: Number\n    Default: '2200'",
        2,
        "145200 messages of the standard lane in flight",
    ),
    (
        "  ConsumerTimeoutSeconds:\n    Type: Number\n    Default: '60'",
        "  ConsumerTimeoutSeconds:\n    Type: Number\n    Default: '40'",
        2,
        "set more than 42 s",
    ),
    (
        "              MaximumConcurrency: !Ref HighConcurrency",
        "              Anything: !Ref HighConcurrency",
        usize::MAX,
        "has no MaximumConcurrency",
    ),
    ("      RecursiveLoop: Allow", "      RecursiveLoop: Terminate", 0, "about 16 rounds"),
    (
        "      ReservedConcurrentExecutions: 5",
        "      ReservedConcurrentExecutions: 4",
        0,
        "ask for 5 environments of the 4 reserved",
    ),
    (
        "            BatchSize: 10",
        "            BatchSize: 20",
        0,
        "batches of 20 for the dead-letter queue without a window",
    ),
    (
        "  ApiBurst:\n    Type: Number\n    Default: '2000'",
        "  ApiBurst:\n    Type: Number\n    Default: '199'",
        2,
        "would answer 429 below its rate: set at least 200",
    ),
    // Tables.
    (
        "  TableWarmWriteUnits:\n    Type: Number\n    Default: '0'",
        "  TableWarmWriteUnits:\n    Type: Number\n    Default: '14999'",
        2,
        "set at least 15000",
    ),
    (
        "  IndexWarmWriteUnits:\n    Type: Number\n    Default: '0'",
        "  IndexWarmWriteUnits:\n    Type: Number\n    Default: '10000'",
        2,
        "of a million writes come to a partition above its 1000, and what the index throttles is refused; set at least 20000",
    ),
    // Settings.
    (
        "  CallTimeoutMs:\n    Type: Number\n    Default: '10000'",
        "  CallTimeoutMs:\n    Type: Number\n    Default: '45000'",
        usize::MAX,
        "a call takes up to 56000 ms",
    ),
    (
        "  RateMarginMs:\n    Type: Number\n    Default: '10'",
        "  RateMarginMs:\n    Type: Number\n    Default: '0'",
        2,
        "a margin of 0 ms",
    ),
    (
        "  MaxHealsPerSweep:\n    Type: Number\n    Default: '50'",
        "  MaxHealsPerSweep:\n    Type: Number\n    Default: '5000'",
        2,
        "set at most 3000",
    ),
    (
        "  BackoffBaseMs:\n    Type: Number\n    Default: '1000'",
        "  BackoffBaseMs:\n    Type: Number\n    Default: '90000'",
        2,
        "BACKOFF_BASE_MS is above BACKOFF_CAP_MS",
    ),
    (
        "  IngestConcurrency:\n    Type: Number\n    Default: '500'",
        "  IngestConcurrency:\n    Type: Number\n    Default: '400'",
        usize::MAX,
        "Lambda runs 4000 on 400 environments",
    ),
    (
        "  EvidenceRetentionDays:\n    Type: Number\n    Default: 400",
        "  EvidenceRetentionDays:\n    Type: Number\n    Default: 365",
        2,
        "the functions' logs are kept 365 days and payments 400",
    ),
    (
        "  RetentionMs:\n    Type: Number\n    Default: '34560000000'",
        "  RetentionMs:\n    Type: Number\n    Default: '1'",
        2,
        "set at least 86400000",
    ),
];

/// Where a person is sent whose number is at odds with one that stands elsewhere.
fn elsewhere(said: &str) -> &'static str {
    match said {
        text if text.contains("142 environments") => "  ConsumerConcurrency:\n    Type: Number\n    Default: ",
        text if text.contains("no MaximumConcurrency") => {
            "            Queue: !GetAtt HighQueue.Arn\n\u{0}            ScalingConfig:"
        }
        text if text.contains("56000 ms") => "  ConsumerTimeoutSeconds:\n    Type: Number\n    Default: ",
        text if text.contains("400 environments") => "  ApiRatePerSecond:\n    Type: Number\n    Default: ",
        other => panic!("{other} has no place elsewhere"),
    }
}

/// The line, from 1, of the last line of a piece of text.
fn line_of_end(text: &str, piece: &str) -> usize {
    // A NUL parts what comes first from what is looked for after it.
    let (before, piece) = piece.split_once('\u{0}').unwrap_or(("", piece));
    let from = text.find(before).unwrap();
    let at = from + text[from..].find(piece).unwrap_or_else(|| panic!("no {piece}"));
    text[..at + piece.len()].matches('\n').count() + 1
}

#[test]
fn a_template_with_a_wrong_number_is_refused_at_its_line() {
    for (right, wrong, offset, said_there) in BROKEN {
        assert_eq!(ours().matches(right).count(), 1, "{right} stands there once");
        let text = ours().replace(right, wrong);
        let line = if offset == usize::MAX {
            line_of_end(&text, elsewhere(said_there))
        } else {
            text[..text.find(wrong).unwrap()].matches('\n').count() + 1 + offset
        };
        let found = refused(&text, &said());
        let named = found.iter().any(|(at, why)| *at == line && why.contains(said_there));
        assert!(named, "{wrong}\nline {line}, {said_there}: {found:#?}");
    }
}

#[test]
fn a_mapping_that_cannot_fail_in_part_is_refused() {
    let (before, after) = {
        let text = ours();
        let at = text.find("              - ReportBatchItemFailures").unwrap();
        (text[..at].to_owned(), text[at..].to_owned())
    };
    let text = before.clone() + &after.replacen("- ReportBatchItemFailures", "- Nothing", 1);
    let line = before.matches('\n').count();
    assert!(
        refused(&text, &said())
            .iter()
            .any(|(at, why)| *at == line && why.contains("one failure brings back its whole batch"))
    );
}

#[test]
fn dead_letters_that_are_kept_for_less_are_refused() {
    let text = ours();
    let at = text.find("\n  DeadLetterQueue:\n").unwrap();
    let text = text[..at].to_owned()
        + &text[at..].replacen("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600", 1);
    let line = line_of_end(&text, "MessageRetentionPeriod: 345600");
    let found = refused(&text, &said());
    assert!(found.iter().any(|(at, why)| *at == line && why.contains("set at least 1209600")), "{found:#?}");
}

#[test]
fn what_a_provider_says_is_held_to_the_rest() {
    let with = |name: &str, value: &str| {
        let mut parameters = said();
        parameters.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.to_owned();
        let found = refused(&ours(), &parameters);
        found.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("\n")
    };
    assert!(
        with("ProviderRatePerSecond", "5001").contains("a gate of 5001 calls a second where the provider takes 5000")
    );
    assert!(with("ProviderRatePerSecond", "100").contains("the gate has 3791 slots at 100 a second"));
    assert!(with("AbsenceBoundMs", "1800000").contains("set at least"));
    assert!(with("KeyWindowMs", "900000").contains("KEY_WINDOW_MS less CLOCK_SKEW_MS is not above ABSENCE_BOUND_MS"));
    assert!(with("ProviderRatePerSecond", "fast").contains("expected a whole number"));
    assert!(with("AbsenceBoundMs", "2592000001").contains("set at most 2592000000"));
}

#[test]
fn what_is_no_template_is_refused_with_its_line() {
    assert_eq!(refused("A: 1\nB: [\n", &[])[0].0, 3);
    assert!(refused("A: 1\nA: 2\n", &[])[0].1.contains("twice"));
    assert!(refused("", &[])[0].1.contains("nothing"));
    assert!(refused(&ours(), &given(&[("NoSuchName", 1)]))[0].1.contains("there is no parameter NoSuchName"));
    // Conditions are for a deployment to decide.
    let (plain, conditional) =
        ("      ReservedConcurrentExecutions: 5\n", "      ReservedConcurrentExecutions: !If [HasAlarmTopic, 5, 6]\n");
    let text = ours().replace(plain, conditional);
    assert!(refused(&text, &said()).iter().any(|(_, why)| why.contains("cannot be read here")));
}

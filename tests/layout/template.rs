//! Template and code, held together: what each function reads is set, what is set is read, and the numbers that AWS
//! wants in proportion to one another are. The linters know AWS's types; what only we know is here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use aws::open::OPEN_INDEX;
use aws::settings::{ConsumerSettings, DeadLetterSettings, IngestSettings, ReconcileSettings};
use aws::store::KEY_TTL_ATTRIBUTE;
use pacing::breaker::BreakerSettings;
use pacing::gate::{GateSettings, GateState, PARTITION_WRITES_PER_SECOND, writes_per_second};
use payments::payment::State;
use payments::transition::Event;
use serde_json::Value;

use super::reader::{ASKED_FOR, Template};
use super::{read, root};
use crate::contract::samples;

/// The functions with their binaries.
const FUNCTIONS: [(&str, &str); 4] = [
    ("IngestFunction", "ingest"),
    ("ConsumerFunction", "consumer"),
    ("DeadLetterFunction", "dead_letter"),
    ("ReconcileFunction", "reconcile"),
];

/// The properties of an SQS event that we use. SAM passes on any others, and neither it nor cfn-lint says a word.
const OF_AN_SQS_EVENT: [&str; 5] =
    ["Queue", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig"];

/// The functions' binaries, each with the names of the variables that the template sets.
pub(crate) fn variables() -> [(&'static str, BTreeSet<String>); 4] {
    let template = Template::load();
    FUNCTIONS.map(|(function, binary)| (binary, template.environment(function).into_keys().collect()))
}

/// What a function's role allows: actions, each with a resource's name in the template.
pub(crate) fn allowed(binary: &str) -> BTreeSet<(String, String)> {
    let template = Template::load();
    let (function, _) = FUNCTIONS.into_iter().find(|(_, name)| *name == binary).expect("a function of ours");
    let role = format!("{}Role", function.trim_end_matches("Function"));
    // By statement: the keys that lead to its list of actions or resources.
    let mut statements: BTreeMap<Vec<String>, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for (path, value) in template.under(&["Resources", &role, "Properties", "Policies"]) {
        let list = path.iter().position(|key| key == "Action" || key == "Resource");
        let Some((statement, [key, ..])) = list.map(|at| path.split_at(at)) else { continue };
        // The line of the key itself has no value.
        if value.is_empty() {
            continue;
        }
        let (actions, resources) = statements.entry(statement.to_vec()).or_default();
        if key == "Action" {
            actions.push(value.to_owned());
        } else {
            let named = value.trim_start_matches("!GetAtt ").trim_start_matches("!Sub ");
            resources.push(named.replace("${", "").replace('}', "").replace(".Arn", ""));
        }
    }
    let each = statements.into_values().flat_map(|(actions, resources)| {
        let pairs = actions
            .into_iter()
            .flat_map(move |action| resources.clone().into_iter().map(move |resource| (action.clone(), resource)));
        pairs.collect::<Vec<_>>()
    });
    each.collect()
}

/// The names that a function's settings ask for.
fn asked_for(binary: &str) -> BTreeSet<String> {
    let names = RefCell::new(BTreeSet::new());
    let lookup = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        None
    };
    let is_refused = match binary {
        "ingest" => IngestSettings::from(lookup).is_err(),
        "consumer" => ConsumerSettings::from(lookup).is_err(),
        "dead_letter" => DeadLetterSettings::from(lookup).is_err(),
        "reconcile" => ReconcileSettings::from(lookup).is_err(),
        other => panic!("{other} has no settings"),
    };
    assert!(is_refused, "{binary} starts without settings");
    names.into_inner()
}

#[test]
fn the_reader_reads_what_the_template_uses() {
    let template = Template::parse(
        "A:\n  # no\n  B: 'x: y'\n  C:\n    - D: 1\n      E: 2\n    - D: 3\n  F:\n    - !Ref G\nH: i\n",
    );
    assert_eq!(template.get(&["A", "B"]), "x: y");
    assert_eq!(template.get(&["A", "C", "-1", "E"]), "2");
    assert_eq!(template.get(&["A", "C", "-2", "D"]), "3");
    assert_eq!(template.list(&["A", "F"]), ["!Ref G"]);
    assert_eq!(template.keys(&["A"]), BTreeSet::from(["B", "C", "F"]));
    assert_eq!(template.get(&["H"]), "i");
}

#[test]
fn each_function_is_set_what_it_reads_and_nothing_else() {
    let template = Template::load();
    for (function, binary) in FUNCTIONS {
        let set: BTreeSet<String> = template.environment(function).into_keys().collect();
        assert_eq!(set, asked_for(binary), "{function}");
    }
}

#[test]
fn each_function_starts_with_the_templates_numbers() {
    let template = Template::load();
    let seen = |function| {
        let seen = template.seen(function);
        move |name: &str| seen.get(name).cloned()
    };
    let consumer = ConsumerSettings::from(seen("ConsumerFunction")).unwrap();
    let ingest = IngestSettings::from(seen("IngestFunction")).unwrap();
    let dead_letter = DeadLetterSettings::from(seen("DeadLetterFunction")).unwrap();
    let reconcile = ReconcileSettings::from(seen("ReconcileFunction")).unwrap();
    assert!([&ingest.policy, &dead_letter.policy, &reconcile.policy].iter().all(|policy| **policy == consumer.policy));
    assert!(ingest.queues == consumer.queues && ingest.queues == reconcile.queues);
    assert_eq!(
        (&dead_letter.queues.high, &dead_letter.queues.standard),
        (&ingest.queues.high, &ingest.queues.standard)
    );
    assert!(ingest.queues.high.ends_with("/HighQueue") && ingest.queues.standard.ends_with("/StandardQueue"));
    assert!(dead_letter.queues.dead_letter.unwrap().ends_with("/DeadLetterQueue"));
    assert_eq!((ingest.payments_table.as_str(), ingest.merchants_table.as_str()), ("PaymentsTable", "MerchantsTable"));
    assert_eq!((consumer.payments_table.as_str(), consumer.gates_table.as_str()), ("PaymentsTable", "GatesTable"));
    assert_eq!(consumer.provider_key.reveal(), "key_0123456789");
    assert_eq!((&ingest.gates_table, ingest.admission_table.as_str()), (&consumer.gates_table, "AdmissionTable"));
    assert_eq!(ingest.provider_name, consumer.provider_name);
    assert_eq!((&reconcile.gates_table, &reconcile.provider_name), (&consumer.gates_table, &consumer.provider_name));
    // What a merchant is told about its wait goes by the numbers that the consumers go by.
    let (told, used) = (ingest.admission.gate, consumer.gate_settings);
    assert_eq!(GateSettings { breaker: BreakerSettings { probe_lease_ms: 0, ..used.breaker }, ..used }, told);
    let consumers = ingest.admission.high_concurrency + ingest.admission.standard_concurrency;
    assert!(consumers <= consumer.consumer_concurrency);
    let callbacks = ingest.callbacks.expect("the template names both keys");
    assert_eq!((callbacks.provider_name, callbacks.previous_key), (consumer.provider_name, Some(callbacks.key)));

    // A call must fit into an invocation, with as much again for the batch's others.
    let timeout_ms = 1_000 * template.number(&["Resources", "ConsumerFunction", "Properties", "Timeout"]);
    assert!(2 * consumer.policy.lease_ms() < timeout_ms, "{} in {timeout_ms}", consumer.policy.lease_ms());
    // What the consumer believes of its reserved concurrency is what it has: the limit of calls in flight hangs on it.
    let reserved = template.number(&["Resources", "ConsumerFunction", "Properties", "ReservedConcurrentExecutions"]);
    assert_eq!(u64::from(consumer.consumer_concurrency), reserved);
    // The gate's one item takes this rate, all consumers waiting included, at a fifth of what a partition gives.
    let batch = template.number(&[
        "Resources",
        "ConsumerFunction",
        "Properties",
        "Events",
        "Standard",
        "Properties",
        "BatchSize",
    ]);
    let slots = batch.min(u64::from(consumer.max_in_flight).div_ceil(2));
    let writes = writes_per_second(consumer.provider_rate_per_second.into(), slots, reserved, 1_000);
    assert!(writes * 4 < PARTITION_WRITES_PER_SECOND, "{writes} writes a second");
    // At most 1 % of what the provider takes between two sweeps, which are a minute apart.
    let share = u64::from(consumer.provider_rate_per_second) * 60 / 100;
    assert!(u64::from(reconcile.max_heals_per_sweep) <= share);
    // A dead letter whose table and queues do not answer is judged in time, and there is time for others.
    let triage_ms = template.number(&["Resources", "DeadLetterFunction", "Properties", "Timeout"]) * 1_000;
    assert!(::dead_letter::MESSAGE_ALLOWANCE_MS < triage_ms);
}

/// What the operator's commands learn from `DescribeStacks` is what the functions are told.
#[test]
fn a_stack_tells_the_commands_what_it_tells_its_functions() {
    let template = Template::load();
    let value = |name: &str| {
        let asked_for = ASKED_FOR.iter().find(|(asked_for, _)| *asked_for == name).map(|(_, value)| *value);
        asked_for.or_else(|| template.find(&["Parameters", name, "Default"])).unwrap_or_default().to_owned()
    };
    let parameters = template.keys(&["Parameters"]).into_iter().map(|name| (name.to_owned(), value(name)));
    let output = |name: &str| if name.ends_with("Url") { format!("https://sqs/{name}") } else { name.to_owned() };
    let outputs = template.keys(&["Outputs"]).into_iter().map(|name| (name.to_owned(), output(name)));
    let stack = operator::stack::Stack::new("sluice", parameters.chain(outputs).collect());
    let seen = template.seen("DeadLetterFunction");
    let told = DeadLetterSettings::from(|name| seen.get(name).cloned()).unwrap().policy;
    let learnt = stack.policy().unwrap();
    assert_eq!(payments::policy::Policy { history_keys: told.history_keys.clone(), ..learnt }, told);
    for output in [
        "PaymentsTableName",
        "MerchantsTableName",
        "GatesTableName",
        "ParkedQueueUrl",
        "ReconcileFunctionName",
        "ApiUrl",
        "ProviderName",
        "HistorySecretName",
    ] {
        assert!(stack.output(output).is_ok(), "{output}");
    }
    assert!(stack.queues().unwrap().dead_letter.is_some());
}

#[test]
fn each_function_runs_its_own_binary() {
    let template = Template::load();
    assert_eq!(
        template.resources("AWS::Serverless::Function").into_iter().collect::<BTreeSet<_>>(),
        FUNCTIONS.iter().map(|(function, _)| *function).collect()
    );
    assert_eq!(template.get(&["Globals", "Function", "Runtime"]), "provided.al2023");
    assert_eq!(template.get(&["Globals", "Function", "Handler"]), "bootstrap");
    assert_eq!(template.get(&["Globals", "Function", "CodeUri"]), ".");
    for (function, binary) in FUNCTIONS {
        let metadata = ["Resources", function, "Metadata"];
        assert_eq!(template.get(&[&metadata[..], &["BuildMethod"]].concat()), "rust-cargolambda", "{function}");
        assert_eq!(template.get(&[&metadata[..], &["BuildProperties", "Binary"]].concat()), binary, "{function}");
        let manifest = read(&root().join("functions").join(binary).join("Cargo.toml"));
        assert!(manifest.contains(&format!("[[bin]]\nname = \"{binary}\"")), "{binary} is not built");
    }
}

/// The attributes of a table's keys, with their types.
fn attributes(template: &Template, table: &str) -> BTreeMap<String, String> {
    let path = ["Resources", table, "Properties", "AttributeDefinitions"];
    let elements = template.keys(&path).into_iter();
    let one = |element: &str, key| template.get(&[&path[..], &[element, key]].concat()).to_owned();
    elements.map(|element| (one(element, "AttributeName"), one(element, "AttributeType"))).collect()
}

fn key_schema(template: &Template, path: &[&str]) -> Vec<(String, String)> {
    let path = [path, &["KeySchema"]].concat();
    let mut keys: Vec<(String, String)> = Vec::new();
    for (rest, value) in template.under(&path) {
        match rest.last().map(String::as_str) {
            Some("AttributeName") => keys.push((value.to_owned(), String::new())),
            Some("KeyType") => value.clone_into(&mut keys.last_mut().expect("a name stands first").1),
            _ => {}
        }
    }
    keys
}

fn is(name: &str, kind: &str) -> (String, String) {
    (name.to_owned(), kind.to_owned())
}

/// Each key's attribute is written by the code, with the type that its table declares.
fn assert_written(template: &Template, table: &str, item: &Value) {
    for (name, kind) in attributes(template, table) {
        let written = item.get(&name).unwrap_or_else(|| panic!("{table}: no item has {name}"));
        let is_right = match kind.as_str() {
            "S" => written.is_string(),
            "N" => written.is_u64(),
            _ => false,
        };
        assert!(is_right, "{table}: {name} is {written}, not {kind}");
    }
}

#[test]
fn tables_have_the_keys_that_the_code_uses() {
    let template = Template::load();
    let payments = ["Resources", "PaymentsTable", "Properties"];
    assert_eq!(key_schema(&template, &payments), [is("id", "HASH")]);
    let index_path = [&payments[..], &["GlobalSecondaryIndexes"]].concat();
    let indexes = template.keys(&index_path);
    assert_eq!(indexes.len(), 1);
    let index = [&index_path[..], &[indexes.first().unwrap()]].concat();
    assert_eq!(template.get(&[&index[..], &["IndexName"]].concat()), OPEN_INDEX);
    assert_eq!(key_schema(&template, &index), [is("open_shard", "HASH"), is("created_at", "RANGE")]);
    assert_eq!(template.get(&[&index[..], &["Projection", "ProjectionType"]].concat()), "KEYS_ONLY");
    assert_written(&template, "PaymentsTable", &serde_json::to_value(samples::in_state(State::Queued)).unwrap());

    // What goes by TTL are keys. A payment that went would be paid again by the same order.
    let expires = template.get(&[&payments[..], &["TimeToLiveSpecification", "AttributeName"]].concat());
    assert_eq!(expires, KEY_TTL_ATTRIBUTE);
    for &state in State::ALL {
        let mut payment = samples::in_state(state);
        for _ in 0..2 {
            let item = serde_json::to_value(&payment).unwrap();
            assert_eq!(item.get(expires), None, "{state:?} would be deleted");
            if state.is_terminal() && !payment.is_forgotten() {
                payment = samples::step(&payment, &Event::Forget, payment.forget_at.unwrap());
            }
        }
    }

    assert_eq!(key_schema(&template, &["Resources", "GatesTable", "Properties"]), [is("provider", "HASH")]);
    assert_written(&template, "GatesTable", &serde_json::to_value(GateState::new("acme", 5_000, 10)).unwrap());
    assert_eq!(key_schema(&template, &["Resources", "AdmissionTable", "Properties"]), [is("name", "HASH")]);
    assert!(read(&root().join("functions/aws/src/admission.rs")).contains(".key(\"name\", AttributeValue::S("));
    // The adapter's own name for the key; no merchant is ever written by deployed code.
    assert_eq!(key_schema(&template, &["Resources", "MerchantsTable", "Properties"]), [is("key_hash", "HASH")]);
    assert!(read(&root().join("functions/aws/src/merchants.rs")).contains(".key(\"key_hash\", AttributeValue::S("));
}

/// "One order, one payment, for ever" is a matter of permissions too.
#[test]
fn no_function_may_delete_an_item() {
    let template = Template::load();
    let deleting = ["dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteTable", "dynamodb:*", "*"];
    let (mut roles, mut actions) = (0, 0);
    for role in ["IngestRole", "ConsumerRole", "DeadLetterRole", "ReconcileRole"] {
        roles += 1;
        for (_, value) in template.under(&["Resources", role]) {
            assert!(!deleting.contains(&value), "{role} may {value}");
            actions += usize::from(value.starts_with("dynamodb:"));
        }
    }
    assert!(roles == 4 && actions > 8, "{actions}");
}

#[test]
fn a_sweep_may_query_the_index_that_it_queries() {
    let template = Template::load();
    let index = format!("!Sub ${{PaymentsTable.Arn}}/index/{OPEN_INDEX}");
    let resources: Vec<&str> = template
        .under(&["Resources", "ReconcileRole"])
        .map(|(_, value)| value)
        .filter(|value| *value == index)
        .collect();
    assert_eq!(resources.len(), 1);
}

#[test]
fn what_the_schedule_sends_is_taken_for_a_sweep() {
    let template = Template::load();
    let path = ["Resources", "ReconcileFunction", "Properties", "Events", "Sweep", "Properties", "Input"];
    let inputs: Vec<&str> = template.under(&path).map(|(_, value)| value).collect();
    let [input] = inputs.as_slice() else { panic!("{inputs:?}") };
    let event = serde_json::from_str(input.trim_matches('\'')).unwrap();
    assert_eq!(reconcile::operate::Invocation::read(event), reconcile::operate::Invocation::Sweep);
}

/// What `cargo dev plan` counts a request's line of the API as.
#[test]
fn the_apis_log_line_is_as_long_as_the_plan_counts() {
    let template = read(&root().join("template.yaml"));
    let format = template.lines().find_map(|line| line.trim().strip_prefix("Format: '")).expect("the API logs");
    let values = [
        ("requestId", "JKJaXmPLvHcESHA="),
        ("requestTimeEpoch", "1764115200000"),
        ("routeKey", "POST /v1/payments"),
        ("status", "202"),
        ("responseLatency", "25"),
        ("integrationStatus", "202"),
        ("error.message", "-"),
    ];
    let line = values.iter().fold(format.trim_end_matches('\'').to_owned(), |line, (name, value)| {
        line.replace(&format!("\"$context.{name}\""), &format!("\"{value}\""))
    });
    assert!(!line.contains("$context"), "{line}");
    let counted = usize::try_from(plan::cost::ACCESS_LOG_BYTES).unwrap();
    assert!((counted * 9 / 10..=counted).contains(&(line.len() + 1)), "{} bytes: {line}", line.len() + 1);
}

/// A merchant with a quota of its own has a second stack (infra/decisions/0015).
#[test]
fn two_stacks_stand_side_by_side() {
    let keys = [
        "Name",
        "AlarmName",
        "AliasName",
        "DashboardName",
        "FunctionName",
        "LogGroupName",
        "QueueName",
        "RoleName",
        "TableName",
    ];
    let template = read(&root().join("template.yaml"));
    let resources = template.split_once("\nResources:\n").expect("a template has resources").1;
    let pairs = resources.lines().filter_map(|line| line.trim().split_once(": "));
    let given: Vec<_> = pairs.filter(|(key, _)| keys.contains(key)).collect();
    assert!(given.len() >= 5, "{given:?}");
    for (key, name) in given {
        let is_of_the_stack =
            name.contains("${AWS::StackName}") || name.starts_with("!Ref ") || name.starts_with("!GetAtt ");
        assert!(is_of_the_stack, "{key}: {name} is the same in every stack");
    }
    for line in template.lines().filter(|line| line.contains("MetricNamespace:")) {
        assert!(line.ends_with("MetricNamespace: !Ref AWS::StackName"), "{line}");
    }
}

#[test]
fn no_permission_is_wider_than_its_reason() {
    let template = Template::load();
    for role in template.resources("AWS::IAM::Role") {
        for (path, value) in template.under(&["Resources", role, "Properties"]) {
            assert!(!value.contains('*'), "{role}: {} is {value}", path.join("/"));
            assert!(path.first().is_none_or(|key| key != "ManagedPolicyArns"), "{role} has a managed policy");
        }
    }
    for (function, _) in FUNCTIONS {
        let role = template.get(&["Resources", function, "Properties", "Role"]);
        assert_eq!(role, format!("!GetAtt {}Role.Arn", function.trim_end_matches("Function")));
    }
}

#[test]
fn mappings_use_only_properties_that_exist_and_answer_in_part() {
    let template = Template::load();
    let mut mappings = 0;
    for (function, _) in FUNCTIONS {
        for event in template.mappings(function) {
            mappings += 1;
            let path = ["Resources", function, "Properties", "Events", event, "Properties"];
            for key in template.keys(&path) {
                assert!(OF_AN_SQS_EVENT.contains(&key), "{function}, {event}: {key} is no property of an SQS event");
            }
            let at = |key: &'static str| [&path[..], &[key]].concat();
            assert_eq!(template.list(&at("FunctionResponseTypes")), ["ReportBatchItemFailures"], "{function}");
            assert_eq!(template.keys(&at("ScalingConfig")), BTreeSet::from(["MaximumConcurrency"]), "{function}");
        }
    }
    assert_eq!(mappings, 3);
}

/// "Configuring a queue to use with Lambda" and "Maximum concurrency": six time-outs and the window; a window for
/// batches above 10; from 2 to 1,000 at a time, and no more than the function's reserved concurrency together.
#[test]
fn queues_functions_and_mappings_fit_together() {
    let template = Template::load();
    for (function, _) in FUNCTIONS {
        let properties = ["Resources", function, "Properties"];
        let timeout = template.number(&[&properties[..], &["Timeout"]].concat());
        let mut at_once = 0;
        for event in template.mappings(function) {
            let path = [&properties[..], &["Events", event, "Properties"]].concat();
            let at = |key: &'static [&'static str]| [&path[..], key].concat();
            let queue = template.get(&at(&["Queue"])).trim_start_matches("!GetAtt ").trim_end_matches(".Arn");
            let window_path = at(&["MaximumBatchingWindowInSeconds"]);
            let window = template.find(&window_path).map_or(0, |_| template.number(&window_path));
            let visibility = template.number(&["Resources", queue, "Properties", "VisibilityTimeout"]);
            assert!(visibility >= 6 * timeout + window, "{queue}: {visibility} s for {function}'s {timeout} s");
            let batch = template.number(&at(&["BatchSize"]));
            assert!(batch <= 10 || window >= 1, "{function}, {event}: batches of {batch} need a window");
            let most = template.number(&at(&["ScalingConfig", "MaximumConcurrency"]));
            assert!((2..=1_000).contains(&most), "{function}, {event}: {most}");
            at_once += most;
        }
        if at_once > 0 {
            let reserved = template.number(&[&properties[..], &["ReservedConcurrentExecutions"]].concat());
            assert!(at_once <= reserved, "{function}: mappings ask for {at_once} of {reserved}");
        }
    }
}

#[test]
fn what_fails_goes_from_the_lanes_to_the_dead_letters_to_people() {
    let template = Template::load();
    let redrive = |queue, key| template.find(&["Resources", queue, "Properties", "RedrivePolicy", key]);
    for (queue, target) in
        [("HighQueue", "DeadLetterQueue"), ("StandardQueue", "DeadLetterQueue"), ("DeadLetterQueue", "ParkedQueue")]
    {
        assert_eq!(redrive(queue, "deadLetterTargetArn").unwrap(), format!("!GetAtt {target}.Arn"));
        let receives = template.number(&["Resources", queue, "Properties", "RedrivePolicy", "maxReceiveCount"]);
        assert!((1..=1_000).contains(&receives));
        // Who may redrive there is named by the queue's name.
        let name = template.get(&["Resources", queue, "Properties", "QueueName"]).trim_start_matches("!Sub ");
        let allowed = template.list(&["Resources", target, "Properties", "RedriveAllowPolicy", "sourceQueueArns"]);
        assert!(allowed.iter().any(|arn| arn.ends_with(&format!(":{name}"))), "{queue} may not redrive to {target}");
    }
    assert_eq!(redrive("ParkedQueue", "deadLetterTargetArn"), None);
    let dead_letter = ["Resources", "DeadLetterFunction", "Properties", "RecursiveLoop"];
    assert_eq!(template.get(&dead_letter), "Allow");
    let queues = template.resources("AWS::SQS::Queue");
    assert_eq!(queues.len(), 4);
    for queue in queues {
        assert_eq!(
            template.list(&["Resources", &format!("{queue}Policy"), "Properties", "Queues"]),
            [format!("!Ref {queue}")]
        );
    }
}

#[test]
fn every_alarm_names_a_runbook_that_is_there_and_every_runbook_has_an_alarm() {
    let template = Template::load();
    let mut named = BTreeSet::new();
    let alarms = template.resources("AWS::CloudWatch::Alarm");
    assert!(alarms.len() >= 9, "{alarms:?}");
    for alarm in alarms {
        let description = template.get(&["Resources", alarm, "Properties", "AlarmDescription"]);
        let (_, runbook) = description.split_once(" Runbook ").unwrap_or_else(|| panic!("{alarm} names no runbook"));
        let text = read(&root().join(runbook));
        let name = alarm.trim_end_matches("Alarm");
        assert!(text.contains(&format!("`{name}`")), "{runbook} says nothing about {name}");
        named.insert(runbook.to_owned());
    }
    for entry in std::fs::read_dir(root().join("infra/runbooks")).unwrap() {
        let file = format!("infra/runbooks/{}", entry.unwrap().file_name().to_string_lossy());
        // What a person begins by itself says so.
        let is_begun_by_people = read(&root().join(&file)).contains("\nNo alarm leads here");
        assert!(named.contains(&file) != is_begun_by_people, "no alarm leads to {file}, or one does that should not");
    }
}

/// Lambda ends an invocation without an answer, and the API hangs up after 30 s ("Quotas for HTTP APIs").
#[test]
fn ingest_answers_before_anybody_ends_it() {
    let timeout_ms = 1_000 * Template::load().number(&["Resources", "IngestFunction", "Properties", "Timeout"]);
    assert!(ingest::ANSWER_WITHIN_MS + ingest::ANSWER_ALLOWANCE_MS <= timeout_ms, "{timeout_ms}");
    assert!(timeout_ms < 30_000, "{timeout_ms}");
}

#[test]
fn the_api_has_the_routes_that_ingest_knows() {
    let template = Template::load();
    let events = ["Resources", "IngestFunction", "Properties", "Events"];
    let routes: BTreeSet<String> = template
        .keys(&events)
        .into_iter()
        .map(|event| {
            let property = |key| template.get(&[&events[..], &[event, "Properties", key]].concat());
            assert_eq!((property("PayloadFormatVersion"), property("ApiId")), ("2.0", "!Ref Api"));
            let path = [&events[..], &[event, "Properties", "Path"]].concat();
            if template.find(&path).is_none() {
                // SAM makes the default route of an event without a method and a path.
                return "$default".to_owned();
            }
            format!("{} {}", property("Method"), property("Path"))
        })
        .collect();
    let known = [
        "$default",
        "GET /v1/payments",
        "GET /v1/payments/{id}",
        "GET /v1/payments/{id}/history",
        "POST /v1/payments",
        "POST /v1/payments/{id}/cancel",
        "POST /v1/providers/{name}/events",
    ];
    assert_eq!(routes, known.map(str::to_owned).into());
}

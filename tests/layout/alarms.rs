//! Alarms that ring: no sum that is missing because one of its parts is, and one for everything that stops payments.

use std::collections::{BTreeMap, BTreeSet};

use plan::standing;
use serde_json::Value;

use super::reader::Template;
use super::{read, root};

/// An alarm's metrics by the id that its expression knows them by, and the expressions.
fn metrics<'a>(template: &'a Template, alarm: &'a str) -> (BTreeMap<&'a str, String>, Vec<&'a str>) {
    let path = ["Resources", alarm, "Properties", "Metrics"];
    let (mut metrics, mut expressions) = (BTreeMap::new(), Vec::new());
    for element in template.keys(&path) {
        let at = |key: &'static [&'static str]| template.find(&[&path[..], &[element], key].concat());
        match at(&["Expression"]) {
            Some(expression) => expressions.push(expression),
            None => {
                let metric = ["Namespace", "MetricName"]
                    .map(|key| template.get(&[&path[..], &[element, "MetricStat", "Metric", key]].concat()));
                metrics.insert(at(&["Id"]).unwrap(), metric.join(" "));
            }
        }
    }
    (metrics, expressions)
}

/// How often a word stands in a text, as a word.
fn count(text: &str, word: &str) -> usize {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|part| *part == word).count()
}

#[test]
fn no_alarm_is_mute_because_one_of_its_metrics_is_missing() {
    let template = Template::load();
    let mut seen = 0;
    for alarm in template.resources("AWS::CloudWatch::Alarm") {
        let (metrics, expressions) = metrics(&template, alarm);
        let text = expressions.join("\n");
        for id in metrics.keys() {
            let filled = text.matches(&format!("FILL({id}, 0)")).count();
            assert_eq!(filled, count(&text, id), "{alarm}: {id} is missing whenever nothing is published: {text}");
            assert!(filled > 0, "{alarm}: {id} is not used");
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} metrics in arithmetic");
}

/// What is billed in a month without a payment is what stands in the template; a resource of a kind that nobody has looked
/// at fails here.
#[test]
fn what_stands_in_the_template_is_in_the_bill() {
    let template = Template::load();
    let count = |kind| u64::try_from(template.resources(kind).len()).unwrap();
    let alarms = template.resources("AWS::CloudWatch::Alarm").into_iter();
    // One that has no arithmetic looks at one metric.
    let looked_at: usize = alarms.map(|alarm| metrics(&template, alarm).0.len().max(1)).sum();
    assert_eq!(u64::try_from(looked_at).unwrap(), standing::ALARM_METRICS);
    let filters = template.resources("AWS::Logs::MetricFilter").into_iter();
    let made: BTreeSet<&str> = filters
        .flat_map(|filter| {
            let path = ["Resources", filter, "Properties", "MetricTransformations"];
            let elements = template.keys(&path).into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
            elements
                .into_iter()
                .map(|element| template.get(&[&path[..], &[&element, "MetricName"]].concat()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(u64::try_from(made.len()).unwrap(), standing::CUSTOM_METRICS, "{made:?}");
    assert_eq!(count("AWS::KMS::Key"), standing::KEYS);
    assert_eq!(count("AWS::DynamoDB::Table"), standing::TABLES);
    assert_eq!(count("AWS::Serverless::Function"), standing::FUNCTIONS);
    let memory = template.get(&["Resources", "ReconcileFunction", "Properties", "MemorySize"]);
    assert_eq!(memory.parse(), Ok(standing::RECONCILE_MEMORY_MB));
    let text = read(&root().join("template.yaml"));
    let mappings = text.matches("          Type: SQS\n").count();
    assert_eq!(u64::try_from(mappings).unwrap(), standing::MAPPINGS);
    let needed = ["ProviderSecretName", "HistorySecretName"];
    assert!(needed.iter().all(|name| template.find(&["Parameters", name, "Default"]).is_none()));
    let secrets = template.keys(&["Parameters"]).into_iter().filter(|name| name.ends_with("SecretName"));
    let needed_or_not = secrets.filter(|name| template.find(&["Parameters", name, "Default"]).is_none()).count();
    assert_eq!(u64::try_from(needed_or_not).unwrap(), standing::SECRETS);
    // Each route's own metrics are custom ones, six a route.
    assert!(!text.contains("DetailedMetricsEnabled: true"), "they are not in the bill");
    let free = [
        "AWS::ApiGatewayV2::ApiMapping",
        "AWS::ApiGatewayV2::DomainName",
        // Two are free ("AWS Cost Management pricing").
        "AWS::Budgets::Budget",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::ScheduleGroup",
        "AWS::Serverless::HttpApi",
    ];
    let counted = [
        "AWS::CloudWatch::Alarm",
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
        "AWS::Logs::MetricFilter",
        "AWS::Serverless::Function",
    ];
    for resource in template.keys(&["Resources"]) {
        let kind = template.get(&["Resources", resource, "Type"]);
        assert!(free.contains(&kind) || counted.contains(&kind), "what does a {kind} cost while it stands?");
    }
}

#[test]
fn what_stops_payments_rings() {
    let template = Template::load();
    let mut looked_at = BTreeSet::new();
    for alarm in template.resources("AWS::CloudWatch::Alarm") {
        looked_at.extend(metrics(&template, alarm).0.into_values());
        let own = |key| template.find(&["Resources", alarm, "Properties", key]);
        if let (Some(namespace), Some(name)) = (own("Namespace"), own("MetricName")) {
            looked_at.insert(format!("{namespace} {name}"));
        }
    }
    for metric in [
        "AWS/ApiGateway 5xx",
        "AWS/ApiGateway Latency",
        "AWS/DynamoDB ReadThrottleEvents",
        "AWS/DynamoDB SystemErrors",
        "AWS/DynamoDB WriteThrottleEvents",
        "AWS/Lambda Errors",
        "AWS/Lambda Invocations",
        "AWS/Lambda Throttles",
        "AWS/SQS ApproximateAgeOfOldestMessage",
        "AWS/Scheduler TargetErrorCount",
        "!Ref AWS::StackName OldestQueued",
        "!Ref AWS::StackName OldestSending",
    ] {
        assert!(looked_at.contains(metric), "no alarm looks at {metric}: {looked_at:?}");
    }
    // A table that is added is looked at as well.
    let text = read(&root().join("template.yaml"));
    for table in template.resources("AWS::DynamoDB::Table") {
        let times = text.matches(&format!("Value: !Ref {table}\n")).count();
        assert!(times >= 2, "throttled reads and writes of {table} ring nowhere");
    }
}

/// API Gateway puts a variable's value in as it is: `-` where there is none.
#[test]
fn the_apis_log_line_is_json_also_for_an_error() {
    let text = read(&root().join("template.yaml"));
    let format = text.lines().find_map(|line| line.trim().strip_prefix("Format: '")).expect("the API logs");
    let format = format.trim_end_matches('\'');
    for error in ["-", "Not Found", "Too Many Requests"] {
        let quoted = format!("\"{error}\"");
        let values = [
            ("$context.requestId", "JKJaXmPLvHcESHA="),
            ("$context.requestTimeEpoch", "1764115200000"),
            ("$context.routeKey", "POST /v1/payments"),
            ("$context.status", "404"),
            ("$context.responseLatency", "-"),
            ("$context.integrationStatus", "-"),
            // The longer name first, because the shorter one begins it.
            ("$context.error.messageString", quoted.as_str()),
            ("$context.error.message", error),
        ];
        let line = values.iter().fold(format.to_owned(), |line, (name, value)| line.replace(name, value));
        let read: Value = serde_json::from_str(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"));
        assert_eq!(read.get("error").and_then(Value::as_str), Some(error), "{line}");
        assert!(!line.contains("$context"), "{line}");
    }
}

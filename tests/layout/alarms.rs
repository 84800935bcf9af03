//! Alarms that ring: no sum that is missing because one of its parts is, and one for everything that stops payments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::template::Template;
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

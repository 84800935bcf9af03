//! How each binary starts, and how it refuses to.

use std::collections::{BTreeMap, BTreeSet};

use cloud::embedded::Queues;
use cloud::runtime_api::{Failure, Function, Settings};
use serde_json::{Value, json};

use super::built::{FUNCTIONS, binary};
use super::deployment::{Deployment, FUNCTION_TIMEOUT, Wiring};
use super::variables::{SECRETS, variables};
use crate::layout::template;

fn function(name: &str, variables: BTreeMap<String, String>) -> Function {
    Function::new(Settings {
        name: name.to_owned(),
        program: binary(name),
        aws_url: "http://127.0.0.1:9".to_owned(),
        variables,
        timeout: FUNCTION_TIMEOUT,
        memory_mb: 512,
    })
}

fn all_variables(name: &str) -> BTreeMap<String, String> {
    let url = |queue: &str| format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{queue}");
    let queues =
        Queues { standard: url("standard"), high: url("high"), dead_letter: url("dead-letter"), parked: url("parked") };
    variables(name, &queues, "https://provider.example", 50)
}

#[test]
fn the_template_sets_the_same_variables_that_these_tests_set() {
    for (name, set) in template::variables() {
        assert_eq!(all_variables(name).into_keys().collect::<BTreeSet<_>>(), set, "{name}");
    }
}

/// The one line that a process leaves behind that does not start, as its cause.
async fn refusal(name: &str, variables: BTreeMap<String, String>) -> String {
    let function = function(name, variables);
    match function.warm().await {
        Err(Failure::NotStarted(why)) => assert_eq!(why, "its process ended: exit status: 1", "{name}"),
        other => panic!("{name} starts: {other:?}"),
    }
    let log = function.log();
    let [line] = log.as_slice() else { panic!("{name} says {log:?}") };
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&event["event"], &event["function"]), (&json!("start_failed"), &json!(name)), "{line}");
    event["cause"].as_str().unwrap().to_owned()
}

/// Settings without which a function starts: it takes no callbacks then, or none with the key before.
const OPTIONAL: [&str; 2] = ["CALLBACK_KEY", "CALLBACK_KEY_PREVIOUS"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_setting_stops_the_binary_with_one_line_that_names_it() {
    for name in FUNCTIONS {
        let all = all_variables(name);
        function(name, all.clone()).warm().await.expect("it starts with all of them");
        let required = all.iter().filter(|(name, _)| !OPTIONAL.contains(&name.as_str()));
        let required: BTreeMap<_, _> = required.map(|(name, value)| (name.clone(), value.clone())).collect();
        function(name, required.clone()).warm().await.expect("it starts with the required ones");
        for missing in required.keys() {
            let mut variables = all.clone();
            variables.remove(missing);
            let cause = refusal(name, variables).await;
            assert!(cause.starts_with("1 of the settings"), "{name} without {missing}: {cause}");
            assert!(cause.contains(&format!("\n  {missing} is missing: expected ")), "{name}: {cause}");
        }
    }
}

/// A value that no setting can have, be it a number, a name, a URL, a secret or keys.
const WRONG: &str = "no such value";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_setting_stops_the_binary_with_its_name_and_no_secret() {
    for name in FUNCTIONS {
        let all = all_variables(name);
        for wrong in all.keys() {
            let mut variables = all.clone();
            variables.insert(wrong.clone(), WRONG.to_owned());
            let cause = refusal(name, variables).await;
            let problems: Vec<&str> = cause.lines().skip(1).map(str::trim_start).collect();
            let all_name_it = problems.iter().all(|problem| problem.split(' ').next() == Some(wrong));
            assert!(!problems.is_empty() && all_name_it, "{name} with a wrong {wrong}: {cause}");
            let is_secret = SECRETS.contains(&all[wrong].as_str());
            assert!(!(is_secret && cause.contains(WRONG)), "{name} shows {wrong}: {cause}");
            assert!(SECRETS.iter().all(|secret| !cause.contains(secret)), "{name}: {cause}");
        }
    }
}

/// How often each is started to see how long it takes.
const STARTS: usize = 11;

/// Figures to look at, with `--nocapture`: of an unoptimised build, or of the one that `SLUICE_PACKAGE` names, on whatever
/// machine this is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_binary_asks_for_its_first_event_before_lambda_gives_up() {
    for name in FUNCTIONS {
        let function = function(name, all_variables(name));
        for _ in 0..STARTS {
            function.warm().await.unwrap();
        }
        let mut starts = function.starts();
        starts.sort_unstable();
        let bytes = std::fs::metadata(binary(name)).unwrap().len();
        let median = starts[STARTS / 2];
        println!("{name}: {median:?} from its start to its first request (median of {STARTS}), {bytes} bytes");
        // Nothing is wrong, so nothing else is said.
        let log = function.log();
        assert!(log.len() == STARTS && log.iter().all(|line| line.contains("environment_started")), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_event_is_reported_and_the_process_goes_on() {
    let deployment = Deployment::start(&Wiring::default()).await;
    for (name, function) in deployment.functions() {
        // A schedule's event may be anything.
        if name == "reconcile" {
            continue;
        }
        let no_event = json!({ "Records": 5, "rawPath": 5 });
        match function.invoke(&no_event).await {
            Err(Failure::Reported { error_type, .. }) => assert!(!error_type.is_empty()),
            other => panic!("{name}: {other:?}"),
        }
        let empty = json!({ "Records": [], "version": "2.0", "requestContext": { "http": { "method": "GET" } } });
        assert!(function.invoke(&empty).await.is_ok(), "{name}");
        assert_eq!(function.process_ids().len(), 1, "{name}");
    }
}

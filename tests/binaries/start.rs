//! How each binary starts, and how it refuses to.

use std::collections::BTreeMap;

use dev::embedded::Queues;
use dev::runtime_api::{Failure, Function, Settings};
use serde_json::{Value, json};

use super::built::{FUNCTIONS, binary};
use super::deployment::{Deployment, FUNCTION_TIMEOUT, Wiring, variables};

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
    let queues = Queues {
        standard: url("standard"),
        high: url("high"),
        dead_letter: url("dead-letter"),
        parked: url("parked"),
    };
    variables(name, &queues, "https://provider.example", 50)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_setting_stops_the_binary_with_one_line_that_names_it() {
    for name in FUNCTIONS {
        let all = all_variables(name);
        function(name, all.clone()).warm().await.expect("it starts with all of them");
        for missing in all.keys() {
            let mut variables = all.clone();
            variables.remove(missing);
            let function = function(name, variables);
            match function.warm().await {
                Err(Failure::NotStarted(why)) => assert_eq!(why, "its process ended: exit status: 1", "{name}"),
                other => panic!("{name} starts without {missing}: {other:?}"),
            }
            let log = function.log();
            let [line] = log.as_slice() else { panic!("{name} without {missing} says {log:?}") };
            let event: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&event["event"], &event["function"]), (&json!("start_failed"), &json!(name)), "{line}");
            let cause = event["cause"].as_str().unwrap();
            assert!(cause.starts_with("1 of the settings"), "{name} without {missing}: {cause}");
            assert!(cause.contains(&format!("\n  {missing} is missing: expected ")), "{name}: {cause}");
        }
    }
}

/// Figures to look at, with `--nocapture`: of an unoptimised build, on whatever machine this is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_binary_asks_for_its_first_event_before_lambda_gives_up() {
    for name in FUNCTIONS {
        let function = function(name, all_variables(name));
        for _ in 0..5 {
            function.warm().await.unwrap();
        }
        let mut starts = function.starts();
        starts.sort_unstable();
        let bytes = std::fs::metadata(binary(name)).unwrap().len();
        println!("{name}: {:?} from its start to its first request (median of 5), {bytes} bytes", starts[2]);
        assert_eq!(function.log(), Vec::<String>::new(), "nothing is wrong, so nothing is said");
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

//! `sluice` as a person has it: a process over what `cargo dev up` keeps, its answers for people and programs, its exit codes.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use super::built::binary;
use super::deployment::until;
use super::up::Up;

const ID: &str = "demo/charge/A-1001";

/// What a command printed, what it complained of, and what it ended with.
struct Ended {
    code: i32,
    out: String,
    error: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.error))
    }
}

async fn sluice(endpoint: &str, arguments: &[&str]) -> Ended {
    let mut command = Command::new(binary("sluice"));
    let Output { status, stdout, stderr } =
        command.args(arguments).args(["--endpoint", endpoint]).env("USER", "anna").output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: status.code().unwrap(), out: text(stdout), error: text(stderr) }
}

async fn up(name: &str, faults: &[&str]) -> Up {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.jsonl", std::process::id()));
    Up::start(&log, faults).await
}

/// The printed request, and its end.
async fn paid(up: &Up) {
    until("it has ended", async || {
        let answer = up.client().post("/v1/payments", &up.key, up.body.clone()).await;
        answer.is_ok_and(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_and_a_program_are_answered_and_the_code_says_how() {
    let up = up("sluice", &[]).await;
    paid(&up).await;
    let at = up.aws.as_str();

    let shown = sluice(at, &["payments", "get", ID]).await;
    assert!(shown.code == 0 && shown.out.contains("succeeded"), "{} {}", shown.out, shown.error);
    let document = sluice(at, &["payments", "get", ID, "--json"]).await.json();
    assert_eq!((&document["state"], &document["amount"]), (&"succeeded".into(), &1_999.into()));
    let missing = sluice(at, &["payments", "get", "demo/charge/nobody"]).await;
    assert_eq!((missing.code, missing.error.lines().count()), (3, 1), "{}", missing.error);
    assert!(missing.error.starts_with("error: there is no payment pay_"), "{}", missing.error);

    assert_eq!(sluice(at, &["payments", "list", "--json"]).await.json()["payments"], Value::Array(Vec::new()));
    assert_eq!(sluice(at, &["cases", "list", "--json"]).await.json()["more"], false);
    assert_eq!(
        sluice(at, &["payments", "replay", "--dry-run", "--json"]).await.json()["lines"],
        Value::Array(Vec::new())
    );

    let made = sluice(at, &["merchants", "add-key", "shop-b", "--rate", "7", "--json"]).await.json();
    let listed = sluice(at, &["merchants", "list", "--json"]).await;
    assert!(!listed.out.contains(made["api_key"].as_str().unwrap()), "{}", listed.out);
    let shop =
        listed.json()["keys"].as_array().unwrap().iter().find(|key| key["merchant"] == "shop-b").cloned().unwrap();
    assert_eq!((&shop["rate_per_second"], &shop["burst"]), (&7.into(), &28.into()));
    let revoked = sluice(at, &["merchants", "revoke", made["api_key"].as_str().unwrap()]).await;
    assert!(revoked.out.starts_with("taken back from shop-b"), "{}", revoked.error);
    assert_eq!(sluice(at, &["merchants", "limit", "shop-b", "--rate", "3"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_decides_is_who_calls() {
    let up = up("sluice-who", &[]).await;
    paid(&up).await;
    let at = up.aws.as_str();
    let paused = sluice(at, &["gate", "pause", "--why", "their maintenance"]).await;
    assert_eq!(
        paused.out.lines().next(),
        Some("sandbox is paused: nothing is reserved from now on"),
        "{}",
        paused.error
    );
    let gate = sluice(at, &["gate", "get", "--json"]).await.json();
    let note = &gate["pause_note"];
    assert_eq!(
        (&gate["paused"], &note["who"], &note["why"]),
        (&true.into(), &"anna".into(), &"their maintenance".into())
    );
    // What has ended cannot be ended again, whoever says so.
    let evidence = ["--as", "declined", "--reference", "rf-17", "--why", "their books"];
    let refused = sluice(at, &[&["payments", "resolve", ID], &evidence[..]].concat()).await;
    assert!(refused.code == 3 && refused.error.contains("it is succeeded"), "{}", refused.error);
    let resumed = sluice(at, &["gate", "resume", "--why", "it is over"]).await;
    assert_eq!(resumed.out, "sandbox goes on at 47 calls a second\n", "{}", resumed.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_not_understood_is_one_line_and_a_code() {
    let nowhere = sluice("http://127.0.0.1:1", &["payments", "list"]).await;
    assert_eq!((nowhere.code, nowhere.error.lines().count(), nowhere.out.as_str()), (1, 1, ""), "{}", nowhere.error);
    assert!(nowhere.error.contains("start one with `cargo dev up`"), "{}", nowhere.error);
    assert_eq!(sluice("http://127.0.0.1:1", &["gate", "rate", "many", "--why", "as they asked"]).await.code, 2);
    let help = sluice("http://127.0.0.1:1", &["--help"]).await;
    assert!(help.code == 0 && help.out.contains("Exit codes: 0 done"), "{} {}", help.out, help.error);
}

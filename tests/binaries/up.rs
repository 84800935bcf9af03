//! `cargo dev up` as a person has it: a process, its printed lines, its log.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use operator::client::{Base, Client};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::built::binary;
use super::deployment::until;

/// `up` on free ports, with what it printed.
pub(super) struct Up {
    _process: Child,
    url: String,
    pub(super) aws: String,
    pub(super) key: String,
    pub(super) body: String,
    log: PathBuf,
}

impl Up {
    pub(super) async fn start(log: &Path, faults: &[&str]) -> Self {
        let any_port = ["--listen", "--aws-listen", "--provider-listen"].map(|name| [name, "127.0.0.1:0"]).concat();
        let mut process = Command::new(binary("dev"))
            .arg("up")
            .args(any_port)
            .args(faults)
            .arg("--log")
            .arg(log)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        // What follows is read by nobody, which must not matter.
        let mut after = async |start: &str| next_after(&mut lines, start).await;
        let url = after("sluice ").await.trim().to_owned();
        let aws = after("aws ").await.split(',').next().expect("a URL").trim().to_owned();
        let key = after("try ").await.split_once("Bearer ").expect("a key").1.trim_end_matches("' \\").to_owned();
        let body = after("               -d '").await.trim_end_matches('\'').to_owned();
        Self { _process: process, url, aws, key, body, log: log.to_owned() }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(Base::parse(&self.url).expect("a URL"), std::time::Duration::from_secs(10))
    }

    /// `sluice payments explain`: whether all is well, and what it prints.
    async fn explain(&self, id: &str) -> (bool, String) {
        let output = Command::new(binary("sluice"))
            .args(["payments", "explain", id, "--verify", "--endpoint", &self.aws, "--log"])
            .arg(&self.log)
            .output()
            .await
            .expect("the binary starts");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    }
}

async fn next_after(lines: &mut Lines<BufReader<ChildStdout>>, start: &str) -> String {
    while let Some(line) = lines.next_line().await.expect("it can be read") {
        if let Some(rest) = line.strip_prefix(start) {
            return rest.to_owned();
        }
    }
    panic!("it ended without a line that begins with {start:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_request_is_charged_once_and_the_log_agrees_with_its_story() {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("up-{}.jsonl", std::process::id()));
    let up = Up::start(&log, &["--fault", "drop_after=1"]).await;
    let mut client = up.client();
    let answer = client.post("/v1/payments", &up.key, up.body.clone()).await.expect("an answer");
    assert_eq!(answer.status, 202, "{answer:?}");
    let document: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let id = document["id"].as_str().expect("an id");
    // Every answer is dropped after the charge, so the end is found out by a query.
    until("it has ended", async || {
        let repeat = up.client().post("/v1/payments", &up.key, up.body.clone()).await;
        repeat.is_ok_and(|repeat| repeat.status == 200)
    })
    .await;

    let (is_well, story) = up.explain(id).await;
    assert!(is_well, "{story}");
    assert!(story.contains("so the provider is asked"), "{story}");
    assert!(story.contains("\nthe log agrees: "), "{story}");

    // Another head stands in the log, or none that can be read: somebody changed either.
    let text = std::fs::read_to_string(&up.log).expect("the log");
    let head = document["history_head"].as_str().expect("a head");
    assert!(text.contains(head), "the first head is in the log");
    let other = if head.starts_with('a') { 'b' } else { 'a' };
    for changed in [format!("{other}{}", &head[1..]), "nothing".to_owned()] {
        std::fs::write(&up.log, text.replace(head, &changed)).expect("it can be written");
        let (is_well, story) = up.explain(id).await;
        assert!(!is_well, "{changed} instead of {head}: {story}");
    }
    std::fs::remove_file(&log).expect("it is there");
}

/// Its own set-up is no part of what the faults are for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_aws_keeps_nobody_from_starting_and_a_payment_comes_to_its_end_all_the_same() {
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("up-bad-aws-{}.jsonl", std::process::id()));
    let up = Up::start(&log, &["--aws-throttle", "0.2", "--aws-lose-answers", "0.3"]).await;
    until("it has ended", async || {
        let answer = up.client().post("/v1/payments", &up.key, up.body.clone()).await;
        answer.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    std::fs::remove_file(&log).expect("it is there");
}

/// As in `cargo dev demo | head`.
#[test]
fn a_command_whose_reader_has_gone_ends_without_a_word() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = std::process::Command::new(binary("dev"))
        .args(["simulate", "--runs", "1"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .expect("the binary starts");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(141), ""));
}

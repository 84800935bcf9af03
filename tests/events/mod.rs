//! The sample invocations of `events/`, each through the function's real binary: what `events/README.md` says of them is
//! written from the same table that they are run by.

mod run;
mod sample;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sample::Sample;
use table::SAMPLES;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")
}

async fn run_all(function: &str) {
    let samples: Vec<&Sample> = SAMPLES.iter().filter(|sample| sample.function() == function).collect();
    assert!(!samples.is_empty(), "{function} has no samples");
    for sample in samples {
        run::run(sample).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_as_the_table_says() {
    run_all("ingest").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_are_worked_through_as_the_table_says() {
    run_all("consumer").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_judged_as_the_table_says() {
    run_all("dead_letter").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeps_find_what_the_table_says() {
    run_all("reconcile").await;
}

#[test]
fn every_file_is_run_and_every_sample_has_its_file() {
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            continue;
        }
        for file in std::fs::read_dir(entry.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder()).unwrap().to_string_lossy().into_owned();
            there.insert(name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no sample")).to_owned());
        }
    }
    assert_eq!(there, SAMPLES.iter().map(|sample| sample.file.to_owned()).collect());
}

#[test]
fn the_readme_says_what_is_run() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("<!-- samples -->\n").expect("the table begins");
    let (table, _) = rest.split_once("<!-- /samples -->").expect("the table ends");
    let expected: String = [sample::HEAD.to_owned()].into_iter().chain(SAMPLES.iter().map(Sample::row)).collect();
    assert_eq!(table, expected, "events/README.md should have this table:\n{expected}");
}

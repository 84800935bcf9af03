//! A load whose own looks are throttled, as everybody's are: that says nothing about the payments.

use std::path::{Path, PathBuf};

use cloud::embedded::{Fault, When};
use operator::failure::Failure;
use operator::load::{self, Arguments};

use super::place::Place;

fn arguments(file: &Path) -> Arguments {
    Arguments {
        file: file.to_owned(),
        ignored: Vec::new(),
        url: None,
        rate: Some(15),
        repeat: 0.0,
        connections: 4,
        provider_url: None,
        keys: None,
    }
}

/// A file with this text, which nobody else writes.
fn file(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.csv", std::process::id()));
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_looks_on_though_the_table_throttles_every_other_read_and_more() {
    let place = Place::start().await;
    let rows: Vec<String> = (1..=30).map(|number| format!("L-{number},charge,shop-b,{number},EUR")).collect();
    let file = file("load", &format!("order_id,kind,merchant,amount,currency\n{}\n", rows.join("\n")));
    // One look in three finds each of the SDK's tries throttled.
    place.system.embedded().faults().inject(&["GetItem"], Fault::Throttle, When::Share(0.7));
    assert_eq!(load::run(&place.account, arguments(&file)).await, Ok(()));
    assert_eq!(place.provider.ledger().len(), 30);
    std::fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_good_in_a_file_is_sent_and_the_rest_ends_the_command_with_an_error() {
    let place = Place::start().await;
    let rows = "DC1,charge,csv-shop,EUR,19,99\nDC2,charge,csv-shop,EUR,1999\nDC3,charge,csv-shop,EUR,\"20\"00\n";
    let file = file("malformed", &format!("order_id,kind,merchant,currency,amount\n{rows}"));
    // The first answers to whoever makes the merchant's key are lost, each of the SDK's tries and one more.
    place.system.embedded().faults().inject(&["PutItem"], Fault::LoseAnswer, When::Next(4));
    let ended = load::run(&place.account, arguments(&file)).await;
    assert_eq!(ended, Err(Failure::Found("2 lines of the file were not sent; they are named above".to_owned())));
    let ledger = place.provider.ledger();
    assert_eq!(ledger.iter().map(|effect| effect.amount).collect::<Vec<_>>(), [1_999]);

    std::fs::write(&file, "order_id,kind,merchant,currency,amount,amount\nDC4,charge,csv-shop,EUR,5,19\n").unwrap();
    let ended = load::run(&place.account, arguments(&file)).await.unwrap_err().to_string();
    assert!(ended.contains("two columns are named amount"), "{ended}");
    assert_eq!(place.provider.ledger().len(), 1);
    std::fs::remove_file(file).unwrap();
}

/// What the operator's command waits for is what the sandbox does.
#[test]
fn a_load_waits_for_what_the_sandbox_still_lands() {
    const { assert!(load::LATE_MS >= cloud::local::settings::LATE_MS) };
}

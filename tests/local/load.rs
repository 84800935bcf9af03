//! A load whose own looks are throttled, as everybody's are: that says nothing about the payments.

use std::path::Path;

use dev::account::AccountArguments;
use dev::embedded::{Fault, When};
use dev::load::{self, Arguments};

use super::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_looks_on_though_the_table_throttles_every_other_read_and_more() {
    let place = Place::start().await;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load-{}.csv", std::process::id()));
    let rows: Vec<String> = (1..=30).map(|number| format!("L-{number},charge,shop-b,{number},EUR")).collect();
    std::fs::write(&file, format!("order_id,kind,merchant,amount,currency\n{}\n", rows.join("\n"))).unwrap();
    // One look in three finds each of the SDK's tries throttled.
    place.system.embedded().faults().inject(&["GetItem"], Fault::Throttle, When::Share(0.7));
    let arguments = Arguments {
        file: file.clone(),
        ignored: Vec::new(),
        url: format!("http://{}", place.system.address()),
        rate: Some(15),
        repeat: 0.0,
        connections: 4,
        provider_url: place.provider.base_url(),
        keys: None,
        account: AccountArguments { aws_endpoint: place.account_url(), aws: false, stack: None },
    };
    assert_eq!(load::run(arguments).await, Ok(()));
    assert_eq!(place.provider.ledger().len(), 30);
    std::fs::remove_file(file).unwrap();
}

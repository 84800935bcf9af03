//! What AWS's adapters say about a write that failed: refused when that is sure, unresolved when it is not.

use aws::clients::Clients;
use aws::store::DynamoStore;
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::embedded::{Embedded, Fault, PAYMENTS_TABLE, When};
use payments::payment::State;
use payments::transition::{Event, Recovery};
use payments::write::Written;
use ports::{Store, StoreError};

use super::Aws;
use crate::contract::samples::{NOW, accepted, charged, claim_of, order, policy, refund, step};
use crate::contract::store::{applied, stands};

const RECOVERY: Recovery = Recovery { point: NOW, at: NOW };

type Rules = &'static [(Fault, When)];
const THROTTLED: (Fault, When) = (Fault::Throttle, When::Next(100));
type Answer = fn(&StoreError) -> bool;

const fn refused(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused(_))
}

const fn unresolved(error: &StoreError) -> bool {
    matches!(error, StoreError::Unresolved(_))
}

/// "Refused" only when every attempt was: the SDK reports its last one, which says nothing about those before.
#[tokio::test]
async fn a_refusal_is_sure_or_it_is_none() {
    let aws = Aws::start().await;
    let store = aws.store();
    let faults = aws.embedded.faults();
    let cases: [(&str, Rules, Answer); 5] = [
        ("throttled each time", &[THROTTLED], refused),
        ("an error each time, nothing done", &[(Fault::FailBefore, When::Next(100))], unresolved),
        ("done, then an error each time", &[(Fault::FailAfter, When::Next(100))], unresolved),
        ("lost each time", &[(Fault::LoseAnswer, When::Next(100))], unresolved),
        ("done and lost, then throttled", &[(Fault::LoseAnswer, When::Next(1)), THROTTLED], unresolved),
    ];
    for (name, rules, fits) in cases {
        for (put, operation) in [(accepted(order()), "PutItem"), (refund(&charged(100), 60), "TransactWriteItems")] {
            faults.clear();
            for (fault, when) in rules {
                faults.inject(&[operation], *fault, *when);
            }
            let error = store.put(&put).await.expect_err(name);
            assert!(fits(&error), "{name}: {error:?}");
        }
    }
    faults.clear();
    let elsewhere = DynamoStore::new(aws.clients.dynamodb.clone(), "no-such-table");
    let error = elsewhere.put(&accepted(order())).await.expect_err("there is no such table");
    assert!(refused(&error), "{error:?}");
}

/// A connection that is refused took no request; one that breaks may have taken it.
#[tokio::test]
async fn only_a_connection_that_was_never_made_is_a_refusal() {
    let store = |port: u16| {
        let config = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("eu-central-1"))
            .credentials_provider(Embedded::credentials())
            .endpoint_url(format!("http://127.0.0.1:{port}"))
            .build();
        DynamoStore::new(Clients::new(&config).dynamodb, PAYMENTS_TABLE)
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // It takes the request and breaks the connection before it answers.
            let mut request = [0; 64];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
        }
    });
    let broken = store(port).put(&accepted(order())).await;
    assert!(matches!(broken, Err(StoreError::Unresolved(_))), "{broken:?}");
    server.abort();
    let _ = server.await;
    let refused = store(port).put(&accepted(order())).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
}

/// The same write sent again by the caller after its answer was lost for good, and only then.
#[tokio::test]
async fn a_caller_that_sends_the_same_write_again_learns_that_it_was_done() {
    let aws = Aws::start().await;
    let store = aws.store();
    let charge = charged(100);
    applied(store.put(&charge).await);
    let refund = refund(&charge, 60);
    aws.embedded.faults().inject(&["TransactWriteItems"], Fault::LoseAnswer, When::Next(3));
    assert!(matches!(store.put(&refund).await, Err(StoreError::Unresolved(_))));
    // Within ten minutes the transaction's token answers, later the item's nonce would.
    assert_eq!(store.put(&refund).await, Ok(Written::Applied(Box::new(refund.clone()))));
    assert_eq!(stands(&store, &charge.id).await.refundable, Some(40));

    let payment = accepted(order());
    aws.embedded.faults().inject(&["PutItem"], Fault::LoseAnswer, When::Next(3));
    assert!(matches!(store.put(&payment).await, Err(StoreError::Unresolved(_))));
    assert_eq!(store.put(&payment).await, Ok(Written::Refused(Some(Box::new(payment.clone())))));
    let written = ports::put(&store, &payment).await;
    assert_eq!(written, Ok(Written::Applied(Box::new(payment.clone()))));
    assert_eq!(stands(&store, &payment.id).await.state, State::Queued);
    assert!(claim_of(&payment).apply(&payment, &policy()).is_some());
}

/// Its retention may have removed the charge, or a person may have: the refund ends all the same, and its amount goes
/// nowhere.
#[tokio::test]
async fn a_refund_whose_charge_is_gone_ends_all_the_same() {
    let aws = Aws::start().await;
    let store = aws.store();
    for end in [Event::Cancel, Event::Restored(&RECOVERY)] {
        let charge = charged(100);
        applied(store.put(&charge).await);
        let refund = refund(&charge, 60);
        applied(store.put(&refund).await);
        let id = AttributeValue::S(charge.id.as_str().to_owned());
        aws.clients.dynamodb.delete_item().table_name(PAYMENTS_TABLE).key("id", id).send().await.unwrap();
        let after = step(&refund, &end, NOW);
        let written = store.replace(&refund, &after).await;
        assert_eq!(written, Ok(Written::Applied(Box::new(after.clone()))), "{end:?}");
        assert_eq!(stands(&store, &refund.id).await, after, "{end:?}");
        assert_eq!(store.get(&charge.id).await, Ok(None), "nothing is made up");
    }
}

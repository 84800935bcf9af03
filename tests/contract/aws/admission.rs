//! Admission over DynamoDB and SQS.

use std::sync::Arc;

use aws::admission::DynamoAdmission;
use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::queue::SqsQueue;
use cloud::embedded::{ADMISSION_TABLE, Embedded, Fault, GATES_TABLE, QueueNumbers, When};
use pacing::admission::Gathered;
use pacing::bucket::{Bucket, Take};
use payments::id::MerchantId;
use payments::limit::Limit;
use payments::payment::Lane;
use ports::{Admission, Failure, GateStore, Queue};

use super::super::admission::admission_contract;
use super::super::queue::{DEAD_LETTER_RECEIVES_MAX, RECEIVES_MAX, VISIBILITY_SECONDS};
use super::super::samples::{NOW, message};

async fn admission() -> (Embedded, DynamoAdmission, DynamoGates, SqsQueue) {
    let embedded = Embedded::start();
    embedded.create_tables().await.unwrap();
    let numbers = QueueNumbers {
        visibility_seconds: VISIBILITY_SECONDS,
        max_receive_count: RECEIVES_MAX,
        dead_letter_visibility_seconds: VISIBILITY_SECONDS,
        dead_letter_max_receive_count: DEAD_LETTER_RECEIVES_MAX,
    };
    let queues = embedded.create_queues(numbers).await.unwrap();
    let clients = Clients::new(&embedded.config("suite"));
    let admission = DynamoAdmission::new(&clients, ADMISSION_TABLE, GATES_TABLE, "acme", queues.urls());
    embedded.forget_calls();
    let gates = DynamoGates::new(clients.dynamodb, GATES_TABLE);
    (embedded, admission, gates, SqsQueue::new(clients.sqs, queues.urls()))
}

/// In virtual time: its calls are given up after 300 ms, which a busy machine may take for a hundred of them.
#[tokio::test(start_paused = true)]
async fn aws_keeps_the_contract_of_admission() {
    let (_embedded, admission, gates, queue) = admission().await;
    admission_contract(Arc::new(admission), &gates, &queue, "acme").await;
}

/// A merchant waits for the answer: what is throttled is not tried again.
#[tokio::test(start_paused = true)]
async fn what_does_not_answer_is_given_up_at_once() {
    let (embedded, admission, ..) = admission().await;
    embedded.faults().inject(&["UpdateItem", "GetItem"], Fault::Throttle, When::Share(1.0));
    let merchant = MerchantId::new("shop").unwrap();
    let take = Take::new(&merchant, Limit::usual(10), 1, Bucket::default(), NOW.us());
    assert!(admission.take(&take).await.unwrap_err().to_string().contains("UpdateItem"));
    assert!(admission.look().await.unwrap_err().to_string().contains("GetItem"));
    assert!(admission.measure(NOW, &Gathered::default()).await.is_err());
    let calls = embedded.calls();
    let count = |operation: &str| calls.get(&("suite".to_owned(), operation.to_owned())).copied();
    assert_eq!(count("UpdateItem"), Some(2), "{calls:?}");
    assert!(count("GetItem") <= Some(2), "{calls:?}");
}

/// Whoever waits for a queue, a gate or a bucket is told whether waiting helps.
#[tokio::test]
async fn a_port_says_whether_it_was_throttled_denied_or_lost() {
    let (embedded, _, gates, queue) = admission().await;
    let cases =
        [(Fault::Throttle, Failure::Throttled), (Fault::FailBefore, Failure::Lost), (Fault::LoseAnswer, Failure::Lost)];
    for (fault, expected) in cases {
        embedded.faults().clear();
        embedded.faults().inject(&["GetItem", "SendMessage"], fault, When::Next(20));
        let read = gates.read("acme").await.unwrap_err();
        assert_eq!(read.failure, expected, "{read}");
        let sent = queue.send(Lane::High, &message(), 0).await.unwrap_err();
        assert_eq!(sent.failure, expected, "{sent}");
    }
    embedded.faults().clear();
    let nowhere = DynamoGates::new(Clients::new(&embedded.config("suite")).dynamodb, "no-such-table");
    let read = nowhere.read("acme").await.unwrap_err();
    assert_eq!(read.failure, Failure::Denied, "{read}");
    // What SQS would refuse each time is not even asked.
    let sent = queue.send(Lane::High, &message(), 901).await.unwrap_err();
    assert_eq!(sent.failure, Failure::Denied, "{sent}");
}

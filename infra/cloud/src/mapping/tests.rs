use std::sync::Mutex;

use super::*;
use crate::embedded::{Embedded, QueueNumbers, REGION, queue_arn};

const WAIT: Duration = Duration::from_secs(10);

/// A lane with messages in it, its mapping's address, and a client.
async fn lane(messages: usize) -> (Client, QueueAddress) {
    let embedded = Embedded::start();
    let numbers = QueueNumbers {
        visibility_seconds: 1,
        max_receive_count: 100,
        dead_letter_visibility_seconds: 1,
        dead_letter_max_receive_count: 100,
    };
    let queues = embedded.create_queues(numbers).await.unwrap();
    let client = Client::new(&embedded.config("mapping"));
    for index in 0..messages {
        client.send_message().queue_url(&queues.standard).message_body(index.to_string()).send().await.unwrap();
    }
    let arn = queue_arn(&queues.standard);
    (client, QueueAddress { url: queues.standard, arn, region: REGION.to_owned() })
}

fn settings() -> Settings {
    Settings {
        name: "test",
        batch_size: 10,
        window_ms: 50,
        maximum_concurrency: 2,
        function_timeout_ms: 300,
        duplicate_share: 0.0,
        seed: 1,
    }
}

/// Waits until `done` says so.
async fn until(done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(WAIT, waiting).await.expect("it should have happened by now");
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_named_as_failed_comes_again_and_the_rest_is_deleted() {
    let (client, queue) = lane(25).await;
    let seen = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let kept = Arc::clone(&seen);
    let mapping = Mapping::start(client, queue.clone(), settings(), move |event, _| {
        let mut response = SqsBatchResponse::default();
        for record in event.records {
            assert_eq!(record.event_source.as_deref(), Some("aws:sqs"));
            assert_eq!(record.event_source_arn.as_deref(), Some(queue.arn.as_str()));
            assert!(record.attributes["SentTimestamp"].parse::<u64>().unwrap() > 0);
            let body = record.body.unwrap();
            let times = {
                let mut seen = kept.lock().unwrap();
                let times = seen.entry(body.clone()).or_default();
                *times += 1;
                *times
            };
            assert_eq!(record.attributes["ApproximateReceiveCount"], times.to_string());
            if body == "7" && times == 1 {
                response.add_failure(record.message_id.unwrap());
            }
        }
        async move { Some(response) }
    });
    until(|| read(&mapping.counts().deleted) == 25).await;
    assert_eq!(read(&mapping.counts().kept), 1);
    assert_eq!(read(&mapping.counts().failed_batches), 0);
    mapping.stop().await;
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 25);
    assert_eq!(seen["7"], 2);
    assert_eq!(seen.values().sum::<u32>(), 26);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_and_an_overrun_fail_the_whole_batch() {
    let (client, queue) = lane(3).await;
    let turn = Arc::new(AtomicU64::new(0));
    let mapping = Mapping::start(client, queue, settings(), move |_, deadline| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(deadline.ms() > now().ms());
            match turn {
                0 => panic!("on purpose"),
                1 => std::future::pending().await,
                _ => None,
            }
        }
    });
    until(|| read(&mapping.counts().deleted) == 3).await;
    assert_eq!(read(&mapping.counts().failed_batches), 2);
    mapping.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_run_side_by_side_than_is_allowed() {
    let (client, queue) = lane(40).await;
    let running = Arc::new(AtomicU64::new(0));
    let most = Arc::new(AtomicU64::new(0));
    let highest = Arc::clone(&most);
    let mapping = Mapping::start(client, queue, settings(), move |_, _| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            running.fetch_sub(1, Ordering::SeqCst);
            Some(SqsBatchResponse::default())
        }
    });
    until(|| read(&mapping.counts().deleted) == 40).await;
    mapping.stop().await;
    assert_eq!(read(&highest), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_are_delivered_to_two_invocations_side_by_side() {
    let (client, queue) = lane(10).await;
    let seen = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&seen);
    let twice = Settings { duplicate_share: 1.0, ..settings() };
    let mapping = Mapping::start(client, queue, twice, move |event, _| {
        let seen = Arc::clone(&counted);
        async move {
            add(&seen, event.records.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some(SqsBatchResponse::default())
        }
    });
    until(|| read(&seen) == 20).await;
    mapping.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_lets_finish_what_runs() {
    let (client, queue) = lane(1).await;
    let finished = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&finished);
    let mapping = Mapping::start(client, queue, settings(), move |_, _| {
        let finished = Arc::clone(&count);
        async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            finished.fetch_add(1, Ordering::Relaxed);
            Some(SqsBatchResponse::default())
        }
    });
    until(|| read(&mapping.counts().running) == 1).await;
    mapping.stop().await;
    assert_eq!(read(&finished), 1);
}

//! The contract over AWS's adapters and a second AWS that others have written: ministack, in the environment of
//! `.ci/requirements/emulator.txt`. It agrees with the embedded one, or one of them is wrong. Where it differs from AWS's
//! documentation, [`DIFFERS`] says so by name.

use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::admission::DynamoAdmission;
use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::merchants::DynamoMerchants;
use aws::queue::{QueueUrls, SqsQueue};
use aws::store::DynamoStore;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_sqs::types::QueueAttributeName;
use cloud::embedded::{ADMISSION_TABLE, GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE, REGION, create_tables};
use payments::payment::Lane;

use super::admission::admission_contract;
use super::aws::{received, written};
use super::ended::ended_contract;
use super::gate::gate_contract;
use super::keys::key_contract;
use super::merchants::merchants_contract;
use super::open::{depth_contract, open_contract};
use super::queue::{self, DEAD_LETTER_RECEIVES_MAX, Inspect, Place, RECEIVES_MAX, Received, VISIBILITY_SECONDS};
use super::refunds::refund_contract;
use super::store::store_contract;

/// Cases of the contract that the emulator does not keep, with what AWS documents of it, if anything. One that it keeps by
/// now has to go from here.
const DIFFERS: [(&str, &str); 2] = [
    (
        "hiding what nobody holds is refused",
        "it hides what is visible again; \"ChangeMessageVisibility\": MessageNotInflight",
    ),
    ("a move is a new send", "it has no \"StartMessageMoveTask\""),
];

/// Set where a missing emulator is no excuse.
const NO_SKIP_VARIABLE: &str = "SLUICE_NO_SKIP";
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// The emulator's process, with empty tables and queues.
struct Emulator {
    process: Child,
    config: SdkConfig,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Either it has ended, or it does now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/emulator/bin/ministack");
    if program.is_file() {
        return Some(program);
    }
    assert!(std::env::var_os(NO_SKIP_VARIABLE).is_none(), "there is no {}", program.display());
    // Past the harness, which shows nothing of a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: the emulator is not installed; `.ci/tools.sh emulator` does that, with Python 3.11 or later"
    );
    None
}

impl Emulator {
    fn start(program: &Path) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).unwrap().port();
        let url = format!("http://127.0.0.1:{port}");
        let process = Command::new(program)
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ENDPOINT_URL", &url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(begun.elapsed() < STARTS_WITHIN, "the emulator does not listen");
            std::thread::sleep(Duration::from_millis(100));
        }
        let credentials = Credentials::new("test", "test", None, None, "emulator");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(url)
            .build();
        Self { process, config }
    }

    fn clients(&self) -> Clients {
        Clients::new(&self.config)
    }
}

struct Side {
    client: aws_sdk_sqs::Client,
    urls: [String; 4],
    arns: [String; 4],
}

const fn index(place: Place) -> usize {
    match place {
        Place::Lane(Lane::Standard) => 0,
        Place::Lane(Lane::High) => 1,
        Place::DeadLetter => 2,
        Place::Parked => 3,
    }
}

impl Side {
    /// From `parked` to the lanes, each behind the one before it.
    async fn create(client: aws_sdk_sqs::Client) -> (SqsQueue, Self) {
        let (mut urls, mut arns) = (Vec::new(), Vec::new());
        for (name, behind) in [("parked", None), ("dead-letter", Some(0)), ("high", Some(1)), ("standard", Some(1))] {
            let seconds = VISIBILITY_SECONDS.to_string();
            let mut queue =
                client.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, seconds);
            if let Some(behind) = behind {
                let arn: &String = &arns[behind];
                let most = if behind == 0 { DEAD_LETTER_RECEIVES_MAX } else { RECEIVES_MAX };
                let policy = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": most });
                queue = queue.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
            }
            let url = queue.send().await.unwrap().queue_url.unwrap();
            let attributes =
                client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn);
            let attributes = attributes.send().await.unwrap().attributes.unwrap();
            arns.push(attributes[&QueueAttributeName::QueueArn].clone());
            urls.push(url);
        }
        urls.reverse();
        arns.reverse();
        let side = Self { client, urls: urls.try_into().unwrap(), arns: arns.try_into().unwrap() };
        let [standard, high, dead_letter, _] = side.urls.clone();
        let queue = SqsQueue::new(side.client.clone(), QueueUrls { high, standard, dead_letter: Some(dead_letter) });
        (queue, side)
    }
}

impl Inspect for Side {
    async fn receive(&self, place: Place) -> Vec<Received> {
        received(&self.client, &self.urls[index(place)]).await
    }

    async fn delete(&self, place: Place, receipt_handle: &str) {
        let delete = self.client.delete_message().queue_url(&self.urls[index(place)]).receipt_handle(receipt_handle);
        delete.send().await.unwrap();
    }

    async fn move_all(&self, from: Place, _: Option<Place>) -> usize {
        let task = self.client.start_message_move_task().source_arn(&self.arns[index(from)]);
        task.send().await.expect("a move begins");
        panic!("the emulator moves messages: follow its task, as `sluice payments replay` does")
    }

    async fn wait_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    fn arn(&self, place: Place) -> String {
        self.arns[index(place)].clone()
    }
}

/// Plays a case of the queues' contract against an emulator of its own.
async fn case<F>(program: &Path, name: &str, play: impl FnOnce(Arc<SqsQueue>, Arc<Side>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let emulator = Emulator::start(program);
    let (queue, side) = Side::create(emulator.clients().sqs).await;
    let held = tokio::spawn(play(Arc::new(queue), Arc::new(side))).await.is_ok();
    match DIFFERS.iter().find(|(differs, _)| *differs == name) {
        None => assert!(held, "the emulator does not keep {name:?}"),
        Some((_, how)) => assert!(!held, "the emulator keeps {name:?} by now, where it was said that {how}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_aws_keeps_the_contract_of_the_tables() {
    let Some(program) = program() else { return };
    let emulator = Emulator::start(&program);
    let Clients { dynamodb, sqs } = emulator.clients();
    create_tables(&dynamodb).await.unwrap();
    let store = DynamoStore::new(dynamodb.clone(), PAYMENTS_TABLE);
    store_contract(&store).await;
    refund_contract(&store).await;
    key_contract(&store).await;
    open_contract(&store).await;
    // Parts of a scan it does not know: it reads all of the table for each.
    ended_contract(&store).await;
    let merchants = DynamoMerchants::new(dynamodb.clone(), MERCHANTS_TABLE);
    merchants_contract(&merchants, async |merchant| written(&dynamodb, merchant).await).await;
    let gates = DynamoGates::new(dynamodb, GATES_TABLE);
    gate_contract(Arc::new(gates.clone())).await;
    let (queue, side) = Side::create(sqs).await;
    let [standard, high, ..] = side.urls.clone();
    let urls = QueueUrls { high, standard, dead_letter: None };
    let admission = DynamoAdmission::new(&emulator.clients(), ADMISSION_TABLE, GATES_TABLE, "emulated", urls);
    admission_contract(Arc::new(admission), &gates, &queue, "emulated").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_aws_keeps_the_contract_of_the_queues_but_where_it_says_otherwise() {
    let Some(program) = program() else { return };
    let program = program.as_path();
    case(program, "an ARN names its queue", async |queue, side| queue::an_arn_names_its_queue(&*queue, &*side)).await;
    case(program, "what is sent is received", async |queue, side| {
        queue::what_is_sent_is_received(&*queue, &*side).await;
    })
    .await;
    case(program, "a delay is kept", async |queue, side| queue::a_delay_is_kept(&*queue, &*side).await).await;
    case(program, "what is hidden comes back in time", async |queue, side| {
        queue::what_is_hidden_comes_back_in_time(&*queue, &*side).await;
    })
    .await;
    case(program, "a delay that is too long is refused", async |queue, side| {
        queue::a_delay_that_is_too_long_is_refused(&*queue, &*side).await;
    })
    .await;
    case(program, "hiding for too long is refused", async |queue, side| {
        queue::hiding_for_too_long_is_refused(&*queue, &*side).await;
    })
    .await;
    case(program, "hiding by another handle is refused", async |queue, side| {
        queue::hiding_by_another_handle_is_refused(&*queue, &*side).await;
    })
    .await;
    case(program, "hiding what nobody holds is refused", async |queue, side| {
        queue::hiding_what_nobody_holds_is_refused(&*queue, &*side).await;
    })
    .await;
    case(program, "a redrive keeps the time of sending", async |queue, side| {
        queue::a_redrive_keeps_the_time_of_sending(&*queue, &*side).await;
    })
    .await;
    case(program, "a move is a new send", async |queue, side| queue::a_move_is_a_new_send(&*queue, &*side).await).await;
    case(program, "depths are counted", async |queue, side| depth_contract(&*queue, &*side).await).await;
}

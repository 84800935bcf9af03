//! The four functions as a deployment has them: a process each, with the template's settings; queues, tables and the
//! provider beside them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aws::clients::Clients;
use aws::store::DynamoStore;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use cloud::embedded::{
    ADMISSION_TABLE, Embedded, Endpoint, GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE, QueueNumbers, Queues, REGION,
    queue_arn,
};
use cloud::front::Front;
use cloud::local::provider::{Keys, Provider};
use cloud::mapping::{self, Mapping, QueueAddress};
use cloud::runtime_api::{Function, Settings};
use operator::client::{Answer, Base, Client};
use payments::id::PaymentId;
use payments::merchant::ApiKeyHash;
use payments::payment::Payment;
use ports::Store;
use serde_json::Value;

use super::built::binary;
use super::variables::{API_KEY, MERCHANT, PROVIDER_KEY, SECRETS, variables};
use crate::layout::template;

/// The functions' time-out.
pub(crate) const FUNCTION_TIMEOUT: Duration = Duration::from_secs(20);
const WAIT: Duration = Duration::from_mins(1);

/// How the provider and the queues behave.
pub(crate) struct Wiring {
    /// Calls a second.
    pub(crate) rate_per_second: u32,
    /// How long the provider's answer takes, in ms.
    pub(crate) latency_ms: (u64, u64),
    pub(crate) queues: QueueNumbers,
}

impl Default for Wiring {
    fn default() -> Self {
        Self {
            rate_per_second: 100,
            latency_ms: (10, 40),
            queues: QueueNumbers {
                visibility_seconds: 121,
                max_receive_count: 20,
                dead_letter_visibility_seconds: 121,
                dead_letter_max_receive_count: 5,
            },
        }
    }
}

/// All of it.
pub(crate) struct Deployment {
    pub(crate) embedded: Embedded,
    pub(crate) queues: Queues,
    pub(crate) watcher: Clients,
    pub(crate) store: DynamoStore,
    pub(crate) provider: Provider,
    pub(crate) ingest: Function,
    pub(crate) consumer: Function,
    pub(crate) dead_letter: Function,
    pub(crate) reconcile: Function,
    front: Front,
    _endpoint: Endpoint,
}

impl Deployment {
    pub(crate) async fn start(wiring: &Wiring) -> Self {
        let embedded = Embedded::start();
        embedded.create_tables().await.unwrap();
        let queues = embedded.create_queues(wiring.queues).await.unwrap();
        let endpoint = embedded.serve(any_port()).await.unwrap();
        let watcher = Clients::new(&embedded.config("watcher"));
        add_merchant(&watcher, MERCHANT, API_KEY).await;
        let arguments = [
            ("--latency-min-ms", wiring.latency_ms.0),
            ("--latency-max-ms", wiring.latency_ms.1),
            ("--rate", u64::from(wiring.rate_per_second)),
        ]
        .map(|(name, value)| [name.to_owned(), value.to_string()])
        .concat();
        let keys = Keys { key: PROVIDER_KEY, callback_key: None };
        let provider = Provider::start_program(&binary("dev"), any_port(), &arguments, keys).await.unwrap();
        let function = |name: &str| {
            Function::new(Settings {
                name: name.to_owned(),
                program: binary(name),
                aws_url: endpoint.url(),
                variables: variables(name, &queues, provider.base_url(), wiring.rate_per_second),
                timeout: FUNCTION_TIMEOUT,
                memory_mb: 512,
            })
        };
        let ingest = function("ingest");
        let behind = ingest.clone();
        let front = Front::start(any_port(), move |request| answered(behind.clone(), request)).await.unwrap();
        embedded.forget_calls();
        Self {
            store: DynamoStore::new(watcher.dynamodb.clone(), PAYMENTS_TABLE),
            consumer: function("consumer"),
            dead_letter: function("dead_letter"),
            reconcile: function("reconcile"),
            ingest,
            front,
            provider,
            watcher,
            queues,
            embedded,
            _endpoint: endpoint,
        }
    }

    pub(crate) fn functions(&self) -> [(&'static str, &Function); 4] {
        [
            ("ingest", &self.ingest),
            ("consumer", &self.consumer),
            ("dead_letter", &self.dead_letter),
            ("reconcile", &self.reconcile),
        ]
    }

    /// The mapping of the `standard` lane.
    pub(crate) fn lane(&self) -> Mapping {
        self.mapping(&self.queues.standard, "standard", (20, 1_000), &self.consumer)
    }

    /// The mapping of the DLQ.
    pub(crate) fn triage(&self) -> Mapping {
        self.mapping(&self.queues.dead_letter, "dead-letter", (10, 0), &self.dead_letter)
    }

    fn mapping(&self, url: &str, name: &'static str, batch: (usize, u64), function: &Function) -> Mapping {
        let client = aws_sdk_sqs::Client::new(&self.embedded.config("mappings"));
        let queue = QueueAddress { url: url.to_owned(), arn: queue_arn(url), region: REGION.to_owned() };
        let settings = mapping::Settings {
            name,
            batch_size: batch.0,
            window_ms: batch.1,
            maximum_concurrency: 2,
            function_timeout_ms: u64::try_from(FUNCTION_TIMEOUT.as_millis()).unwrap(),
            duplicate_share: 0.0,
            seed: 1,
        };
        Mapping::to_function(client, queue, settings, function.clone())
    }

    /// A merchant's request.
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        let base = Base::parse(&format!("http://{}", self.front.address())).unwrap();
        let mut client = Client::new(base, Duration::from_secs(30));
        client.post("/v1/payments", API_KEY, body.to_string()).await.unwrap()
    }

    pub(crate) async fn payment(&self, id: &str) -> Payment {
        let id = PaymentId::new(id).unwrap();
        self.store.get(&id).await.unwrap().expect("the payment stands")
    }

    /// What a function has called of AWS since the last time, by operation.
    pub(crate) fn calls_of(&self, who: &str) -> BTreeMap<String, u64> {
        let calls = self.embedded.calls().into_iter();
        calls.filter(|((label, _), _)| label == who).map(|((_, operation), count)| (operation, count)).collect()
    }

    /// Messages in a queue, whether or not somebody has them.
    pub(crate) async fn depth(&self, url: &str) -> u32 {
        let answer =
            self.watcher.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send();
        let attributes = answer.await.unwrap().attributes.unwrap_or_default();
        [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ]
        .iter()
        .map(|name| attributes.get(name).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0))
        .sum()
    }

    /// Each function has called only what its role allows, on the resources that it allows it on.
    /// `tests/emulator/permissions.py` tries the roles on every resource.
    pub(crate) fn assert_permitted(&self) {
        let in_the_template = |name: &str| {
            let (name, index) =
                name.split_once('/').map_or((name, String::new()), |(name, rest)| (name, format!("/{rest}")));
            let known = [
                (PAYMENTS_TABLE, "PaymentsTable"),
                (MERCHANTS_TABLE, "MerchantsTable"),
                (GATES_TABLE, "GatesTable"),
                (ADMISSION_TABLE, "AdmissionTable"),
                ("high", "HighQueue"),
                ("standard", "StandardQueue"),
                ("dead-letter", "DeadLetterQueue"),
                ("parked", "ParkedQueue"),
            ];
            let (_, resource) = known.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}"));
            format!("{resource}{index}")
        };
        let needed = self.embedded.permissions();
        for (function, _) in self.functions() {
            let allowed = template::allowed(function);
            for (_, action, resource) in needed.iter().filter(|(who, _, _)| who == function) {
                let needs = (action.clone(), in_the_template(resource));
                assert!(allowed.contains(&needs), "{function} needs {needs:?}, and its role allows {allowed:?}");
            }
        }
    }

    /// What all processes wrote must be JSON events without a secret.
    pub(crate) fn assert_clean_logs(&self, secrets: &[&str]) {
        for (name, function) in self.functions() {
            for line in function.log() {
                assert!(serde_json::from_str::<Value>(&line).is_ok(), "{name}: {line}");
                for secret in [secrets, &SECRETS].concat() {
                    assert!(!line.contains(secret), "{name}: {line}");
                }
            }
        }
    }
}

/// Waits until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(WAIT, waiting).await.unwrap_or_else(|_| panic!("never so: {what}"));
}

pub(crate) async fn add_merchant(clients: &Clients, merchant: &str, api_key: &str) {
    clients
        .dynamodb
        .put_item()
        .table_name(MERCHANTS_TABLE)
        .item("key_hash", AttributeValue::S(ApiKeyHash::of(api_key).unwrap().as_str().to_owned()))
        .item("merchant", AttributeValue::S(merchant.to_owned()))
        .send()
        .await
        .unwrap();
}

/// What API Gateway answers: the function's own answer, or a 500 when there is none.
async fn answered(function: Function, request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    match function.invoke(&request).await {
        Ok(answer) => serde_json::from_value(answer).unwrap_or_default(),
        Err(_) => ApiGatewayV2httpResponse::default(),
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

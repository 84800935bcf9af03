//! The ingest function: wiring, and nothing else.

use std::{convert::Infallible, process::ExitCode};

use aws::system::{SystemClock, SystemEntropy};
use aws::{clients::Clients, merchants::DynamoMerchants, queue::SqsQueue, settings::IngestSettings, store};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest as Request;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ports::Wired;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::start::start("ingest", run()).await
}

async fn run() -> Result<(), Error> {
    let settings = IngestSettings::from_environment()?;
    let clients = Clients::from_environment().await;
    let admission = ingest::wiring::admission(&clients, &settings);
    let Clients { dynamodb, sqs } = clients;
    let store = store::DynamoStore::new(dynamodb.clone(), settings.payments_table);
    let merchants = DynamoMerchants::new(dynamodb, settings.merchants_table);
    let queue = SqsQueue::new(sqs, settings.queues);
    let ledger = Wired { store, queue, clock: SystemClock, entropy: SystemEntropy, policy: settings.policy };
    let ingest = ingest::Ingest::new(ledger, merchants, Some(admission))
        .with_callbacks(settings.callbacks.map(ingest::wiring::callbacks).transpose()?)
        .with_provider_kind(settings.provider_kind)
        .with_recovery(settings.recovery);
    let answer = async |event: LambdaEvent<Request>| Ok::<_, Infallible>(Box::pin(ingest.handle(event.payload)).await);
    aws::start::ready("ingest", &settings.deployment);
    lambda_runtime::run(service_fn(answer)).await
}

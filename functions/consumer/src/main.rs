//! The consumer function: wiring, and nothing else.
use std::{convert::Infallible, process::ExitCode};

use aws::system::{SystemClock, SystemEntropy};
use aws::{clients::Clients, gates::DynamoGates, queue::SqsQueue, settings::ConsumerSettings, store::DynamoStore};
use aws_lambda_events::sqs::SqsEvent;
use consumer::{Consumer, wiring};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use payments::time::Timestamp;
use ports::Wired;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::start::start("consumer", run()).await
}

async fn run() -> Result<(), Error> {
    let settings = ConsumerSettings::from_environment()?;
    let (limits, gate) = (wiring::limits(&settings), settings.gate());
    let provider = providers::http::HttpProvider::new(wiring::provider_settings(&settings))?;
    let Clients { dynamodb, sqs } = Clients::from_environment().await;
    let store = DynamoStore::new(dynamodb.clone(), settings.payments_table);
    let (gates, queue) = (DynamoGates::new(dynamodb, settings.gates_table), SqsQueue::new(sqs, settings.queues));
    let ledger = Wired { store, queue, clock: SystemClock, entropy: SystemEntropy, policy: settings.policy };
    let consumer = Consumer::new(ledger, gates, provider, limits, gate);
    let answer = async |LambdaEvent { payload, context }: LambdaEvent<SqsEvent>| {
        Ok::<_, Infallible>(Box::pin(consumer.handle(payload, Timestamp::from_ms(context.deadline))).await)
    };
    aws::start::ready("consumer", &settings.deployment);
    lambda_runtime::run(service_fn(answer)).await
}

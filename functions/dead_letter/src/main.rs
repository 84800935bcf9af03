//! The dead_letter function: wiring, and nothing else.

use std::{convert::Infallible, process::ExitCode};

use aws::system::{SystemClock, SystemEntropy};
use aws::{clients::Clients, queue::SqsQueue, settings::DeadLetterSettings, store::DynamoStore};
use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use payments::time::Timestamp;
use ports::Wired;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::start::start("dead_letter", run()).await
}

async fn run() -> Result<(), Error> {
    let settings = DeadLetterSettings::from_environment()?;
    let Clients { dynamodb, sqs } = Clients::from_environment().await;
    let store = DynamoStore::new(dynamodb, settings.payments_table);
    let queue = SqsQueue::new(sqs, settings.queues);
    let ledger = Wired { store, queue, clock: SystemClock, entropy: SystemEntropy, policy: settings.policy };
    let triage = dead_letter::DeadLetter::new(ledger);
    let answer = async |LambdaEvent { payload, context }: LambdaEvent<SqsEvent>| {
        Ok::<_, Infallible>(Box::pin(triage.handle(payload, Timestamp::from_ms(context.deadline))).await)
    };
    aws::start::ready("dead_letter", &settings.deployment);
    lambda_runtime::run(service_fn(answer)).await
}

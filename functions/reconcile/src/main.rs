//! The reconcile function: wiring, and nothing else.

use std::{convert::Infallible, process::ExitCode};

use aws::system::{SystemClock, SystemEntropy};
use aws::{clients::Clients, gates::DynamoGates, queue::SqsQueue, settings::ReconcileSettings, store::DynamoStore};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use payments::time::Timestamp;
use ports::Wired;
use reconcile::{Reconcile, Watched};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::start::start("reconcile", run()).await
}

async fn run() -> Result<(), Error> {
    let settings = ReconcileSettings::from_environment()?;
    let Clients { dynamodb, sqs } = Clients::from_environment().await;
    let gates = DynamoGates::new(dynamodb.clone(), settings.gates_table);
    let gate = Watched { gates, provider: settings.provider_name };
    let store = DynamoStore::new(dynamodb, settings.payments_table);
    let queue = SqsQueue::new(sqs, settings.queues);
    let ledger = Wired { store, queue, clock: SystemClock, entropy: SystemEntropy, policy: settings.policy };
    let reconcile = Reconcile::new(ledger, gate, settings.max_heals_per_sweep);
    let answer = async |LambdaEvent { payload, context }: LambdaEvent<Value>| {
        Ok::<_, Infallible>(Box::pin(reconcile.invoked(payload, Timestamp::from_ms(context.deadline))).await)
    };
    aws::start::ready("reconcile", &settings.deployment);
    lambda_runtime::run(service_fn(answer)).await
}

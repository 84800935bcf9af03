//! The stack that a local system is to its operator: what a deployed one tells by the template's names, its `reconcile`, which
//! writes for a person, and the secret that its histories are linked under.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::clients::Clients;
use aws::gates::DynamoGates;
use aws::queue::SqsQueue;
use aws::store::DynamoStore;
use aws::system::{SystemClock, SystemEntropy};
use ports::{Clock, Wired};
use reconcile::{Reconcile, Watched};

use super::settings;
use crate::embedded::{Embedded, GATES_TABLE, Handler, MERCHANTS_TABLE, PAYMENTS_TABLE, Queues, Stack};

/// Its name.
pub const NAME: &str = "local";
/// Its function that writes for a person, under which name its calls are counted.
pub const RECONCILE: &str = "reconcile";
/// The secret with the keys of histories.
const HISTORY_SECRET: &str = "history-keys";

/// `reconcile` as a local system has it.
pub(super) type LocalReconcile = Reconcile<LocalLedger, DynamoGates>;

/// What the functions of a local system work with.
pub(super) type LocalLedger = Wired<DynamoStore, SqsQueue, SystemClock, SystemEntropy>;

/// The table and the queues, as a function reaches them with these clients.
pub(super) fn wired(clients: &Clients, queues: &Queues) -> LocalLedger {
    Wired {
        store: DynamoStore::new(clients.dynamodb.clone(), PAYMENTS_TABLE),
        queue: SqsQueue::new(clients.sqs.clone(), queues.urls()),
        clock: SystemClock,
        entropy: SystemEntropy,
        policy: settings::policy(),
    }
}

/// Where a system is reached, beside AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Where merchants send their payments.
    pub api_url: String,
    /// Where the sandbox provider shows its books.
    pub provider_url: String,
}

/// Shows the embedded AWS's tables and queues as a stack; returns its `reconcile`.
pub fn deploy(embedded: &Embedded, queues: &Queues, addresses: Option<&Addresses>) -> Arc<LocalReconcile> {
    let reconcile = Arc::new(reconcile(embedded, queues));
    embedded.deploy(Stack {
        name: NAME.to_owned(),
        outputs: outputs(queues, addresses),
        parameters: parameters(),
        secrets: BTreeMap::from([(HISTORY_SECRET.to_owned(), settings::history_keys_text())]),
        functions: BTreeMap::from([(RECONCILE.to_owned(), handler(&reconcile))]),
    });
    reconcile
}

fn reconcile(embedded: &Embedded, queues: &Queues) -> LocalReconcile {
    let clients = Clients::new(&embedded.config(RECONCILE));
    let gates = DynamoGates::new(clients.dynamodb.clone(), GATES_TABLE);
    let watched = Watched { gates, provider: settings::PROVIDER_NAME.to_owned() };
    Reconcile::new(wired(&clients, queues), watched, settings::MAX_HEALS_PER_SWEEP)
}

fn handler(reconcile: &Arc<LocalReconcile>) -> Handler {
    let reconcile = Arc::clone(reconcile);
    Arc::new(move |event| {
        let reconcile = Arc::clone(&reconcile);
        Box::pin(async move {
            let deadline = SystemClock.now().plus_ms(settings::FUNCTION_TIMEOUT_MS);
            serde_json::to_value(reconcile.invoked(event, deadline).await).unwrap_or_default()
        })
    })
}

fn outputs(queues: &Queues, addresses: Option<&Addresses>) -> BTreeMap<String, String> {
    let told = [
        ("PaymentsTableName", PAYMENTS_TABLE),
        ("MerchantsTableName", MERCHANTS_TABLE),
        ("GatesTableName", GATES_TABLE),
        ("ReconcileFunctionName", RECONCILE),
        ("HighQueueUrl", &queues.high),
        ("StandardQueueUrl", &queues.standard),
        ("DeadLetterQueueUrl", &queues.dead_letter),
        ("ParkedQueueUrl", &queues.parked),
    ];
    let reached = addresses.map(|at| [("ApiUrl", at.api_url.as_str()), ("SandboxUrl", at.provider_url.as_str())]);
    let all = told.into_iter().chain(reached.into_iter().flatten());
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Those of the template's that an operator's commands go by.
fn parameters() -> BTreeMap<String, String> {
    let policy = settings::policy();
    let numbers = [
        ("ConnectTimeoutMs", policy.connect_timeout_ms),
        ("CallTimeoutMs", policy.call_timeout_ms),
        ("ClaimLeadMs", policy.claim_lead_ms),
        ("SettleAllowanceMs", policy.settle_allowance_ms),
        ("AbsenceBoundMs", policy.absence_bound_ms),
        ("KeyWindowMs", policy.key_window_ms),
        ("ClockSkewMs", policy.clock_skew_ms),
        ("MaxAttempts", policy.max_attempts.into()),
        ("BackoffBaseMs", policy.backoff_base_ms),
        ("BackoffCapMs", policy.backoff_cap_ms),
        ("PendingBackoffBaseMs", policy.pending_backoff_base_ms),
        ("PendingBackoffCapMs", policy.pending_backoff_cap_ms),
        ("MaxHeals", policy.max_heals.into()),
        ("MissingItemGraceMs", policy.missing_item_grace_ms),
        ("NewerVersionGraceMs", policy.newer_version_grace_ms),
        ("RetentionMs", policy.retention_ms),
        ("OverdueAfterMs", policy.overdue_after_ms),
        ("ParkOverdueAfterMs", policy.park_overdue_after_ms),
    ];
    let numbers = numbers.map(|(name, value)| (name.to_owned(), value.to_string()));
    let names = [("ProviderName", settings::PROVIDER_NAME), ("HistorySecretName", HISTORY_SECRET)];
    let names = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
    numbers.into_iter().chain(names).collect()
}

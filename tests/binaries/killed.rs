//! SIGKILL to a process in the middle of its work: nothing is lost, and nothing happens twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use dev::embedded::{Fault, QueueNumbers, When};
use dev::runtime_api::Failure;
use futures_util::future::join_all;
use payments::payment::State;
use payments::ports::Store;
use serde_json::{Value, json};

use super::deployment::{Deployment, Wiring, until};

fn charge(order_id: &str) -> Value {
    json!({ "order_id": order_id, "kind": "charge", "amount": 100, "currency": "EUR" })
}

//! The real handlers over the ports in memory, in virtual time: what each does with one request or batch, and what all
//! of them together hold to while everything goes wrong.

mod admission;
mod bad_input;
mod breaker;
mod callback;
mod consumer;
mod dead_letter;
mod failing;
mod forgotten;
mod history;
mod ingest;
mod keys;
mod kinds;
pub mod logs;
mod looks;
mod lookup;
mod model;
mod operate;
mod provider_kind;
mod reconcile;
mod refunds;
mod sale;
mod simulation;
mod stage;
mod unavailable;
mod waits;
mod wording;

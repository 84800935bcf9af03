//! A model checker over the deployed rules: one payment, its messages, two consumers, the triage of dead letters, the
//! sweep, the merchant, a person and the provider, each a step at a time and in every order that there is.
//!
//! The rules are not written anew here. Every decision is made by `payments::transition`, `SendClaim::apply`, `triage` and
//! `Message::is_replay` themselves; what is modelled is the world around them. `consumer`, `dead_letter` and `desk` follow
//! the handlers' own steps from one I/O to the next, and `store::decide`'s loop: read, decide, write if the version still
//! stands, else decide anew on what does.

mod action;
mod bounds;
mod canonical;
mod check;
mod consumer;
mod dead_letter;
mod desk;
mod graph;
mod item;
mod payment_model;
mod properties;
mod provider;
mod rules;
mod tick;
mod world;

pub use bounds::Bounds;
pub use check::{ARRIVES, Report, Violation, check};
pub use rules::{DEPLOYED, Rules};

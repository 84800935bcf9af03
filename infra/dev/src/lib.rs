//! Sluice on one machine: the embedded AWS, the sandbox provider, and what a person runs by hand with `cargo dev`.
//!
//! Nothing here is ever deployed, and nothing that is deployed depends on it.

pub mod account;
pub mod books;
pub mod cli;
pub mod client;
pub mod demo;
pub mod embedded;
pub mod explain;
pub mod front;
pub mod load;
pub mod local;
pub mod mapping;
pub mod merchants;
pub mod model_check;
pub mod mutants;
pub mod ops;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod runtime_api;
pub mod sale;
pub mod sandbox;
pub mod sender;
pub mod simulate;
pub mod stack;
pub mod summary;
pub mod table;
pub mod transactions;
pub mod up;

//! What a person runs by hand with `cargo dev`.
//!
//! Nothing here is ever deployed, and nothing that is deployed depends on it.

pub mod account;
pub mod cli;
pub mod demo;
pub mod explain;
pub mod load;
pub mod merchants;
pub mod model_check;
pub mod mutants;
pub mod ops;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod sale;
pub mod sender;
pub mod simulate;
pub mod stack;
pub mod summary;
pub mod table;
pub mod transactions;
pub mod up;

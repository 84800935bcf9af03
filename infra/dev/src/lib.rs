//! What a developer runs by hand with `cargo dev`: the whole of Sluice on this machine, its checks, its plan.
//!
//! Nothing here is ever deployed, and nothing that is deployed depends on it.

pub mod cli;
pub mod demo;
pub mod localized;
pub mod merchants;
pub mod model_check;
pub mod mutants;
pub mod plan;
pub mod sale;
pub mod secrets;
pub mod simulate;
pub mod up;

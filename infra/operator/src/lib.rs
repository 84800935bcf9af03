//! What a person does to a running Sluice, by the command `sluice`: looks at payments, puts back what is parked, decides cases,
//! gives merchants their keys, paces a provider, restores, loads.
//!
//! It ends payments in production, so it keeps the lints of what is deployed.
// Its own tests may stop at the first broken promise.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

pub mod account;
pub mod caller;
pub mod cases;
pub mod cli;
pub mod client;
pub mod evidence;
pub mod failure;
pub mod function;
pub mod gate;
mod index;
pub mod load;
pub mod merchants;
pub mod payments;
pub mod restore;
pub mod stack;

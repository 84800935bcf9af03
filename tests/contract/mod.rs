//! The ports' contract: what every implementation of them promises, said once and held against each family, AWS's
//! adapters over the embedded AWS and the simulator's ports in memory.
//!
//! Nothing in the suites knows what it is run against. What a family alone promises is tested beside its instance.

pub mod admission;
pub mod ended;
pub mod gate;
pub mod keys;
pub mod merchants;
pub mod open;
pub mod queue;
pub mod refunds;
pub mod samples;
pub mod size;
pub mod store;

mod aws;
mod emulator;
mod memory;
mod settings;
mod settings_fields;

//! The simulator: the real handlers over ports in memory, in virtual time, on one thread, from one seed.
//!
//! The ports misbehave as DynamoDB, SQS and providers are documented to; environments crash before and after any I/O;
//! after each step, and at the end, the invariants of infra/docs/invariants.md are checked. What fails prints its seed, the trace that led there
//! and the command that repeats it.

mod ageing;
mod callbacks;
pub mod check;
pub mod faults;
pub mod mapping;
pub mod memory;
mod operator;
mod people;
mod poison;
mod refunds;
mod restore;
pub mod run;
pub mod sale;
pub mod scenario;
mod system;
pub mod world;

pub use faults::{Brownout, CrashPoint, Faults, Pause, Phase, Restore};
pub use run::{Report, Settings, run, sweep};

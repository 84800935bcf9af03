//! AWS behind the core's ports: DynamoDB, SQS, the clock, the dice, the settings and the logs.
//!
//! No decision about a payment is made here. An adapter writes what the core has decided, says truthfully whether it
//! was written, and never bends for an emulator.

pub mod admission;
pub mod clients;
mod ended;
pub mod gates;
mod item;
pub mod merchants;
pub mod open;
pub mod queue;
mod schedule;
pub mod settings;
pub mod start;
pub mod store;
pub mod system;
pub mod telemetry;
mod verdict;

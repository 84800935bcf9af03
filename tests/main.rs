//! Every test of the workspace that crosses a room, in one binary.
//!
//! `domain` holds the core to its rules, `contract` the ports' implementations to theirs, `provider` the adapter to
//! what a provider may do, `flow` the handlers to the invariants in simulation, `local` the whole system on this machine
//! to its bad days, `binaries` what is deployed to the Runtime API, `events` the sample invocations to what is said of
//! them, and `layout` the rooms to their order.

mod binaries;
mod contract;
mod domain;
mod events;
mod flow;
mod layout;
mod local;
mod provider;

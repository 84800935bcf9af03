//! The whole of Sluice on one machine, as `demo` and `up` run it: its numbers, its wiring, and the sandbox provider
//! beside it as a process of its own.

pub mod provider;
pub mod settings;
pub mod stack;
pub mod system;

//! The real binaries: each is built, started as a process against a Runtime API of its own, and reaches the embedded
//! AWS over HTTP and the sandbox provider in its own process.

mod built;
pub(crate) mod deployment;
mod killed;
mod one_payment;
mod operate;
mod sluice;
mod start;
mod up;
pub(crate) mod variables;

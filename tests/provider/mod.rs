//! The adapter for the open contract against the sandbox provider and against servers that keep no contract, over real
//! sockets.

mod answers;
mod callback;
mod connections;
mod requests;
mod sandbox;
mod support;

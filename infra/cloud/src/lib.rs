//! AWS and a provider on this machine: the embedded AWS, the event source mappings, the front that stands for API Gateway, the
//! Runtime API that runs the functions' binaries, the sandbox provider, and the whole system wired over them.
//!
//! Nothing here is ever deployed, and nothing that is deployed depends on it.

pub mod embedded;
pub mod front;
pub mod local;
pub mod mapping;
pub mod runtime_api;
pub mod sandbox;

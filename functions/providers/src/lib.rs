//! The providers' adapters: one module a provider, each of them behind [`payments::ports::Provider`].

pub mod http;

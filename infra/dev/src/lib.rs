//! dev

pub mod client;
pub mod demo;
pub mod embedded;
pub mod front;
pub mod load;
pub mod mapping;
pub mod merchants;
pub mod sandbox;
pub mod summary;
pub mod transactions;

//! The core of Sluice: what a payment is, what may happen to it and what an answer means.
//!
//! This room decides and does nothing: no AWS, no tokio, no clock and no randomness of its own may enter.
//! Time and dice are arguments; the world is reached through the traits of the room `ports`.

pub mod answer;
pub mod backoff;
pub mod card;
pub mod case;
pub mod chain;
pub mod entry;
pub mod evidence;
pub mod fingerprint;
pub mod history;
pub mod id;
pub mod idempotency;
pub mod index;
pub mod key;
pub mod limit;
pub mod merchant;
pub mod message;
pub mod money;
pub mod pass;
pub mod payment;
pub mod policy;
pub mod provider;
pub mod request;
pub mod state;
pub mod time;
pub mod transition;
pub mod write;

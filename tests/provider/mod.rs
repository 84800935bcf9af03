//! The contracts, and the adapter against the sandbox provider and against servers that keep no contract, over real
//! sockets.

mod alipay;
mod answers;
mod bad_input;
mod callback;
mod connections;
mod requests;
mod sandbox;
mod stripe;
mod support;
mod table;

pub(crate) use self::alipay::{KEYS as ALIPAY_KEYS, charge as alipay_charge};
pub(crate) use self::stripe::{KEYS as STRIPE_KEYS, charge as stripe_charge, intent as stripe_intent};

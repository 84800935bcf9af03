//! The providers: one transport, and a contract for each kind, behind [`ports::Provider`].
//!
//! - [`contract`] says what a contract is: what is written for an order, and what an answer means. Contracts are pure:
//!   they do no I/O, and time is an argument;
//! - [`callback`] says whether a callback is the provider's and what it says, likewise;
//! - [`open`] is our own contract, [`alipay`] is Alipay's, [`stripe`] is Stripe's;
//! - [`secret`] reads a provider's secret where it is more than one word;
//! - [`http`] is the transport: it connects and makes one call, whatever the contract.

pub mod alipay;
pub mod callback;
pub mod contract;
pub mod http;
pub mod open;
pub mod secret;
pub mod stripe;

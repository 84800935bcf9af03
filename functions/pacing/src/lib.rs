//! How fast: the gate that hands out send slots, the breaker and the brake that decide when and how many, the merchants'
//! buckets, and the estimate of a wait.
//!
//! This room decides and does nothing, as `payments` does: time is an argument.

pub mod admission;
pub mod brake;
pub mod breaker;
pub mod bucket;
pub mod gate;
pub mod schedule;

//! The mutants by the files that they are planted in, outermost first: what lies further in is built into more.

mod adapters;
mod consumer;
mod decisions;
mod doors;
mod edges;
mod exceptions;
mod forgetting;
mod gate;
mod messages;
mod numbers;
mod providers;
mod waits;
mod writes;

use crate::Mutant;

/// All of them.
pub(crate) const ALL: [&[Mutant]; 13] = [
    doors::MUTANTS,
    messages::MUTANTS,
    consumer::MUTANTS,
    gate::MUTANTS,
    waits::MUTANTS,
    writes::MUTANTS,
    decisions::MUTANTS,
    edges::MUTANTS,
    numbers::MUTANTS,
    providers::MUTANTS,
    adapters::MUTANTS,
    exceptions::MUTANTS,
    forgetting::MUTANTS,
];

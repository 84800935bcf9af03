//! The mutants by the files that they are planted in, outermost first: what lies further in is built into more.

mod consumer;
mod decisions;
mod doors;
mod forgetting;
mod gate;
mod messages;
mod writes;

use crate::Mutant;

/// All of them.
pub(crate) const ALL: [&[Mutant]; 7] = [
    doors::MUTANTS,
    messages::MUTANTS,
    consumer::MUTANTS,
    gate::MUTANTS,
    writes::MUTANTS,
    decisions::MUTANTS,
    forgetting::MUTANTS,
];

//! The mutants by the files that they are planted in, outermost first: what lies further in is built into more.

mod consumer;
mod decisions;
mod doors;
mod gate;
mod messages;
mod writes;

use crate::Mutant;

/// All of them.
pub(crate) const ALL: [&[Mutant]; 6] =
    [doors::MUTANTS, messages::MUTANTS, consumer::MUTANTS, gate::MUTANTS, writes::MUTANTS, decisions::MUTANTS];

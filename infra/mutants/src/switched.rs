//! One tree that holds every mutant at once, each behind a switch that is read when the tree runs: building once is
//! enough to judge them all. Only a copy is switched; what is deployed holds none of this.
//!
//! A mutant's text stands beside the original's: `if ::switch::on(7) { as the mutant } else { as it is }`. Where places lie
//! in one another, the inner one is switched in the original's branch only, because one mutant is on at a time.

mod generated;
mod places;
mod planted;
mod render;
mod tree;

pub use generated::{Apart, Files, Generated, Position, Span, line_of, switch as switch_generated};
pub use planted::{Planted, switch as switch_planted};
pub use render::{Line, Switched};
use tree::read;
pub use tree::{MUTANT_VARIABLE, REACHED_VARIABLE, UNKNOWN_MUTANT_CODE, add_switch};

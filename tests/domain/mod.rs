//! The core, held to its rules by properties: what has to hold is said once, and the cases are drawn.

mod admission;
mod answers;
mod backoff;
mod brake;
mod breaker;
mod cards;
mod edges;
mod evidence;
mod exact;
mod forgotten;
mod gate;
mod guards;
mod history;
mod ids;
mod limit;
mod message;
mod money;
mod names;
pub(crate) mod plan;
mod request;
mod restored;
mod rules;
mod spread;
mod story;
mod transitions;
mod walk;

use proptest::test_runner::Config;

/// So many cases, and no files left behind: a failing case prints itself.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

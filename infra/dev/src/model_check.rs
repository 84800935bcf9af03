//! `cargo dev model`: the deployed rules in every state within some bounds. The first property that is broken ends it,
//! with the steps that lead there and the command that repeats it.

use std::time::Instant;

use model::{Bounds, DEPLOYED, check};

/// Sets of bounds, explored one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored(pub Vec<Bounds>);

/// Reads `small`, `large` or one set of bounds.
pub fn parse(text: &str) -> Result<Explored, String> {
    Bounds::parse(text).map(Explored)
}

/// Explores. An error is one line; the steps that lead to it have been printed by then.
pub fn run(explored: &Explored) -> Result<(), String> {
    let begun = Instant::now();
    let mut states = 0;
    let mut nowhere: Option<Vec<&str>> = None;
    for bounds in &explored.0 {
        let report = check(*bounds, DEPLOYED);
        println!("{report}");
        if let Some(violation) = report.violation {
            return Err(format!("{} is broken; repeat it with: cargo dev model --bounds {bounds}", violation.property));
        }
        states += report.states;
        nowhere = Some(match nowhere {
            None => report.not_reached,
            Some(before) => before.into_iter().filter(|name| report.not_reached.contains(name)).collect(),
        });
    }
    let nowhere = nowhere.unwrap_or_default();
    println!("states           {states} in {:.1} s", begun.elapsed().as_secs_f64());
    println!("reached nowhere  {}", if nowhere.is_empty() { "nothing".to_owned() } else { nowhere.join("; ") });
    println!("VERDICT          good: I1, I3 and I4 held in every state, and from every state an end can be reached");
    Ok(())
}

//! One check: everything explored, every property judged, and from every state a way to an end looked for.

use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::graph::fingerprint;
use crate::payment_model::PaymentModel;
use crate::properties::{ALWAYS, SOMETIMES};
use crate::rules::Rules;
use crate::world::World;

/// The name of the property that is judged on the graph.
pub const ARRIVES: &str = "I2: from every state an end can be reached";

/// What a check came to.
#[derive(Debug)]
pub struct Report {
    /// What was explored.
    pub bounds: Bounds,
    /// Different states.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// Steps of the longest of all shortest paths.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// What was not reached, of what should be somewhere.
    pub not_reached: Vec<&'static str>,
    /// The property that was broken, and how.
    pub violation: Option<Violation>,
}

/// A broken property.
#[derive(Debug)]
pub struct Violation {
    /// Its name.
    pub property: &'static str,
    /// The steps that lead there, each with the state that it leads to.
    pub path: Vec<String>,
}

/// Explores everything within the bounds.
pub fn check(bounds: Bounds, rules: Rules) -> Report {
    let begun = Instant::now();
    let model = PaymentModel::new(bounds, rules);
    // One thread, so that the first path found is a shortest one and the recorder sees each state's own steps.
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).threads(1).spawn_bfs().join();
    let model = checker.model();
    model.recorder.lock().expect("one thread").close();
    let discoveries = checker.discoveries();
    let broken = ALWAYS.iter().find_map(|(name, _)| Some((*name, discoveries.get(name)?)));
    let violation = match broken {
        Some((property, path)) => {
            let steps = path.clone().into_vec();
            let worlds: Vec<World> = steps.into_iter().map(|(world, _)| world).collect();
            Some(Violation { property, path: tell(model, &worlds) })
        }
        None => dead_end(model),
    };
    let not_reached = SOMETIMES.iter().map(|(name, _)| *name).filter(|name| !discoveries.contains_key(name));
    Report {
        bounds,
        states: checker.unique_state_count(),
        steps: model.recorder.lock().expect("one thread").step_count(),
        depth: checker.max_depth(),
        not_reached: not_reached.collect(),
        violation,
        took: begun.elapsed(),
    }
}

fn dead_end(model: &PaymentModel) -> Option<Violation> {
    let way = model.recorder.lock().expect("one thread").way_to_a_dead_end()?;
    let mut worlds: Vec<World> = Vec::new();
    for print in way {
        let nexts = match worlds.last() {
            None => model.init_states(),
            Some(last) => model.next_states(last),
        };
        worlds.extend(nexts.into_iter().find(|world| fingerprint(world) == print));
    }
    Some(Violation { property: ARRIVES, path: tell(model, &worlds) })
}

fn tell(model: &PaymentModel, worlds: &[World]) -> Vec<String> {
    let mut told = Vec::new();
    if let Some(first) = worlds.first() {
        let sent = if first.messages[0].is_some() { "with its message" } else { "its message was never sent" };
        told.push(format!("accepted, {sent}"));
    }
    for pair in worlds.windows(2) {
        let [from, to] = pair else { continue };
        let steps = model.next_steps(from);
        let action = steps.into_iter().find(|(_, world)| world == to).map(|(action, _)| action.to_string());
        told.push(format!("{:<66} {}", action.unwrap_or_default(), stands(to)));
    }
    told
}

fn stands(world: &World) -> String {
    let item = world.item;
    let claim =
        item.claim.map(|claim| format!(" by {:?} from {} lease {}", claim.holder, claim.from.as_str(), claim.lease));
    let effects = world.provider.effects;
    format!(
        "{}{} attempts {}+{} ledger {:?} effects {effects}{}",
        item.state.as_str(),
        claim.unwrap_or_default(),
        item.attempts,
        item.attempts_left,
        world.provider.book,
        world.broken.map(|broken| format!(" BROKEN {broken:?}")).unwrap_or_default(),
    )
}

impl Report {
    /// Whether every property held.
    pub fn held(&self) -> bool {
        self.violation.is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "bounds           {}", self.bounds)?;
        let Self { states, steps, depth, .. } = self;
        writeln!(
            f,
            "explored         {states} states, {steps} steps, {depth} deep, in {:.1} s",
            self.took.as_secs_f64()
        )?;
        if let Some(Violation { property, path }) = &self.violation {
            writeln!(f, "broken           {property}")?;
            for (number, step) in path.iter().enumerate() {
                writeln!(f, "{number:>4}  {step}")?;
            }
        } else {
            writeln!(
                f,
                "not reached      {}",
                if self.not_reached.is_empty() { "nothing".to_owned() } else { self.not_reached.join("; ") }
            )?;
        }
        Ok(())
    }
}

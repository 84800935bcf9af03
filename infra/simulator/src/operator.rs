//! An operator in a run: sets rates up to the provider's limit, pauses, resumes and deploys, for as long as customers come;
//! or pauses once, for long.

use std::time::Duration;

use pacing::gate::{Note, Operation};
use ports::operate;

use crate::faults::Pause;
use crate::memory::MemoryGate;
use crate::system::System;
use crate::world::Environment;

/// Longest time between two changes, in ms: some come before the slots from before the last are used up.
const BETWEEN_MS: (u64, u64) = (50, 60_000);

/// Changes the gate until customers have stopped coming, and leaves it at the provider's limit.
pub(crate) async fn run(system: System, limit_per_second: u32) {
    let world = &system.world;
    let limit = u64::from(limit_per_second);
    while world.elapsed_ms() < world.faults.arrive_within_ms {
        tokio::time::sleep(Duration::from_millis(world.between(BETWEEN_MS.0, BETWEEN_MS.1))).await;
        let operation = match world.between(0, 4) {
            4 => {
                system.deploy();
                continue;
            }
            0 => Operation::Pause,
            1 => Operation::Resume,
            _ => Operation::Rate(u32::try_from(world.between(1, limit)).unwrap_or(1)),
        };
        change(&system, operation).await;
    }
    for operation in [Operation::Rate(limit_per_second), Operation::Resume] {
        until_done(&system, operation).await;
    }
}

/// Pauses, and resumes when it is over.
pub(crate) async fn pause(system: System, pause: Pause) {
    for (at_ms, operation) in [(pause.from_ms, Operation::Pause), (pause.until_ms, Operation::Resume)] {
        let wait_ms = at_ms.saturating_sub(system.world.elapsed_ms());
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        until_done(&system, operation).await;
    }
}

async fn until_done(system: &System, operation: Operation) {
    while !change(system, operation).await {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Changes the gate, as one run of a command, which may die. Says whether it is known to be done: there is no gate
/// before the first batch, a table may throttle, and who died cannot tell.
async fn change(system: &System, operation: Operation) -> bool {
    let world = &system.world;
    let environment = Environment::new(world, "operator");
    let gates = MemoryGate::new(&system.gates, &environment);
    let note = Note::new(world.now(), "operator", "as drawn").expect("the note has the form of one");
    system.gates.change_begins(world.now_us());
    let done = tokio::select! {
        biased;
        () = environment.death() => None,
        done = operate(&gates, "sandbox", operation, &note) => done.ok(),
    };
    if let Some(done) = &done {
        environment.note(&format!("{operation:?}"));
        system.gates.changed(&done.after, world.now_us());
    }
    done.is_some()
}

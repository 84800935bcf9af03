//! The graph of what was explored, and what can be reached in it backwards.
//!
//! The checker's own `eventually` overlooks cycles (its documentation says so), and a payment that is queried again and
//! again is one. So every step is recorded, and from the ends it is gone back: a state from which no end can be reached
//! is never arrived at.

use ahash::{AHashMap, RandomState};

use crate::world::World;

/// Records what the checker explores.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    numbers: AHashMap<u64, u32>,
    /// From where each state was first reached; a beginning's is itself.
    parents: Vec<u32>,
    steps: Vec<(u32, u32)>,
    ends: Vec<u32>,
    at: u32,
    done: bool,
}

impl Recorder {
    pub(crate) fn begins(&mut self, worlds: &[World]) {
        for world in worlds {
            if !self.done {
                self.at = u32::try_from(self.parents.len()).expect("fewer than 2^32 states");
                self.number(world);
            }
        }
    }

    /// The steps that follow are from this state.
    pub(crate) fn looks_at(&mut self, world: &World) {
        if self.done {
            return;
        }
        self.at = self.number(world);
        if world.has_ended() {
            self.ends.push(self.at);
        }
    }

    pub(crate) fn leads_to(&mut self, world: &World) {
        if self.done {
            return;
        }
        let to = self.number(world);
        self.steps.push((self.at, to));
    }

    /// From here on the checker only repeats paths.
    pub(crate) fn close(&mut self) {
        self.done = true;
    }

    pub(crate) fn step_count(&self) -> usize {
        self.steps.len()
    }

    fn number(&mut self, world: &World) -> u32 {
        let next = u32::try_from(self.parents.len()).expect("fewer than 2^32 states");
        let number = *self.numbers.entry(fingerprint(world)).or_insert(next);
        if number == next {
            self.parents.push(self.at);
        }
        number
    }

    /// The way to the first state found from which no end can be reached: fingerprints from the beginning on.
    pub(crate) fn way_to_a_dead_end(&self) -> Option<Vec<u64>> {
        let count = self.parents.len();
        let mut begins = vec![0_usize; count + 1];
        for (_, to) in &self.steps {
            begins[index(*to) + 1] += 1;
        }
        for number in 0..count {
            begins[number + 1] += begins[number];
        }
        let mut filled = begins.clone();
        let mut before = vec![0_u32; self.steps.len()];
        for (from, to) in &self.steps {
            let place = &mut filled[index(*to)];
            before[*place] = *from;
            *place += 1;
        }
        let mut arrives = vec![false; count];
        let mut open = self.ends.clone();
        for end in &open {
            arrives[index(*end)] = true;
        }
        while let Some(state) = open.pop() {
            for from in &before[begins[index(state)]..begins[index(state) + 1]] {
                if !arrives[index(*from)] {
                    arrives[index(*from)] = true;
                    open.push(*from);
                }
            }
        }
        let lost = arrives.iter().position(|arrives| !arrives)?;
        let mut way = vec![u32::try_from(lost).expect("fewer than 2^32 states")];
        while let Some(&last) = way.last()
            && self.parents[index(last)] != last
        {
            way.push(self.parents[index(last)]);
        }
        way.reverse();
        let named: AHashMap<u32, u64> = self.numbers.iter().map(|(print, number)| (*number, *print)).collect();
        Some(way.into_iter().map(|number| named[&number]).collect())
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("a machine of 32 bits or more")
}

pub(crate) fn fingerprint(world: &World) -> u64 {
    // The same in each run, so that a path repeats.
    RandomState::with_seeds(1, 2, 3, 4).hash_one(world)
}

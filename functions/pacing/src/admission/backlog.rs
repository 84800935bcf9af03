//! The figure of the lanes, which whoever of `ingest` finds it old measures for all.

use serde::{Deserialize, Serialize};

use super::crowd::Crowd;
use payments::payment::Lane;
use payments::time::Timestamp;

/// How many messages a lane holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Visible and delayed.
    pub waiting: u64,
    /// Received by somebody and not deleted.
    pub in_flight: u64,
}

impl Depth {
    /// Both.
    pub const fn all(self) -> u64 {
        self.waiting.saturating_add(self.in_flight)
    }

    /// Whether no more waits than is under way: whoever comes now is soon received.
    pub(super) const fn is_all_but_empty(self) -> bool {
        self.waiting <= self.in_flight
    }
}

/// How a lane filled, from when it was seen all but empty for the last time, or measured for the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filling {
    /// When that was.
    pub since: Timestamp,
    /// Calls that the provider had answered by then, ever.
    pub answered: u64,
    /// Whose payments came since, as far as those who measured have seen.
    pub crowd: Crowd,
}

/// What the lanes held when somebody measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// When.
    pub at: Timestamp,
    /// The `high` lane.
    pub high: Depth,
    /// How it filled; not known of a figure of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_filling: Option<Filling>,
    /// The `standard` lane.
    pub standard: Depth,
    /// As for the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_filling: Option<Filling>,
}

impl Backlog {
    /// A lane's.
    pub const fn depth(&self, lane: Lane) -> Depth {
        match lane {
            Lane::High => self.high,
            Lane::Standard => self.standard,
        }
    }

    pub(super) const fn filling(&self, lane: Lane) -> Option<&Filling> {
        match lane {
            Lane::High => self.high_filling.as_ref(),
            Lane::Standard => self.standard_filling.as_ref(),
        }
    }
}

/// What whoever measures the lanes knows already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    /// The figure before.
    pub before: Option<Backlog>,
    /// Calls that the provider has answered, ever.
    pub answered: u64,
    /// Whose payments came to the `high` lane here, and are in nobody's figure yet.
    pub high: Crowd,
    /// The same of the `standard` lane.
    pub standard: Crowd,
}

impl Gathered {
    /// The new figure.
    pub fn measured(&self, at: Timestamp, high: Depth, standard: Depth) -> Backlog {
        let filling = |lane, depth: Depth, seen: &Crowd| {
            let before = self.before.as_ref().and_then(|before| before.filling(lane));
            let goes_on = before.filter(|_| !depth.is_all_but_empty());
            let (since, answered) = goes_on.map_or((at, self.answered), |filling| (filling.since, filling.answered));
            // Whoever filled it before it was all but empty fills it no more.
            let crowd = match (before, goes_on) {
                (_, Some(filling)) => filling.crowd.with(seen),
                (Some(_), None) => Crowd::default(),
                (None, None) => seen.clone(),
            };
            Some(Filling { since, answered, crowd: crowd.largest() })
        };
        Backlog {
            at,
            high,
            high_filling: filling(Lane::High, high, &self.high),
            standard,
            standard_filling: filling(Lane::Standard, standard, &self.standard),
        }
    }
}

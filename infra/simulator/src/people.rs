//! The people of a run, once all else is at rest: they look things up in the provider's own console, end what is parked
//! with evidence, and decide about the money of each case.

use payments::answer::Found;
use payments::case::CaseResolution;
use payments::evidence::{Evidence, Operator};
use payments::payment::{Payment, State};
use payments::transition::{Event, Resolution};
use ports::{Ledger, Outcome};

use crate::system::System;
use crate::world::Environment;

const WHO: &str = "anna";

/// What they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decided {
    /// Parked payments that were ended.
    pub(crate) resolved: u64,
    /// Cases that were closed.
    pub(crate) closed: u64,
}

/// Sees to everything that waits for people.
pub(crate) async fn decide(system: &System) -> Decided {
    let mut decided = Decided::default();
    let person = Person {
        system,
        owner: Operator::new(WHO).expect("a name"),
        evidence: Evidence::new("console-1", WHO, "the provider's console").expect("evidence"),
    };
    for payment in system.table.payments() {
        if payment.state == State::Parked {
            decided.resolved += u64::from(person.resolves(&payment).await);
        }
        if payment.has_open_case() {
            person.closes(&payment).await;
            decided.closed += 1;
        }
    }
    decided
}

struct Person<'a> {
    system: &'a System,
    owner: Operator,
    evidence: Evidence,
}

impl Person<'_> {
    /// Ends a parked payment as the console has it, and says it twice, as people do.
    async fn resolves(&self, payment: &Payment) -> bool {
        let end = match self.system.ledger.found(&payment.id) {
            Some(Found::Approved { .. }) => Resolution::Succeeded,
            Some(Found::Declined { .. }) => Resolution::Declined,
            // Not done yet, so its end would be a guess: tomorrow. That it was parked no earlier than it may be is
            // `check.rs`'s to say.
            Some(Found::Accepted { .. }) => return false,
            None => Resolution::Canceled,
        };
        let event = Event::Resolve { end, evidence: &self.evidence };
        let ended = self.says(payment, &event).await;
        self.says(&ended, &event).await;
        if !ended.state.is_terminal() {
            self.system.world.violated("I2", &format!("{} was resolved and is {}", ended.id, ended.state.as_str()));
        }
        true
    }

    async fn closes(&self, payment: &Payment) {
        let taken = self.says(payment, &Event::TakeCase { owner: &self.owner }).await;
        let resolution = match self.system.world.between(0, 2) {
            0 => CaseResolution::Refund,
            1 => CaseResolution::RefundElsewhere,
            _ => CaseResolution::Accept,
        };
        let event = Event::CloseCase { resolution, evidence: &self.evidence };
        let closed = self.says(&taken, &event).await;
        self.says(&closed, &event).await;
        if closed.has_open_case() || closed.forget_at.is_none() || closed.state != payment.state {
            self.system.world.violated("I3", &format!("the case of {} was not closed", closed.id));
        }
    }

    /// Says it, and says it again when there is no answer or the command died.
    async fn says(&self, payment: &Payment, event: &Event<'_>) -> Payment {
        for _ in 0..10 {
            let environment = Environment::new(&self.system.world, WHO);
            let ledger = self.system.wired(&environment);
            let deciding = ledger.decide(payment.clone(), event);
            let decided = tokio::select! {
                biased;
                () = environment.death() => continue,
                decided = environment.run(deciding) => decided,
            };
            if let Ok(Outcome::Changed(stands) | Outcome::Kept(stands, _)) = decided {
                return *stands;
            }
        }
        self.system.world.violated("I2", &format!("nobody could decide about {}", payment.id));
        payment.clone()
    }
}

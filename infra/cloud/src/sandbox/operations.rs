//! The two operations on payments.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::answer;
use super::book::{Arrival, Asked, Begun, Operation, Outcome, Ticket};
use super::faults::{Drawn, Fault, draw};
use super::said::Said;
use super::server::{Dropped, Speaks, State};

/// A call that was let in, with what falls to it.
#[derive(Clone, Copy)]
pub(super) struct Admitted {
    ticket: Ticket,
    arrival: Arrival,
    drawn: Drawn,
}

/// Why a call was not let in.
#[derive(Clone, Copy)]
pub(super) enum Refusal {
    Unauthorized,
    RateLimited,
}

impl From<Refusal> for Said {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::Unauthorized,
            Refusal::RateLimited => Self::RateLimited,
        }
    }
}

impl State {
    /// Notes the call and draws for it, or refuses it: the key first, then the rate.
    pub(super) fn admit(
        &self,
        id: &str,
        operation: Operation,
        arrival: Arrival,
        authorized: bool,
    ) -> Result<Admitted, Refusal> {
        if !authorized {
            self.book.refuse(id, operation, arrival, "unauthorized");
            return Err(Refusal::Unauthorized);
        }
        let settings = &self.settings;
        let Some(ticket) = self.book.admit(id, operation, arrival, settings.rate_per_second) else {
            return Err(Refusal::RateLimited);
        };
        let mut drawn = draw(settings.seed, id, ticket.number, &settings.faults, settings.latency_ms);
        if drawn.slow {
            drawn.latency_ms += settings.slow_ms;
        }
        Ok(Admitted { ticket, arrival, drawn })
    }

    /// The faults that come before any effect, for sends and queries alike.
    async fn before_effect(&self, call: &Admitted) -> Option<Result<Said, Dropped>> {
        let fault = call.drawn.fault?;
        let latency = Duration::from_millis(call.drawn.latency_ms);
        match fault {
            Fault::RateLimited => {
                self.book.answered(call.ticket, "rate_limited");
                Some(Ok(Said::Locked))
            }
            Fault::ErrorBefore => {
                sleep(latency).await;
                self.book.answered(call.ticket, "error");
                Some(Ok(Said::Failed))
            }
            Fault::DropBefore => {
                sleep(latency).await;
                self.book.answered(call.ticket, "dropped");
                Some(Err(Dropped))
            }
            _ => None,
        }
    }

    /// Answers a query: what was true half way between its request and its answer.
    pub(super) async fn query(&self, id: &str, call: Admitted) -> Result<Said, Dropped> {
        if let Some(done) = self.before_effect(&call).await {
            return done;
        }
        let half = Duration::from_millis(call.drawn.latency_ms / 2);
        sleep(half).await;
        let found = self.book.find(id);
        sleep(half).await;
        let (name, said) = match found {
            Some((asked, outcome)) => (answer::name(outcome), Said::Told(asked, outcome)),
            None => ("not_found", Said::NotFound),
        };
        if call.drawn.fault == Some(Fault::WronglySigned) {
            self.book.answered(call.ticket, "wrongly_signed");
            return Ok(Said::WronglySigned(Box::new(said)));
        }
        self.book.answered(call.ticket, name);
        Ok(said)
    }

    /// Answers a query of another form: what `look` finds half way between its request and its answer, with its name in the
    /// book; or what is said instead.
    pub(super) async fn look<T>(
        &self,
        call: Admitted,
        look: impl FnOnce() -> (T, &'static str),
    ) -> Result<Result<T, Said>, Dropped> {
        if let Some(done) = self.before_effect(&call).await {
            return done.map(Err);
        }
        let half = Duration::from_millis(call.drawn.latency_ms / 2);
        sleep(half).await;
        let (found, name) = look();
        sleep(half).await;
        self.book.answered(call.ticket, name);
        Ok(Ok(found))
    }

    /// Notes that what a call asks for cannot be.
    pub(super) fn refuse(&self, call: Admitted) {
        self.book.answered(call.ticket, "invalid");
    }

    /// Answers a send.
    pub(super) async fn send(self: &Arc<Self>, id: &str, call: Admitted, asked: Asked) -> Result<Said, Dropped> {
        if let Some(done) = self.before_effect(&call).await {
            return done;
        }
        match self.book.begin(id, asked, call.arrival, Duration::from_millis(self.settings.key_window_ms)) {
            Begun::New => {
                if let Speaks::Stripe(account) = &self.speaks {
                    account.begins(id, &self.book);
                    if call.drawn.fault == Some(Fault::WronglySigned) {
                        self.forge(id);
                    }
                }
                // A task of its own: the effect lands, whether or not somebody still waits for the answer.
                let work = Arc::clone(self).process(id.to_owned(), asked, call);
                match tokio::spawn(work).await {
                    Ok(outcome) => self.reply(&call, Said::Told(asked, outcome), &asked, outcome).await,
                    Err(_) => Err(Dropped),
                }
            }
            Begun::Known(outcome) => {
                sleep(Duration::from_millis(call.drawn.latency_ms)).await;
                self.reply(&call, Said::Stands(asked, outcome), &asked, outcome).await
            }
            Begun::Busy => {
                self.book.answered(call.ticket, "conflict");
                Ok(Said::Busy)
            }
            Begun::OtherBody => {
                self.book.answered(call.ticket, "conflict");
                Ok(Said::OtherBody)
            }
        }
    }

    /// Lets happen what the send asks for, half way between its request and its answer.
    async fn process(self: Arc<Self>, id: String, asked: Asked, call: Admitted) -> Outcome {
        let half = Duration::from_millis(call.drawn.latency_ms / 2);
        let (outcome, before, after) = match call.drawn.fault {
            Some(Fault::Late) => (Outcome::Approved, Duration::from_millis(self.settings.late_ms), Duration::ZERO),
            Some(Fault::Decline) => (Outcome::Declined(call.drawn.decline_code), half, half),
            Some(Fault::Pending) => (Outcome::Accepted, half, half),
            _ => (Outcome::Approved, half, half),
        };
        sleep_until((call.arrival.instant + before).into()).await;
        self.book.settle(&id, outcome);
        self.call_back(&id, asked, outcome, &call.drawn);
        if outcome == Outcome::Accepted {
            let state = Arc::clone(&self);
            let id = id.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(state.settings.pending_ms)).await;
                state.book.settle(&id, Outcome::Approved);
                state.call_back(&id, asked, Outcome::Approved, &call.drawn);
            });
        }
        sleep(after).await;
        self.book.finish(&id);
        outcome
    }

    /// Says what came of it, or whatever the fault says instead.
    async fn reply(&self, call: &Admitted, said: Said, asked: &Asked, outcome: Outcome) -> Result<Said, Dropped> {
        match call.drawn.fault {
            Some(Fault::ErrorAfter) => {
                self.book.answered(call.ticket, "error");
                Ok(Said::FailedAfter)
            }
            Some(Fault::DropAfter) => {
                self.book.answered(call.ticket, "dropped");
                Err(Dropped)
            }
            Some(Fault::Unreadable) => {
                self.book.answered(call.ticket, "unreadable");
                Ok(Said::Altered(*asked, outcome))
            }
            Some(Fault::WronglySigned) => {
                self.book.answered(call.ticket, "wrongly_signed");
                Ok(Said::WronglySigned(Box::new(said)))
            }
            // Stays open in the book; the connection ends when the caller ends it.
            Some(Fault::Late) => pending().await,
            _ => {
                self.book.answered(call.ticket, answer::name(outcome));
                Ok(said)
            }
        }
    }
}

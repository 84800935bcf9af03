//! Intents and refunds. They stay for ever; only keys are forgotten.

use std::collections::{BTreeMap, HashMap};

use payments::payment::Kind;
use ports::Clock;
use serde_json::{Value, json};

use super::super::book::{Book, Outcome};
use super::answers::{self, Refusal};
use super::form::{Listing, Wanted};

/// An intent or a refund.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) key: String,
    pub(super) amount: u64,
    pub(super) currency: String,
    customer: Option<String>,
    payment_method: Option<String>,
    payment_intent: Option<String>,
    description: Option<String>,
    metadata: BTreeMap<String, String>,
    created: u64,
    /// What had come of it when its key was forgotten and used again; until then the book says it.
    ended: Option<Outcome>,
}

#[derive(Default)]
pub(super) struct Objects {
    /// In the order in which they were made.
    made: Vec<Object>,
    /// The last of each key.
    newest: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
    /// What was asked for last under each key.
    wanted: HashMap<String, Wanted>,
}

impl Objects {
    /// Notes what a request wants, should it be the first under its key.
    pub(super) fn asked(&mut self, wanted: Wanted) {
        self.wanted.entry(wanted.key.clone()).or_insert(wanted);
    }

    /// Makes the object of the first request under a key.
    pub(super) fn begin(&mut self, key: &str, book: &Book) {
        let Some(wanted) = self.wanted.get(key).cloned() else { return };
        if let Some(before) = self.newest.get(key).and_then(|&index| self.made.get_mut(index)) {
            before.ended = before.ended.or_else(|| book.ended(key));
        }
        let index = self.made.len();
        let id = id(wanted.kind, key, index);
        let currency = match self.charged(&wanted) {
            Some(intent) => intent.currency.clone(),
            None => wanted.currency,
        };
        self.by_id.insert(id.clone(), index);
        self.newest.insert(key.to_owned(), index);
        self.made.push(Object {
            id,
            kind: wanted.kind,
            key: key.to_owned(),
            amount: wanted.amount,
            currency,
            customer: wanted.customer,
            payment_method: wanted.payment_method,
            payment_intent: wanted.payment_intent,
            description: wanted.description,
            metadata: wanted.metadata,
            created: aws::system::SystemClock.now().seconds(),
            ended: None,
        });
    }

    pub(super) fn newest(&self, key: &str) -> Option<&Object> {
        self.newest.get(key).and_then(|&index| self.made.get(index))
    }

    pub(super) fn with_id(&self, kind: Kind, id: &str) -> Option<&Object> {
        self.by_id.get(id).and_then(|&index| self.made.get(index)).filter(|object| object.kind == kind)
    }

    fn charged(&self, wanted: &Wanted) -> Option<&Object> {
        wanted.payment_intent.as_deref().and_then(|id| self.with_id(Kind::Charge, id))
    }

    /// Whether a request can be made at all; for a refund, whether its intent bears it. Takes a refund's currency from there.
    pub(super) fn allow(&self, wanted: &mut Wanted, book: &Book) -> Result<(), Refusal> {
        let Some(id) = &wanted.payment_intent else { return Ok(()) };
        let Some(intent) = self.charged(wanted) else {
            return Err(Refusal::invalid(
                "resource_missing",
                "payment_intent",
                &format!("No such payment_intent: '{id}'"),
            ));
        };
        if intent.outcome(book) != Some(Outcome::Approved) {
            let why = "This PaymentIntent does not have a successful charge to refund";
            return Err(Refusal::invalid("payment_intent_unexpected_state", "payment_intent", why));
        }
        intent.currency.clone_into(&mut wanted.currency);
        if self.newest(&wanted.key).is_some() {
            // It is judged by its key.
            return Ok(());
        }
        let of_it = self.made.iter().filter(|object| object.payment_intent.as_deref() == Some(id.as_str()));
        let given_back: u64 = of_it
            .filter(|object| object.outcome(book) != Some(Outcome::Declined("")))
            .map(|object| object.amount)
            .sum();
        if given_back >= intent.amount {
            let why = format!("{id} has already been refunded");
            return Err(Refusal::invalid("charge_already_refunded", "payment_intent", &why));
        }
        if given_back + wanted.amount > intent.amount {
            return Err(Refusal::uncoded(
                "amount",
                "Refund amount is greater than the unrefunded amount on the charge",
            ));
        }
        Ok(())
    }

    /// The newest first, and whether there are more. What nothing has come of yet is not there yet.
    pub(super) fn list(&self, listing: &Listing, book: &Book) -> (Vec<Value>, bool) {
        let before = listing.starting_after.as_deref().and_then(|id| self.by_id.get(id).copied());
        let mut found =
            self.made.get(..before.unwrap_or(self.made.len())).unwrap_or_default().iter().rev().filter_map(|object| {
                let is_listed = object.kind == listing.kind
                    && (listing.created.0..=listing.created.1).contains(&object.created)
                    && listing.customer.as_ref().is_none_or(|customer| object.customer.as_ref() == Some(customer))
                    && listing
                        .payment_intent
                        .as_ref()
                        .is_none_or(|intent| object.payment_intent.as_ref() == Some(intent));
                let outcome = is_listed.then(|| object.outcome(book)).flatten()?;
                Some(object.shown(outcome))
            });
        let page: Vec<Value> = found.by_ref().take(listing.limit).collect();
        (page, found.next().is_some())
    }
}

impl Object {
    /// What has come of it, if anything has.
    pub(super) fn outcome(&self, book: &Book) -> Option<Outcome> {
        self.ended.or_else(|| book.find(&self.key).map(|(_, outcome)| outcome))
    }

    /// The object as it is shown once this has come of it.
    pub(super) fn shown(&self, outcome: Outcome) -> Value {
        match self.kind {
            Kind::Charge | Kind::Payout => self.intent(outcome),
            Kind::Refund => json!({
                "id": self.id,
                "object": "refund",
                "amount": self.amount,
                "balance_transaction": null,
                "charge": self.payment_intent.as_ref().map(|intent| intent.replacen("pi_", "ch_", 1)),
                "created": self.created,
                "currency": self.currency,
                "failure_reason": if matches!(outcome, Outcome::Declined(_)) { Some("declined") } else { None },
                "metadata": self.metadata,
                "payment_intent": self.payment_intent,
                "reason": null,
                "receipt_number": null,
                "status": match outcome {
                    Outcome::Approved => "succeeded",
                    Outcome::Accepted => "pending",
                    Outcome::Declined(_) => "failed",
                },
            }),
        }
    }

    fn intent(&self, outcome: Outcome) -> Value {
        let is_approved = outcome == Outcome::Approved;
        let failure = match outcome {
            Outcome::Declined(code) => Some(answers::card_error(code)),
            Outcome::Approved | Outcome::Accepted => None,
        };
        json!({
            "id": self.id,
            "object": "payment_intent",
            "amount": self.amount,
            "amount_capturable": 0,
            "amount_received": if is_approved { self.amount } else { 0 },
            "automatic_payment_methods": { "allow_redirects": "never", "enabled": true },
            "canceled_at": null,
            "capture_method": "automatic_async",
            "client_secret": format!("{}_secret_sandbox", self.id),
            "confirmation_method": "automatic",
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "last_payment_error": failure,
            "latest_charge": self.id.replacen("pi_", "ch_", 1),
            "livemode": false,
            "metadata": self.metadata,
            "next_action": null,
            // A method that has failed is taken off.
            "payment_method": if failure_is_none(outcome) { self.payment_method.as_deref() } else { None },
            "payment_method_types": ["card"],
            "status": match outcome {
                Outcome::Approved => "succeeded",
                Outcome::Accepted => "processing",
                Outcome::Declined(_) => "requires_payment_method",
            },
        })
    }
}

const fn failure_is_none(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Declined(_))
}

/// 24 letters and digits behind a prefix, different for each.
fn id(kind: Kind, key: &str, index: usize) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefgh";
    let prefix = if kind == Kind::Refund { "re" } else { "pi" };
    let start = key.bytes().fold(index as u128 + 1, |sum, byte| sum.wrapping_mul(257).wrapping_add(u128::from(byte)));
    let word: String = (0..16).map(|place| char::from(LETTERS[(start >> (place * 5)) as usize % 32])).collect();
    format!("{prefix}_3{index:07}{word}")
}

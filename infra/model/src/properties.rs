//! What holds in every state, by the numbers of infra/docs/invariants.md; and what has to be reached somewhere, so that a check
//! that never got there is not taken for one that found nothing.

use payments::payment::State;
use stateright::Property;

use crate::payment_model::PaymentModel;
use crate::world::{Book, Broken, Consumer, World};

type Condition = fn(&PaymentModel, &World) -> bool;

/// A step that is wrong in itself comes before what it leads to, so that it is what is told.
pub(crate) const ALWAYS: [(&str, Condition); 11] = [
    ("I1: nothing is sent again that the provider has", |_, world| world.broken != Some(Broken::SentAgain)),
    ("I1: nothing is sent again while an earlier request may yet arrive", |_, world| {
        world.broken != Some(Broken::SentWhileUnderWay)
    }),
    ("I1: nothing is sent past the key window", |_, world| world.broken != Some(Broken::SentPastKeyWindow)),
    ("I3: a terminal state never changes", |_, world| world.broken != Some(Broken::EndChanged)),
    ("I4: a message is deleted only when it is needless", |_, world| world.broken != Some(Broken::DeletedEarly)),
    ("every answer under a claim that stands is written down", |_, world| world.broken != Some(Broken::AnswerDropped)),
    ("every decision raises the version by one", |_, world| world.broken != Some(Broken::VersionKept)),
    ("I1: at most one effect", |_, world| world.provider.effects <= 1),
    ("I1: no effect under declined, canceled or expired without a case", |_, world| {
        let denied = matches!(world.item.state, State::Declined | State::Canceled | State::Expired);
        !(denied && world.provider.effects > 0 && !world.item.late_success)
    }),
    ("I1: no succeeded without an effect", |_, world| {
        world.item.state != State::Succeeded || world.provider.effects > 0
    }),
    // So that no claim finds one, and what a consumer does then is left to a test that puts it there by hand.
    ("no queued payment bears a wish to cancel", |_, world| {
        !(world.item.state == State::Queued && world.item.cancel_requested)
    }),
];

pub(crate) const SOMETIMES: [(&str, Condition); 13] = [
    ("succeeded", |_, world| world.item.state == State::Succeeded),
    ("declined", |_, world| world.item.state == State::Declined),
    ("canceled", |_, world| world.item.state == State::Canceled),
    ("parked", |_, world| world.item.state == State::Parked),
    ("pending", |_, world| world.item.state == State::Pending),
    ("money moved and nobody here knows", |_, world| world.provider.effects > 0 && world.item.state == State::Unknown),
    ("a lease taken over while its holder still waits", |_, world| {
        let calling = |consumer: &Consumer| matches!(consumer, Consumer::Calling { .. });
        world.consumers.iter().all(calling)
    }),
    ("sent again after absence was proved", |_, world| world.item.attempts >= 2 && world.provider.request.is_some()),
    ("sent again, and done the second time", |_, world| world.item.attempts >= 2 && world.provider.effects > 0),
    ("the key window over", |model, world| {
        world.provider.key_age == Some(model.bounds.key_window) && world.provider.book == Book::Nothing
    }),
    ("a person's replay taken up after a send", |model, world| {
        world.replays < model.bounds.replays
            && world.item.state == State::Unknown
            && world.item.attempts_left + world.item.attempts > model.bounds.attempts
    }),
    ("parked because the provider no longer says that it has it", |_, world| {
        world.item.state == State::Parked && world.provider.book == Book::Vanished
    }),
    ("no heal left", |model, world| world.item.heal.is_some_and(|heal| heal.times >= model.bounds.heals.max(1))),
];

pub(crate) fn all() -> Vec<Property<PaymentModel>> {
    let always = ALWAYS.map(|(name, condition)| Property::always(name, condition));
    let sometimes = SOMETIMES.map(|(name, condition)| Property::sometimes(name, condition));
    always.into_iter().chain(sometimes).collect()
}

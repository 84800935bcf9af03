//! A replay and its preview: over the AWS that `cargo dev up` shows to commands.

use std::net::Ipv4Addr;

use aws::system::{SystemClock, SystemEntropy};
use cloud::embedded::{Embedded, QueueNumbers};
use cloud::local::settings;
use cloud::local::stack::deploy;
use operator::account::Account;
use operator::evidence::write;
use operator::payments::replay::{Would, dry_run, replay};
use payments::answer::{SendAnswer, Unclear};
use payments::evidence::Evidence;
use payments::fingerprint::Fingerprint;
use payments::id::{ClaimId, MerchantId, OrderId, PaymentId};
use payments::message::{LATE_SEND_MS, Message};
use payments::payment::{Kind, Order, Payment, State};
use payments::policy::Policy;
use payments::transition::{Event, Resolution};
use ports::{Clock, Outcome, Store};
use reconcile::operate::{End, Request, Said};

use super::place::account;
use crate::contract::samples::order;

/// Deployed numbers, but for one attempt only.
fn policy() -> Policy {
    Policy { max_attempts: 1, absence_bound_ms: 1, clock_skew_ms: 0, ..settings::policy() }
}

struct Desk {
    account: Account,
    _endpoint: cloud::embedded::Endpoint,
}

impl Desk {
    async fn open() -> Self {
        let embedded = Embedded::start();
        embedded.create_tables().await.unwrap();
        let numbers = QueueNumbers {
            visibility_seconds: 0,
            max_receive_count: 1,
            dead_letter_visibility_seconds: 0,
            dead_letter_max_receive_count: 1,
        };
        let queues = embedded.create_queues(numbers).await.unwrap();
        deploy(&embedded, &queues, None);
        let endpoint = embedded.serve((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        Self { account: account(&endpoint).await, _endpoint: endpoint }
    }

    /// Writes a payment of so many attempts left, after so many events.
    async fn payment(&self, number: &str, attempts_left: u32, events: &[Event<'_>]) -> Payment {
        let store = self.account.store();
        let order = Order { order_id: OrderId::new(number).unwrap(), expires_at: None, ..order() };
        let fingerprint = Fingerprint::of([("order_id", number)]);
        let policy = Policy { max_attempts: attempts_left, ..policy() };
        let moment = ports::moment(&SystemClock, &SystemEntropy, &policy);
        let mut payment = Payment::accepted(order, fingerprint, &moment);
        store.put(&payment).await.unwrap();
        for event in events {
            let entropy = SystemEntropy;
            match ports::decide(&store, &SystemClock, &entropy, &policy, payment, event).await.unwrap() {
                Outcome::Changed(changed) => payment = *changed,
                other => panic!("{event:?}: {other:?}"),
            }
        }
        payment
    }

    /// Puts a message into the parked queue as it gets there: received too often in its lane, then in the DLQ.
    async fn park(&self, body: &str) {
        let sqs = &self.account.clients.sqs;
        let (standard, dead_letter) =
            (&self.account.queues.standard, self.account.queues.dead_letter.as_ref().unwrap());
        sqs.send_message().queue_url(standard).message_body(body).send().await.unwrap();
        for url in [standard, standard, dead_letter, dead_letter] {
            sqs.receive_message().queue_url(url).visibility_timeout(0).send().await.unwrap();
        }
    }

    fn message(payment: &Payment, age_ms: u64) -> String {
        let sent_at = SystemClock.now().minus_ms(age_ms);
        Message::new(payment.id.clone(), payment.order.merchant.clone(), sent_at).to_body()
    }
}

fn claim() -> ClaimId {
    ClaimId::from_bits(7)
}

#[tokio::test]
async fn a_preview_says_for_each_payment_what_a_replay_does_and_why_and_touches_nothing() {
    let desk = Desk::open().await;
    let lease_until = SystemClock.now().plus_ms(60_000);
    let claimed = Event::Claim { id: claim(), lease_until };
    let timed_out = SendAnswer::Unclear(Unclear::TimedOut);
    let unclear = Event::SendAnswered { claim: &claim(), answer: &timed_out };
    let never_sent = desk.payment("never-sent", 0, &[Event::DeadLettered]).await;
    let ended = desk
        .payment(
            "ended",
            0,
            &[
                Event::DeadLettered,
                Event::Resolve {
                    end: Resolution::Canceled,
                    evidence: &Evidence::new("ticket-17", "anna", "never sent").unwrap(),
                },
            ],
        )
        .await;
    let sent = desk.payment("sent", 1, &[claimed, unclear]).await;
    assert_eq!((never_sent.state, sent.state), (State::Parked, State::Unknown));
    let young = desk.payment("young", 0, &[Event::DeadLettered]).await;
    let without_message = desk.payment("without-message", 0, &[Event::DeadLettered]).await;
    for (payment, age_ms) in [(&never_sent, LATE_SEND_MS), (&ended, LATE_SEND_MS), (&sent, LATE_SEND_MS), (&young, 0)] {
        desk.park(&Desk::message(payment, age_ms)).await;
    }
    desk.park("nobody's").await;

    let lines = dry_run(&desk.account, &policy()).await.unwrap();
    let of = |id: &PaymentId| {
        let line = lines.iter().find(|line| line.name == id.as_str());
        let line = line.unwrap_or_else(|| panic!("{id} is not in the preview"));
        (line.would.would, line.would.why.clone())
    };
    assert_eq!(of(&never_sent.id).0, Would::Send);
    assert_eq!(of(&ended.id), (Would::Nothing, of(&ended.id).1));
    assert!(of(&ended.id).1.contains("canceled"), "{}", of(&ended.id).1);
    assert!(of(&sent.id).1.contains("not parked but unknown"), "{}", of(&sent.id).1);
    assert!(of(&young.id).1.contains("two minutes"), "{}", of(&young.id).1);
    let (would, why) = of(&without_message.id);
    assert_eq!(would, Would::Send);
    assert!(why.contains("its message is gone"), "{why}");
    assert!(lines.iter().any(|line| line.name.starts_with("message ") && line.would.would == Would::Nothing));
    assert_eq!(lines.len(), 6);

    let again = dry_run(&desk.account, &policy()).await.unwrap();
    assert_eq!(again.len(), lines.len(), "whoever looks twice sees the same");
    for payment in [&never_sent, &ended, &sent, &young, &without_message] {
        assert_eq!(desk.account.store().get(&payment.id).await.unwrap().as_ref(), Some(payment));
    }
}

#[tokio::test]
async fn a_replay_moves_the_messages_back_and_starts_from_the_item_what_has_none() {
    let desk = Desk::open().await;
    let with_message = desk.payment("with-message", 0, &[Event::DeadLettered]).await;
    let without_message = desk.payment("without-message", 0, &[Event::DeadLettered]).await;
    desk.park(&Desk::message(&with_message, LATE_SEND_MS)).await;

    let done = replay(&desk.account, &policy()).await.unwrap();
    assert_eq!((done.moved, done.started), (1, 1));
    let store = desk.account.store();
    // The message is in the DLQ again, where `dead_letter` takes it for a person's; the item waits for that.
    assert_eq!(store.get(&with_message.id).await.unwrap().unwrap().state, State::Parked);
    let started = store.get(&without_message.id).await.unwrap().unwrap();
    assert_eq!((started.state, started.attempts_left), (State::Queued, 1));
    let url = desk.account.queues.standard.clone();
    let sqs = &desk.account.clients.sqs;
    let received = sqs.receive_message().queue_url(url).send().await.unwrap().messages.unwrap_or_default();
    let message = Message::parse(received[0].body.as_deref().unwrap()).unwrap();
    assert_eq!(message.payment_id, without_message.id);

    let again = replay(&desk.account, &policy()).await.unwrap();
    assert_eq!((again.moved, again.started), (0, 1), "the parked one's message is on its way; starting it is no harm");
}

#[test]
fn an_id_can_be_derived_from_what_the_merchant_knows() {
    let merchant = MerchantId::new("shop").unwrap();
    let id = PaymentId::derive(&merchant, Kind::Charge, &OrderId::new("A/1").unwrap());
    assert_eq!(operator::payments::read_id("shop/charge/A/1"), Ok(id));
}

#[tokio::test]
async fn a_person_ends_a_parked_payment_with_evidence_and_nothing_else() {
    let desk = Desk::open().await;
    let parked = desk.payment("parked", 0, &[Event::DeadLettered]).await;
    let queued = desk.payment("queued", 1, &[]).await;
    let evidence = Evidence::new("ticket-17", "anna", "never sent").unwrap();
    let cancels = |payment: &Payment| Request::Resolve {
        payment_id: payment.id.clone(),
        end: End::Canceled,
        said: Said { reference: "ticket-17".to_owned(), who: "anna".to_owned(), why: "never sent".to_owned() },
    };
    let refused = write(&desk.account, &cancels(&queued)).await.unwrap_err().to_string();
    assert!(refused.contains("it is queued"), "{refused}");
    let ended = write(&desk.account, &cancels(&parked)).await.unwrap();
    assert_eq!(ended.state, State::Canceled);
    assert_eq!(ended.history.last().unwrap().provider_text, Some(evidence.text()));
    let refused = write(&desk.account, &cancels(&parked)).await.unwrap_err().to_string();
    assert!(refused.contains("it is canceled"), "an end is for ever: {refused}");
}

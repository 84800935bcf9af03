//! What each answer means, as the table of infra/docs/answers.md says it: every answer to a send and to a query, first and after an
//! attempt that may have had an effect. A new answer does not compile until it has its line here.

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::ClaimId;
use payments::payment::{Payment, Reason, State};
use payments::transition::{Event, Kept, Step, transition};

use crate::contract::samples::{NOW, held, in_state, moment, order, policy, reference, sending, step};

const RETRY_AFTER_MS: u64 = 90_000;

fn founds() -> Vec<Found> {
    vec![
        Found::Approved { reference: reference() },
        Found::Accepted { reference: None },
        Found::Declined { code: ProviderText::new("card_declined") },
    ]
}

fn not_takens() -> Vec<NotTaken> {
    vec![
        NotTaken::RateLimited { retry_after_ms: None },
        NotTaken::RateLimited { retry_after_ms: Some(RETRY_AFTER_MS) },
        NotTaken::ConnectFailed,
        NotTaken::CredentialsRefused,
        NotTaken::NotWritten,
    ]
}

const UNCLEARS: [Unclear; 5] =
    [Unclear::TimedOut, Unclear::ConnectionLost, Unclear::ProviderError, Unclear::Conflict, Unclear::Unreadable];

fn send_answers() -> Vec<SendAnswer> {
    let founds = founds().into_iter().map(SendAnswer::Found);
    let not_takens = not_takens().into_iter().map(SendAnswer::NotTaken);
    founds.chain(not_takens).chain(UNCLEARS.map(SendAnswer::Unclear)).collect()
}

fn query_answers() -> Vec<QueryAnswer> {
    let founds = founds().into_iter().map(QueryAnswer::Found);
    let not_takens = not_takens().into_iter().map(QueryAnswer::NotTaken);
    let others = UNCLEARS.map(QueryAnswer::Unclear).into_iter().chain([QueryAnswer::NotFound]);
    founds.chain(not_takens).chain(others).collect()
}

const fn refused(why: NotTaken) -> Reason {
    match why {
        NotTaken::RateLimited { .. } => Reason::RateLimited,
        NotTaken::ConnectFailed => Reason::ConnectFailed,
        NotTaken::CredentialsRefused => Reason::CredentialsRefused,
        NotTaken::NotWritten => Reason::NotWritten,
    }
}

const fn unclear(why: Unclear) -> Reason {
    match why {
        Unclear::TimedOut => Reason::TimedOut,
        Unclear::ConnectionLost => Reason::ConnectionLost,
        Unclear::ProviderError => Reason::ProviderError,
        Unclear::Conflict => Reason::ConflictAtProvider,
        Unclear::Unreadable => Reason::UnreadableAnswer,
    }
}

/// State, reason, and attempts used, after a first send.
const fn first_send(answer: &SendAnswer) -> (State, Reason, u32) {
    match answer {
        SendAnswer::Found(Found::Approved { .. }) => (State::Succeeded, Reason::Approved, 1),
        SendAnswer::Found(Found::Accepted { .. }) => (State::Pending, Reason::PendingAtProvider, 1),
        SendAnswer::Found(Found::Declined { .. }) => (State::Declined, Reason::DeclinedByProvider, 1),
        SendAnswer::NotTaken(why) => (State::Queued, refused(*why), 0),
        SendAnswer::Unclear(why) => (State::Unknown, unclear(*why), 1),
    }
}

/// The same after a first attempt that was proved absent: a refusal has to be agreed on by a query.
const fn second_send(answer: &SendAnswer) -> (State, Reason, u32) {
    match answer {
        SendAnswer::Found(Found::Approved { .. }) => (State::Succeeded, Reason::Approved, 2),
        SendAnswer::Found(Found::Accepted { .. }) => (State::Pending, Reason::PendingAtProvider, 2),
        SendAnswer::Found(Found::Declined { .. }) => (State::Unknown, Reason::NegativeAfterUnknown, 2),
        SendAnswer::NotTaken(why) => (State::Queued, refused(*why), 1),
        SendAnswer::Unclear(why) => (State::Unknown, unclear(*why), 2),
    }
}

/// State and reason after a query of what stood in `from`, asked too early to prove anything or late enough.
const fn query(answer: &QueryAnswer, from: State, late: bool) -> (State, Reason) {
    match (answer, from) {
        (QueryAnswer::Found(Found::Approved { .. }), _) => (State::Succeeded, Reason::Approved),
        (QueryAnswer::Found(Found::Accepted { .. }), _) => (State::Pending, Reason::PendingAtProvider),
        (QueryAnswer::Found(Found::Declined { .. }), _) => (State::Declined, Reason::DeclinedByProvider),
        (QueryAnswer::NotFound, _) if !late => (from, Reason::NotFoundYet),
        (QueryAnswer::NotFound, State::Pending) => (State::Parked, Reason::VanishedAtProvider),
        (QueryAnswer::NotFound, _) => (State::Queued, Reason::ProvedAbsent),
        (QueryAnswer::NotTaken(why), _) => (from, refused(*why)),
        (QueryAnswer::Unclear(why), _) => (from, unclear(*why)),
    }
}

fn sent_and_answered(payment: &Payment, answer: &SendAnswer) -> Payment {
    step(payment, &Event::SendAnswered { claim: &held(payment), answer }, NOW.plus_ms(400))
}

fn claimed_at(payment: &Payment, ms: u64) -> Payment {
    let id = ClaimId::from_bits(u128::from(ms));
    step(payment, &Event::Claim { id, lease_until: NOW.plus_ms(ms + 15_000) }, NOW.plus_ms(ms))
}

fn asked(payment: &Payment, answer: &QueryAnswer, ms: u64) -> Payment {
    let payment = claimed_at(payment, ms);
    step(&payment, &Event::QueryAnswered { claim: &held(&payment), answer }, NOW.plus_ms(ms + 400))
}

fn stands(payment: &Payment) -> (State, Reason, u32) {
    (payment.state, payment.reason, payment.attempts)
}

#[test]
fn a_first_sends_answer_means_what_the_table_says() {
    for answer in send_answers() {
        let after = sent_and_answered(&sending(order()), &answer);
        assert_eq!(stands(&after), first_send(&answer), "{answer:?}");
        assert_eq!(after.attempts + after.attempts_left, policy().max_attempts, "{answer:?}");
        assert_eq!(after.due_at.is_some(), !after.state.is_terminal(), "{answer:?}");
    }
}

#[test]
fn a_time_out_is_unknown_and_never_failed() {
    for why in UNCLEARS {
        let after = sent_and_answered(&sending(order()), &SendAnswer::Unclear(why));
        assert_eq!(after.state, State::Unknown, "{why:?}");
        assert!(after.ever_sent(), "{why:?}");
    }
}

#[test]
fn after_an_unknown_attempt_a_refusal_counts_only_when_a_query_agrees() {
    let late = policy().absence_proof_ms() + 20_000;
    for answer in send_answers() {
        let unknown = sent_and_answered(&sending(order()), &SendAnswer::Unclear(Unclear::TimedOut));
        let again = claimed_at(&asked(&unknown, &QueryAnswer::NotFound, late), late + 1_000);
        let event = Event::SendAnswered { claim: &held(&again), answer: &answer };
        let after = step(&again, &event, NOW.plus_ms(late + 1_400));
        assert_eq!(stands(&after), second_send(&answer), "{answer:?}");
    }
}

#[test]
fn a_querys_answer_means_what_the_table_says() {
    for from in [State::Unknown, State::Pending] {
        for answer in query_answers() {
            for (ms, late) in [(6_000, false), (policy().absence_proof_ms() + 20_000, true)] {
                let mut payment = in_state(from);
                payment.order.expires_at = None;
                let after = asked(&payment, &answer, ms);
                assert_eq!((after.state, after.reason), query(&answer, from, late), "{from:?} {answer:?} {late}");
                assert_eq!(
                    (after.attempts, after.attempts_left),
                    (payment.attempts, payment.attempts_left),
                    "{answer:?}"
                );
            }
        }
    }
}

#[test]
fn a_provider_that_asks_for_time_is_given_it() {
    let why = NotTaken::RateLimited { retry_after_ms: Some(RETRY_AFTER_MS) };
    let after = sent_and_answered(&sending(order()), &SendAnswer::NotTaken(why));
    assert!(after.due_at >= Some(NOW.plus_ms(400 + RETRY_AFTER_MS)), "{:?}", after.due_at);
    let after = asked(&in_state(State::Unknown), &QueryAnswer::NotTaken(why), 5_000);
    assert!(after.due_at >= Some(NOW.plus_ms(5_400 + RETRY_AFTER_MS)), "{:?}", after.due_at);
}

/// Whichever message of it comes first, and whoever takes it up.
#[test]
fn nobody_takes_a_payment_up_before_its_retry_after_but_whose_person_put_it_back() {
    let why = NotTaken::RateLimited { retry_after_ms: Some(600_000) };
    let queued = sent_and_answered(&sending(order()), &SendAnswer::NotTaken(why));
    let asked = asked(&in_state(State::Unknown), &QueryAnswer::NotTaken(why), 5_000);
    for payment in [queued, asked] {
        let due = payment.due_at.expect("a 429 says when");
        assert!(due >= NOW.plus_ms(600_000), "{due:?}");
        let claim = Event::Claim { id: ClaimId::from_bits(77), lease_until: due.plus_ms(30_000) };
        let policy = policy();
        assert_eq!(transition(&payment, &claim, &moment(&policy, due.minus_ms(1))), Step::Keep(Kept::NotDue));
        assert_eq!(step(&payment, &claim, due).state, State::Sending);
        let parked = Payment { state: State::Parked, parked_at: Some(NOW), ..payment };
        let replayed = step(&parked, &Event::Replay, NOW);
        assert_eq!(step(&replayed, &claim, NOW).state, State::Sending, "a person has looked");
    }
}

#[test]
fn an_absence_is_proved_to_the_millisecond_and_not_before() {
    let unknown = sent_and_answered(&sending(order()), &SendAnswer::Unclear(Unclear::TimedOut));
    let proved_at = unknown.written_until.unwrap().plus_ms(policy().absence_proof_ms());
    for (at, state) in [(proved_at.minus_ms(1), State::Unknown), (proved_at, State::Queued)] {
        let payment = claimed_at(&unknown, at.since_ms(NOW));
        let event = Event::QueryAnswered { claim: &held(&payment), answer: &QueryAnswer::NotFound };
        assert_eq!(step(&payment, &event, at.plus_ms(400)).state, state);
        // The query's own lease does not move it.
        assert_eq!(payment.written_until, unknown.written_until);
    }
}

/// What was not there when the provider was asked may have come since: an answer proves no more for being read late.
#[test]
fn an_answer_that_is_read_late_proves_nothing_that_it_did_not_prove_when_it_was_asked_for() {
    let unknown = sent_and_answered(&sending(order()), &SendAnswer::Unclear(Unclear::TimedOut));
    let proved_at = unknown.written_until.unwrap().plus_ms(policy().absence_proof_ms());
    let payment = claimed_at(&unknown, proved_at.since_ms(NOW) - 1);
    let event = Event::QueryAnswered { claim: &held(&payment), answer: &QueryAnswer::NotFound };
    for read_ms in [0, 1, 10_000, 86_400_000] {
        let after = step(&payment, &event, proved_at.plus_ms(read_ms));
        assert_eq!((after.state, after.reason), (State::Unknown, Reason::NotFoundYet), "read {read_ms} ms late");
        assert_eq!(after.due_at, Some(proved_at), "it is asked again at once, and then believed");
    }
}

//! What an operator asks of `reconcile` by an invocation of its own, over the ports in memory.

use ::reconcile::operate::{Answer, DOUBTS_MAX, End, Request, Said};
use ::reconcile::{Reconcile, Watched};
use payments::id::PaymentId;
use payments::payment::{Reason, State};
use simulator::memory::queue::Name;
use simulator::memory::{MemoryGate, MemoryStore};

use super::stage::{LedgerOver, Stage};
use crate::contract::samples::{accepted, in_state, order};

fn reconcile(stage: &Stage) -> Reconcile<LedgerOver<MemoryStore>, MemoryGate> {
    let gates = MemoryGate::new(&stage.gates, &stage.environment);
    Reconcile::new(stage.wired(stage.store()), Watched { gates, provider: "sandbox".to_owned() }, 10)
}

fn messages(stage: &Stage) -> usize {
    stage.queues.depth(Name::High) + stage.queues.depth(Name::Standard)
}

/// What a restored table holds as open may have been charged since: each is written down as unknown and gets a message, once,
/// and what there was no time for is named.
#[tokio::test(start_paused = true)]
async fn what_is_open_in_a_restored_table_is_doubted_once() {
    let stage = Stage::calm();
    let now = stage.now();
    let open = stage.stands(accepted(order()));
    let parked = stage.stands(in_state(State::Parked));
    let ended = stage.stands(in_state(State::Declined));
    let doubt = |payment_ids: Vec<PaymentId>| Request::Doubt {
        payment_ids,
        point_ms: now.minus_ms(3_600_000).ms(),
        off_ms: now.ms(),
    };
    let doubted = |unknown: &[&PaymentId], before: &[&PaymentId], left: &[&PaymentId]| {
        let owned = |ids: &[&PaymentId]| ids.iter().map(|id| (*id).clone()).collect();
        Answer::Doubted { unknown: owned(unknown), before: owned(before), left: owned(left) }
    };
    let reconcile = reconcile(&stage);
    let all = doubt(vec![open.clone(), parked.clone(), ended.clone()]);

    // An invocation whose time is over writes nothing and names all of them.
    let answer = reconcile.operate(&all, stage.now()).await;
    assert_eq!((answer, messages(&stage)), (doubted(&[], &[], &[&open, &parked, &ended]), 0));
    assert_eq!(stage.payment(&open).state, State::Queued);

    let answer = reconcile.operate(&all, stage.now().plus_ms(60_000)).await;
    assert_eq!((answer, messages(&stage)), (doubted(&[&open, &parked], &[], &[]), 2));
    for id in [&open, &parked] {
        let stands = stage.payment(id);
        assert_eq!((stands.state, stands.reason, stands.recovered_at), (State::Unknown, Reason::Restored, Some(now)));
    }
    assert_eq!(stage.payment(&ended).state, State::Declined);

    let answer = reconcile.operate(&all, stage.now().plus_ms(60_000)).await;
    assert_eq!((answer, messages(&stage)), (doubted(&[], &[&open, &parked], &[]), 2));

    // As many as an invocation has time for, and not one more.
    let most = reconcile.operate(&doubt(vec![ended.clone(); DOUBTS_MAX]), stage.now().plus_ms(60_000)).await;
    assert_eq!(most, doubted(&[], &[], &[]));
    let more = reconcile.operate(&doubt(vec![ended; DOUBTS_MAX + 1]), stage.now().plus_ms(60_000)).await;
    assert_eq!(more, Answer::Refused { why: "101 payments are more than 100".to_owned() });
}

/// Nobody can ask for what the rules forbid, and who asks is told where it stands.
#[tokio::test(start_paused = true)]
async fn an_operator_is_told_why_nothing_was_written() {
    let stage = Stage::calm();
    let open = stage.stands(accepted(order()));
    let said = Said { reference: "ref-1".to_owned(), who: "anna".to_owned(), why: "the console shows it".to_owned() };
    let resolve = Request::Resolve { payment_id: open.clone(), end: End::Succeeded, said };
    let deadline = stage.now().plus_ms(60_000);
    let kept = reconcile(&stage).operate(&resolve, deadline).await;
    let why = "it is not parked, so there is nothing to replay or resolve".to_owned();
    assert_eq!(kept, Answer::Kept { state: "queued".to_owned(), why });
    let replay = Request::Replay { payment_id: open };
    assert!(matches!(reconcile(&stage).operate(&replay, deadline).await, Answer::Kept { .. }));
    let parked = stage.stands(in_state(State::Parked));
    let replay = Request::Replay { payment_id: parked };
    let replayed = reconcile(&stage).operate(&replay, deadline).await;
    assert_eq!((replayed, messages(&stage)), (Answer::Changed { state: "queued".to_owned() }, 1));
}

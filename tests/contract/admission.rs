//! The contract of `Admission`: tokens are handed out once each, and of many who would measure the lanes one does.

use std::sync::{Arc, Mutex};

use pacing::admission::{BUSY_MS, Backlog, Crowd, Filling, Gathered};
use pacing::bucket::{Allowance, Bucket, Limiter, Take, Taken};
use pacing::gate::GateState;
use pacing::schedule::{Advance, Form};
use payments::id::MerchantId;
use payments::limit::Limit;
use payments::payment::Lane;
use ports::admission::admit;
use ports::{Admission, GateStore, Queue};

use super::samples::{NOW, backlog, drawn, message};

/// Every promise of an admission that goes by this gate and these lanes.
pub async fn admission_contract<A, G, Q>(admission: Arc<A>, gates: &G, queue: &Q, provider: &str)
where
    A: Admission + Send + Sync + 'static,
    G: GateStore,
    Q: Queue,
{
    each_take_does_what_apply_does(&*admission).await;
    looks_and_payments_have_a_bucket_each(&*admission).await;
    many_at_once_are_handed_each_token_once(Arc::clone(&admission)).await;
    what_is_known_is_what_was_written(&*admission, gates, queue, provider).await;
    of_many_who_would_measure_one_does(admission).await;
}

fn merchant() -> MerchantId {
    MerchantId::new(format!("shop-{}", drawn())).unwrap()
}

async fn each_take_does_what_apply_does<A: Admission>(admission: &A) {
    let limit = Limit::new(100, 400);
    let now_us = NOW.us();
    for stands_us in
        [None, Some(now_us - 1), Some(now_us), Some(now_us + 1), Some(now_us + 3_900_000), Some(now_us + 3_900_001)]
    {
        for form in [Form::Idle, Form::Busy] {
            let merchant = merchant();
            let stands = stands_us.map(|full_us| Bucket { full_us });
            if let Some(full_us) = stands_us {
                let set = Take {
                    merchant: merchant.clone(),
                    allowance: Allowance::Payments,
                    advance: Advance { form: Form::Idle, now_us: full_us - 1, span_us: 1, at_most_us: 0 },
                };
                assert_eq!(admission.take(&set).await, Ok(Taken::Done(Bucket { full_us })));
            }
            let usual = Take::new(&merchant, limit, 10, Bucket::default(), now_us);
            let take = Take { advance: Advance { form, ..usual.advance }, ..usual };
            let expected = match take.apply(stands) {
                Some(after) => Taken::Done(after),
                None => Taken::Refused(stands.unwrap_or_default()),
            };
            assert_eq!(admission.take(&take).await, Ok(expected), "{form:?} on {stands:?}");
            // What stands is what was answered.
            let refused = Take { advance: Advance { form: Form::Busy, at_most_us: 0, ..take.advance }, ..take };
            let (Taken::Done(bucket) | Taken::Refused(bucket)) = expected;
            assert_eq!(admission.take(&refused).await, Ok(Taken::Refused(bucket)), "{form:?} on {stands:?}");
        }
    }
}

async fn looks_and_payments_have_a_bucket_each<A: Admission>(admission: &A) {
    let (limit, merchant) = (Limit::new(10, 10), merchant());
    let all = Take::new(&merchant, limit, 10, Bucket::default(), NOW.us());
    let full = Ok(Taken::Done(Bucket { full_us: NOW.us() + 1_000_000 }));
    for allowance in [Allowance::Looks, Allowance::Payments] {
        let take = Take { allowance, ..all.clone() };
        assert_eq!(admission.take(&take).await, full, "{allowance:?}");
        assert!(matches!(admission.take(&take).await, Ok(Taken::Refused(_))), "{allowance:?}");
    }
}

/// Twenty environments, of which each would have all of the burst for itself.
async fn many_at_once_are_handed_each_token_once<A: Admission + Send + Sync + 'static>(admission: Arc<A>) {
    let (limit, merchant) = (Limit::new(50, 150), merchant());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (admission, merchant) = (Arc::clone(&admission), merchant.clone());
        tasks.spawn(async move {
            let limiter = Mutex::new(Limiter::default());
            let mut admitted = 0;
            for _ in 0..20 {
                let (verdict, error) = admit(&*admission, &limiter, &merchant, limit, NOW.us()).await;
                assert_eq!(error, None);
                admitted += u32::from(verdict.is_admitted);
            }
            admitted
        });
    }
    let admitted: u32 = tasks.join_all().await.into_iter().sum();
    // What was leased last may not be handed out to the end.
    assert!((100..=150).contains(&admitted), "{admitted} of 150");
}

async fn what_is_known_is_what_was_written<A: Admission, G: GateStore, Q: Queue>(
    admission: &A,
    gates: &G,
    queue: &Q,
    provider: &str,
) {
    assert_eq!(admission.look().await, Ok((None, None)));
    let gate = GateState::new(provider, 77, 10);
    gates.create(&gate).await.unwrap();
    for (lane, count) in [(Lane::High, 2), (Lane::Standard, 3)] {
        for _ in 0..count {
            queue.send(lane, &message(), 0).await.unwrap();
        }
    }
    assert_eq!(admission.look().await, Ok((Some(gate.clone()), None)));
    // Whose they are goes with it.
    let mut standard = Crowd::default();
    standard.count(&message().merchant);
    let known = Gathered { before: None, answered: 55, high: Crowd::default(), standard: standard.clone() };
    let plain = backlog(NOW, 2, 3);
    let filling = |crowd| Some(Filling { since: NOW, answered: 55, crowd });
    let measured = Backlog { high_filling: filling(Crowd::default()), standard_filling: filling(standard), ..plain };
    assert_eq!(admission.measure(NOW, &known).await, Ok(Some(measured.clone())));
    assert_eq!(admission.look().await, Ok((Some(gate), Some(measured))));
}

async fn of_many_who_would_measure_one_does<A: Admission + Send + Sync + 'static>(admission: Arc<A>) {
    let early = NOW.plus_ms(BUSY_MS - 1);
    assert_eq!(admission.measure(early, &Gathered::default()).await, Ok(None), "somebody just has");
    let at = NOW.plus_ms(BUSY_MS);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let admission = Arc::clone(&admission);
        let known = Gathered { before: Some(backlog(NOW, 2, 3)), ..Gathered::default() };
        tasks.spawn(async move { admission.measure(at, &known).await.unwrap() });
    }
    let measured: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    // Nobody has received anything since.
    assert_eq!(measured, [Backlog { at, ..backlog(NOW, 2, 3) }]);
    assert_eq!(admission.look().await.unwrap().1.as_ref(), measured.first());
}

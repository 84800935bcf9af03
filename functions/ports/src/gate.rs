//! The gate, and how a consumer reserves slots, reports and looks: its view decides, the gate's table is asked.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pacing::gate::{Ask, GateAnswer, GateState, GateUpdate, GateView, Replied, Reservation};

use crate::PortError;

/// The table of gates.
pub trait GateStore: Sync {
    /// One conditional update.
    fn update(&self, update: &GateUpdate) -> impl Future<Output = Result<GateAnswer, PortError>> + Send;

    /// The gate as it stands, strongly consistent.
    fn read(&self, provider: &str) -> impl Future<Output = Result<Option<GateState>, PortError>> + Send;

    /// Writes the gate if there is none yet.
    fn create(&self, gate: &GateState) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Locks; no holder of this lock can panic between two changes of it.
fn lock(view: &Mutex<GateView>) -> MutexGuard<'_, GateView> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most requests that one reservation may take; a gate that is contended more than that is asked again later.
const REQUESTS_MAX: u32 = 5;

/// Reserves up to `wanted` slots that begin between now and `latest_us`, and reports what has to be reported.
///
/// `view` is what the caller last saw of the gate (or its settings, at first) and is brought up to date: in the
/// ordinary case the first update's guess is right and one call is enough.
pub async fn reserve<G: GateStore>(
    store: &G,
    view: &Mutex<GateView>,
    wanted: u32,
    now_us: u64,
    latest_us: u64,
) -> Result<Reservation, PortError> {
    let mut is_fresh = false;
    for _ in 0..REQUESTS_MAX {
        let ask = lock(view).ask(wanted, now_us, latest_us, is_fresh);
        let sent = match ask {
            Ask::Update(sent) => sent,
            Ask::Nothing(reservation) if is_fresh => return Ok(reservation),
            // A pause or a full gate that we only remember may be over. Reading costs no write units, so that many may
            // wait for one gate.
            Ask::Nothing(_) => {
                let (provider, asked) = {
                    let view = lock(view);
                    (view.state().provider.clone(), view.heard())
                };
                match store.read(&provider).await? {
                    Some(state) => lock(view).hear(state, asked, now_us),
                    None => create(store, view).await?,
                }
                is_fresh = true;
                continue;
            }
        };
        let answer = match store.update(sent.update()).await {
            Ok(answer) => answer,
            Err(error) => {
                lock(view).unanswered(&sent);
                return Err(error);
            }
        };
        let next = lock(view).answered(sent, answer, now_us);
        match next {
            Replied::Slots(slots) => return Ok(Reservation::Slots(slots)),
            Replied::Again => is_fresh = true,
            Replied::Create => create(store, view).await?,
        }
    }
    let free_us = lock(view).state().next_us.max(now_us);
    Ok(Reservation::Later { free_us })
}

/// Looks at the gate, if what is known of it is old: one read for all the slots that come next.
pub async fn look<G: GateStore>(store: &G, view: &Mutex<GateView>, now_us: u64) -> Result<(), PortError> {
    let (provider, asked) = {
        let mut view = lock(view);
        if !view.begins_a_look(now_us) {
            return Ok(());
        }
        (view.state().provider.clone(), view.heard())
    };
    if let Some(state) = store.read(&provider).await? {
        lock(view).hear(state, asked, now_us);
    }
    Ok(())
}

/// Reports at once what changes the breaker or the brake; what does not waits for the next reservation.
pub async fn report<G: GateStore>(store: &G, view: &Mutex<GateView>, now_us: u64) -> Result<(), PortError> {
    if lock(view).is_urgent(now_us) {
        reserve(store, view, 0, now_us, 0).await?;
    }
    Ok(())
}

async fn create<G: GateStore>(store: &G, view: &Mutex<GateView>) -> Result<(), PortError> {
    let state = lock(view).state().clone();
    store.create(&state).await
}

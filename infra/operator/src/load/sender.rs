//! Sends payments over HTTP as their merchants would: on a bounded number of connections, some twice and at once, and
//! again when the answer was lost or asked for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::client::{Answer, Base, Client};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::task::JoinSet;

/// How often one request is made, all in all.
const TRIES_MAX: u32 = 6;
/// How long one answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);
/// Longest pause between two tries, whatever Retry-After says.
const PAUSE_MAX: Duration = Duration::from_mins(1);
/// How often one request is made that comes faster than its merchant may send, all in all.
const RATE_LIMITED_MAX: u32 = 1_000;

/// One request to be made.
#[derive(Clone, Debug)]
pub struct Shot {
    /// Which transaction this is, by its place in the caller's list.
    pub index: usize,
    /// The merchant's key.
    pub api_key: Arc<str>,
    /// The body, in JSON.
    pub body: Bytes,
}

/// What an answer that refused says, by RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// Its title.
    pub title: String,
    /// The field that it names.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What came of one request.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which transaction this was.
    pub index: usize,
    /// The status, or why there was no answer.
    pub status: Result<u16, String>,
    /// The payment's id, when it was taken.
    pub payment_id: Option<String>,
    /// The payment's state, when it was taken.
    pub state: Option<String>,
    /// Whether the answer says that the payment was there already.
    pub is_replay: bool,
    /// Why it was refused.
    pub problem: Option<Problem>,
    /// How often it was tried.
    pub tries: u32,
    /// How often it was answered with 429: the merchant sends faster than it may.
    pub rate_limited: u32,
    /// From the last try's first byte to its whole answer.
    pub latency_ms: u64,
}

impl Hit {
    /// Whether the payment is Sluice's from now on.
    pub fn is_accepted(&self) -> bool {
        matches!(self.status, Ok(200 | 202))
    }
}

/// Repeats `share` of the shots, drawn by `seed`: each beside its first, so that both go out at once, and every second
/// of them once more at the end.
pub fn repeated(shots: Vec<Shot>, share: f64, seed: u64) -> Vec<Shot> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = Vec::with_capacity(shots.len() * 2);
    let mut again = Vec::new();
    for shot in shots {
        if random.f64() < share {
            all.push(shot.clone());
            if random.bool() {
                again.push(shot.clone());
            }
        }
        all.push(shot);
    }
    all.extend(again);
    all
}

/// How fast shots go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are answered.
    Unbounded,
    /// At most so many a second, evenly.
    PerSecond(u32),
}

impl Pace {
    /// When the n-th shot may go out, counted from the first.
    pub(crate) fn due(self, nth: usize) -> Duration {
        match self {
            Self::Unbounded => Duration::ZERO,
            Self::PerSecond(rate) => {
                let nanos = u128::try_from(nth).unwrap_or(0) * 1_000_000_000 / u128::from(rate.max(1));
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }
}

/// Sends all shots at this pace on at most `connections` connections, and tells `progress` of each answer.
pub async fn send<P>(base: &Base, shots: Vec<Shot>, pace: Pace, connections: usize, progress: P) -> Vec<Hit>
where
    P: Fn(&Hit) + Send + Sync + 'static,
{
    let begun = Instant::now();
    let shots: VecDeque<_> = shots.into_iter().enumerate().collect();
    let waiting = Arc::new(Mutex::new(shots));
    let progress = Arc::new(progress);
    let mut workers = JoinSet::new();
    for _ in 0..connections.max(1) {
        let (waiting, progress) = (Arc::clone(&waiting), Arc::clone(&progress));
        let mut client = Client::new(base.clone(), ANSWER_TIMEOUT);
        workers.spawn(async move {
            let mut hits = Vec::new();
            loop {
                let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop_front());
                let Some((nth, shot)) = next else { return hits };
                tokio::time::sleep_until((begun + pace.due(nth)).into()).await;
                let hit = shoot(&mut client, &shot).await;
                progress(&hit);
                hits.push(hit);
            }
        });
    }
    let mut hits = Vec::new();
    while let Some(done) = workers.join_next().await {
        hits.extend(done.unwrap_or_default());
    }
    hits
}

async fn shoot(client: &mut Client, shot: &Shot) -> Hit {
    let (mut tries, mut rate_limited) = (0, 0);
    loop {
        tries += 1;
        let begun = Instant::now();
        let answer = match request(shot) {
            Ok(request) => client.send(request).await,
            Err(error) => return hit(shot.index, Err(error), tries, rate_limited, begun),
        };
        let pause = match &answer {
            Err(_) => Some(Duration::from_millis(100 * u64::from(tries))),
            Ok(answer) if matches!(answer.status.as_u16(), 429 | 500..) => Some(retry_after(answer)),
            Ok(_) => None,
        };
        rate_limited += u32::from(answer.as_ref().is_ok_and(|answer| answer.status.as_u16() == 429));
        // To be told to come later is no failed try.
        let may_try = tries - rate_limited < TRIES_MAX && rate_limited < RATE_LIMITED_MAX;
        match pause {
            Some(pause) if may_try => tokio::time::sleep(pause.min(PAUSE_MAX)).await,
            Some(_) | None => {
                return hit(shot.index, answer.map_err(|error| error.to_string()), tries, rate_limited, begun);
            }
        }
    }
}

fn request(shot: &Shot) -> Result<Request<Full<Bytes>>, String> {
    Request::post("/v1/payments")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {}", shot.api_key))
        .header(header::USER_AGENT, "sluice-dev")
        .body(Full::new(shot.body.clone()))
        .map_err(|error| error.to_string())
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

fn hit(index: usize, answer: Result<Answer, String>, tries: u32, rate_limited: u32, begun: Instant) -> Hit {
    let latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let unanswered = Hit {
        index,
        status: Err(String::new()),
        payment_id: None,
        state: None,
        is_replay: false,
        problem: None,
        tries,
        rate_limited,
        latency_ms,
    };
    match answer {
        Err(error) => Hit { status: Err(error), ..unanswered },
        Ok(answer) => {
            let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            Hit {
                status: Ok(answer.status.as_u16()),
                payment_id: text("payment_id").or_else(|| text("id")),
                state: text("state"),
                is_replay: is_replay(&answer, &body),
                problem: (!answer.status.is_success()).then(|| problem(&body, answer.status.as_u16())),
                ..unanswered
            }
        }
    }
}

/// A replay is marked by a header, as the widespread `Idempotency-Replayed: true`, or in the body.
fn is_replay(answer: &Answer, body: &Value) -> bool {
    let in_header = answer
        .headers
        .iter()
        .any(|(name, value)| name.as_str().ends_with("replayed") && value.as_bytes().eq_ignore_ascii_case(b"true"));
    in_header || body.get("replayed").and_then(Value::as_bool) == Some(true)
}

/// Title, field and reason of an RFC 9457 problem whose `errors` names the fields.
fn problem(body: &Value, status: u16) -> Problem {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let first = body.get("errors").and_then(|errors| errors.get(0)).unwrap_or(body);
    let title = text(body, "title");
    let reason = text(first, "reason");
    Problem {
        title: if title.is_empty() { format!("HTTP status {status}") } else { title },
        field: text(first, "field"),
        reason: if reason.is_empty() { text(first, "detail") } else { reason },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shots(count: usize) -> Vec<Shot> {
        (0..count).map(|index| Shot { index, api_key: "k".into(), body: Bytes::new() }).collect()
    }

    #[test]
    fn repeats_stand_beside_their_first() {
        let all = repeated(shots(1_000), 0.2, 1);
        let beside = all.windows(2).filter(|pair| pair[0].index == pair[1].index).count();
        assert!((150..=250).contains(&beside), "{beside}");
        assert!(all.len() > 1_000 + beside);
        assert_eq!(repeated(shots(10), 0.0, 1).len(), 10);
    }

    #[test]
    fn the_same_seed_repeats_the_same() {
        let drawn = |seed| repeated(shots(50), 0.5, seed).iter().map(|shot| shot.index).collect::<Vec<_>>();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn a_pace_spreads_shots_evenly() {
        assert_eq!(Pace::PerSecond(4).due(0), Duration::ZERO);
        assert_eq!(Pace::PerSecond(4).due(6), Duration::from_millis(1_500));
        assert_eq!(Pace::Unbounded.due(6), Duration::ZERO);
    }

    #[test]
    fn a_problem_is_read_with_its_field_and_reason() {
        let body = json!({"title": "Invalid", "errors": [{"field": "amount", "reason": "must be at least 1"}]});
        let read = problem(&body, 422);
        assert_eq!((read.title.as_str(), read.field.as_str()), ("Invalid", "amount"));
        assert_eq!(read.reason, "must be at least 1");
        assert_eq!(problem(&Value::Null, 502).title, "HTTP status 502");
    }
}

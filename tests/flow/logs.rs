//! I10 over all that is logged: every line is a JSON event with a stable name, and none holds a key, a card number, a
//! token or a body.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use payments::card::contains_card_number;
use serde_json::{Value, json};
use simulator::{Faults, Settings, run};
use tracing_subscriber::fmt::MakeWriter;

use super::stage::{Stage, UK, post};

/// Keeps what is written.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Kept {
    /// What was written, line by line.
    pub fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(ToOwned::to_owned).collect()
    }
}

/// A second subscriber, which takes nothing. Beside a single one, whoever comes first to a log line decides for all
/// threads whether anybody listens to it, and a test beside this one does not.
static NOBODY: OnceLock<tracing::Dispatch> = OnceLock::new();

/// Logs as the functions do, at the lowest level that any setting can turn on for them.
pub fn logging(kept: &Kept) -> tracing::subscriber::DefaultGuard {
    NOBODY.get_or_init(|| {
        let off = tracing::level_filters::LevelFilter::OFF;
        tracing::Dispatch::new(tracing_subscriber::fmt().with_max_level(off).finish())
    });
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_writer(kept.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

fn is_clean(line: &str, secrets: &[&str]) {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON, {error}: {line}"));
    let name = event["event"].as_str().unwrap_or_else(|| panic!("without a name: {line}"));
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
    for secret in secrets {
        assert!(!line.contains(secret), "{secret} stands in {line}");
    }
    // A queue draws its message ids: one in some thousands has digits in it that pass Luhn's check.
    let said = event.as_object().unwrap().iter().filter(|(name, _)| *name != "message_id");
    for value in said.filter_map(|(_, value)| value.as_str()) {
        assert!(!contains_card_number(value), "{line}");
    }
}

#[test]
fn all_the_logs_of_many_runs_are_named_events_without_a_secret() {
    let kept = Kept::default();
    let guard = logging(&kept);
    for seed in 0..20 {
        assert!(run(&Settings::new(seed, Faults::everything())).held());
    }
    drop(guard);
    let lines = kept.lines();
    assert!(lines.len() > 1_000, "{} lines", lines.len());
    for line in &lines {
        is_clean(line, &["sandbox_key_", "Bearer", "authorization", "\\\"amount\\\""]);
    }
    // Whoever asks what happened to one payment finds it by its id.
    assert!(lines.iter().any(|line| line.contains("payment_settled") && line.contains("\"payment_id\":\"pay_")));
}

/// The metric filters of template.yaml count these lines.
#[test]
fn a_breaker_that_opens_and_closes_is_told_once_each_with_its_provider() {
    let kept = Kept::default();
    let guard = logging(&kept);
    assert!(run(&Settings::new(1, Faults::brownout())).held());
    drop(guard);
    let events: Vec<Value> = kept.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let opened = named("breaker_opened");
    assert!(
        !opened.is_empty() && opened.iter().all(|event| event["level"] == "ERROR" && event["provider"] == "sandbox")
    );
    assert_eq!((&opened[0]["cause"], &opened[0]["needs_operator"]), (&json!("consecutive_failures"), &json!(false)));
    assert!(opened[0]["probe_in_ms"].as_u64().is_some_and(|ms| ms <= 5_000), "{}", opened[0]);
    // It opened once; each other line is a probe that failed.
    assert!(opened[1..].iter().all(|event| event["cause"] == "probe_failed"), "{opened:?}");
    // The last probe was answered; one that was never made may be taken over in the update that says so.
    assert!(named("breaker_probing").len() >= opened.len() + named("breaker_probe_not_made").len());
    assert_eq!((named("breaker_ramping").len(), named("breaker_closed").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_a_merchant_sends_is_in_no_log_whether_it_is_taken_or_refused() {
    let kept = Kept::default();
    let guard = logging(&kept);
    let stage = Stage::calm();
    let ingest = stage.ingest();
    let body = |more: &str| {
        json!({ "order_id": "A-1", "kind": "charge", "amount": 1999, "currency": "EUR", "payment_method": "tok_secret",
                "customer": "customer_secret", "description": more })
    };
    for more in ["description_secret", "4111 1111 1111 1111"] {
        ingest.handle(post(&body(more))).await;
    }
    drop(guard);
    let lines = kept.lines();
    assert!(lines.iter().any(|line| line.contains("payment_accepted")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("request_refused")), "{lines:?}");
    for line in &lines {
        is_clean(line, &[UK, "tok_secret", "customer_secret", "description_secret", "4111"]);
    }
}

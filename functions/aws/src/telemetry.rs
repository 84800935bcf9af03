//! Logs: one JSON object a line, UTC, on standard output, where Lambda picks it up.
//!
//! What is logged is chosen by whoever logs; bodies, items and keys are no choice. The SDK's and the runtime's own
//! lines below `info` may hold them, so that no setting turns those on.

use tracing_subscriber::EnvFilter;

/// The crates whose lines below `info` may hold a request's contents.
const QUIET: [&str; 9] = [
    "aws_config",
    "aws_sdk_dynamodb",
    "aws_sdk_sqs",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "hyper",
    "hyper_util",
    "lambda_runtime",
];

/// Starts the logs. The level is `RUST_LOG`'s, else `AWS_LAMBDA_LOG_LEVEL`'s ("Configuring advanced logging controls"),
/// else `info`; one that cannot be read is reported in the first line. A second start changes nothing.
pub fn start() {
    let asked = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name, value)));
    let info = || EnvFilter::new("info");
    let (filter, unread) = match &asked {
        Some((name, value)) => match filter(value) {
            Some(filter) => (filter, None),
            None => (info(), Some(*name)),
        },
        None => (info(), None),
    };
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(filter)
        .try_init();
    if let (Ok(()), Some(setting)) = (started, unread) {
        tracing::warn!(setting, "not a log level or filter; logging at info");
    }
}

/// Reads a filter and keeps the quiet crates quiet, whatever it says.
fn filter(text: &str) -> Option<EnvFilter> {
    // Lambda's highest level has no name here.
    let text = if text.eq_ignore_ascii_case("fatal") { "error" } else { text };
    let mut filter = EnvFilter::builder().parse(text).ok()?;
    let low = filter.max_level_hint().is_none_or(|level| level > tracing::level_filters::LevelFilter::INFO);
    if low {
        for name in QUIET {
            filter = filter.add_directive(format!("{name}=info").parse().ok()?);
        }
    }
    Some(filter)
}

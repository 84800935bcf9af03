//! Logs: one JSON object a line, UTC, on standard output, where Lambda picks it up.
//!
//! What is logged is chosen by whoever logs; bodies, items and keys are no choice. The SDK's and the runtime's own
//! lines below `info` may hold them, so that no setting turns those on.

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

/// Crates whose lines below `info` may hold a request's contents.
const QUIET: [&str; 12] = [
    "aws_config",
    "aws_runtime",
    "aws_sdk_dynamodb",
    "aws_sdk_sqs",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "hyper",
    "hyper_util",
    "lambda_runtime",
    "rustls",
];

/// Starts the logs on standard output. The level is `RUST_LOG`'s, else `AWS_LAMBDA_LOG_LEVEL`'s ("Configuring advanced logging controls"),
/// else `info`; one that cannot be read is reported in the first line. A second start changes nothing.
pub fn start() {
    start_into(std::io::stdout);
}

/// As [`start`], into another place.
pub fn start_into<W>(writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let asked = ["RUST_LOG", "AWS_LAMBDA_LOG_LEVEL"].into_iter().find_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.trim().is_empty())?;
        Some((name, value))
    });
    let info = || EnvFilter::new("info");
    let (filter, unread) = match &asked {
        Some((name, value)) => match filter(value) {
            Some(filter) => (filter, None),
            None => (info(), Some(*name)),
        },
        None => (info(), None),
    };
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(writer)
        .with_filter(filter_fn(may_be_logged));
    let started = registry().with(filter).with(lines).try_init();
    if let (Ok(()), Some(setting)) = (started, unread) {
        tracing::warn!(setting, "not a log level or filter; logging at info");
    }
}

fn filter(text: &str) -> Option<EnvFilter> {
    // Lambda's highest level has no name here.
    let text = if text.eq_ignore_ascii_case("fatal") { "error" } else { text };
    EnvFilter::builder().parse(text).ok()
}

fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let of = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !QUIET.contains(&of)
}

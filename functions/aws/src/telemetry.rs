//! Logs: one JSON object a line, UTC, on standard output, where Lambda picks it up.
//!
//! What is logged is chosen by whoever logs; bodies, items and keys are no choice. The SDK's and the runtime's own
//! lines below `info` may hold them, so that no setting turns those on.
//!
//! A warning or an error also says in which invocation it came to be: `span.requestId`, by which Lambda's own lines and
//! X-Ray are found. The runtime names it at the level `info`: at a higher one it is missing. A line of an ordinary payment does without: it has the payment's id, and the 80 bytes would be a
//! third more of what such a payment's logs cost.

use std::sync::Arc;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Format, Json, JsonFields};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
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
    let started = subscriber(filter, writer).try_init();
    if let (Ok(()), Some(setting)) = (started, unread) {
        tracing::warn!(setting, "not a log level or filter; logging at info");
    }
}

/// The two kinds of lines, on one writer.
fn subscriber<W>(filter: EnvFilter, writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let writer = Shared(Arc::new(writer));
    let ordinary = filter_fn(|metadata| metadata.is_event() && !is_trouble(metadata) && may_be_logged(metadata));
    // Spans as well: a layer that does not see them cannot name them.
    let trouble = filter_fn(|metadata| metadata.is_span() || is_trouble(metadata));
    registry()
        .with(filter)
        .with(lines(false, writer.clone()).with_filter(ordinary))
        .with(lines(true, writer).with_filter(trouble))
}

/// One writer for several layers.
struct Shared<W>(Arc<W>);

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for Shared<W> {
    type Writer = W::Writer;

    fn make_writer(&'writer self) -> Self::Writer {
        self.0.make_writer()
    }

    fn make_writer_for(&'writer self, metadata: &Metadata<'_>) -> Self::Writer {
        self.0.make_writer_for(metadata)
    }
}

fn lines<S, W>(with_invocation: bool, writer: W) -> fmt::Layer<S, JsonFields, Format<Json>, W>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fmt::layer()
        .event_format(
            fmt::format()
                .json()
                .flatten_event(true)
                .with_ansi(false)
                .with_current_span(with_invocation)
                .with_span_list(false),
        )
        .fmt_fields(JsonFields::new())
        .with_writer(writer)
}

fn is_trouble(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN
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

//! Heads out of a function's log: one JSON event a line, whatever a tool has put before it.

use std::io::{BufRead, BufReader};
use std::path::Path;

use aws::store::PAYMENT_CHANGED;
use payments::history::{Anchor, Link};
use payments::id::PaymentId;
use serde::Deserialize;

/// An event, as far as it matters here.
#[derive(Deserialize)]
struct Logged {
    event: String,
    payment_id: Option<String>,
    version: Option<u64>,
    history_head: Option<String>,
}

/// The heads of one payment in a file.
pub(super) fn anchors(path: &Path, id: &PaymentId) -> Result<Vec<Anchor>, String> {
    let cannot = |error: std::io::Error| format!("cannot read the log {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut anchors = Vec::new();
    for line in BufReader::new(file).lines() {
        anchors.extend(anchor(&line.map_err(cannot)?, id));
    }
    Ok(anchors)
}

/// `aws logs tail` puts a time and a stream before each event.
fn anchor(line: &str, id: &PaymentId) -> Option<Anchor> {
    let json = line.get(line.find('{')?..)?;
    let Logged { event, payment_id, version, history_head } = serde_json::from_str(json).ok()?;
    if event != PAYMENT_CHANGED || payment_id.as_deref() != Some(id.as_str()) {
        return None;
    }
    Some(Anchor { version: version?, head: Link::parse(&history_head?)? })
}

//! Heads out of a function's log: one JSON event a line, whatever a tool has put before it.

use std::io::{BufRead, BufReader};
use std::path::Path;

use payments::history::{Anchor, Link};
use payments::id::PaymentId;
use ports::EventName;
use serde::Deserialize;

/// An event, as far as it matters here.
#[derive(Deserialize)]
struct Logged {
    event: String,
    payment_id: Option<String>,
    version: Option<u64>,
    history_head: Option<String>,
}

/// The heads of one payment in a file. One of them that cannot be read is an error: it was a head once.
pub(super) fn anchors(path: &Path, id: &PaymentId) -> Result<Vec<Anchor>, String> {
    let cannot = |error: std::io::Error| format!("cannot read the log {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut anchors = Vec::new();
    for (line, number) in BufReader::new(file).lines().zip(1_u64..) {
        let Some(logged) = of(&line.map_err(cannot)?, id) else { continue };
        anchors.push(anchor(logged).ok_or_else(|| {
            format!(
                "line {number} of the log {} has no version or no head of {id}: somebody changed it",
                path.display()
            )
        })?);
    }
    Ok(anchors)
}

/// The change of this payment in a line; `aws logs tail` puts a time and a stream before each event.
fn of(line: &str, id: &PaymentId) -> Option<Logged> {
    let json = line.get(line.find('{')?..)?;
    let logged: Logged = serde_json::from_str(json).ok()?;
    (logged.event == EventName::PaymentChanged.as_str() && logged.payment_id.as_deref() == Some(id.as_str()))
        .then_some(logged)
}

fn anchor(logged: Logged) -> Option<Anchor> {
    Some(Anchor { version: logged.version?, head: Link::parse(&logged.history_head?)? })
}

//! One line that says how far a run is: rewritten on a terminal, written each second elsewhere.

use std::fmt;
use std::io::{IsTerminal, Write};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Seconds since the first request.
    pub seconds: u64,
    /// Payments taken.
    pub arrived: u64,
    /// Those that wait for their turn.
    pub queued: u64,
    /// Those that are being sent or queried.
    pub in_flight: u64,
    /// Those that are pending or unknown, to be looked at again.
    pub to_query: u64,
    /// Those that have come to an end or to a person.
    pub settled: u64,
    /// Calls to the provider in the last second.
    pub calls: usize,
    /// Calls a second that it allows.
    pub limit: u32,
    /// Payments that are expected to come to an end, those refused included.
    pub expected: u64,
}

/// Width of the bar on a terminal.
const BAR_WIDTH: u64 = 24;

impl Progress {
    /// How much of what is expected has come to an end, as a bar.
    fn bar(&self) -> String {
        let full = self.settled.saturating_mul(BAR_WIDTH) / self.expected.max(self.settled).max(1);
        (0..BAR_WIDTH).map(|place| if place < full { '█' } else { '░' }).collect()
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, arrived, queued, in_flight, to_query, settled, calls, limit, expected: _ } = self;
        write!(
            f,
            "{seconds:>3} s  arrived {arrived:>3}  queued {queued:>3}  in flight {in_flight:>2}  to query \
             {to_query:>2}  settled {settled:>3}  calls in the last second {calls:>2} of {limit}"
        )
    }
}

/// Where progress is shown.
pub struct Display {
    is_terminal: bool,
    is_dirty: bool,
}

impl Display {
    /// Shows it on standard output.
    pub fn new() -> Self {
        Self { is_terminal: std::io::stdout().is_terminal(), is_dirty: false }
    }

    /// Shows it. A reader that has gone away is no reason to stop.
    pub fn show(&mut self, progress: &Progress) {
        let mut output = std::io::stdout().lock();
        let _ = if self.is_terminal {
            self.is_dirty = true;
            write!(output, "\r\x1b[2K{} {progress}", progress.bar())
        } else {
            writeln!(output, "{progress}")
        };
        let _ = output.flush();
    }

    /// Ends the line that is rewritten, so that something else can follow.
    pub fn finish(&mut self) {
        if self.is_dirty {
            let _ = writeln!(std::io::stdout());
            self.is_dirty = false;
        }
    }
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

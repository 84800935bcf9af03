//! One line that says how far a run is: rewritten on a terminal, written each second elsewhere.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

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
        drawn(self.settled, self.expected)
    }
}

/// So much of so much, as a bar.
fn drawn(done: u64, expected: u64) -> String {
    let full = done.saturating_mul(BAR_WIDTH) / expected.max(done).max(1);
    (0..BAR_WIDTH).map(|place| if place < full { '█' } else { '░' }).collect()
}

/// How far something is that is done one by one: a bar on a terminal, else a line each ten seconds.
pub struct Bar {
    what: &'static str,
    expected: u64,
    begun: Instant,
    shown: Option<Instant>,
    done: u64,
    is_terminal: bool,
}

impl Bar {
    /// Of `expected`, 0 if nobody knows.
    pub fn new(what: &'static str, expected: u64) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        Self { what, expected, begun: Instant::now(), shown: None, done: 0, is_terminal }
    }

    /// So many are done. A reader that has gone away is no reason to stop.
    pub fn show(&mut self, done: u64) {
        self.done = done;
        let every = if self.is_terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.shown.unwrap_or(self.begun).elapsed() >= every {
            self.shown = Some(Instant::now());
            self.write();
        }
    }

    /// Says how it ended.
    pub fn finish(&self) {
        self.write();
        if self.is_terminal {
            let _ = writeln!(std::io::stdout());
        }
    }

    fn write(&self) {
        let mut output = std::io::stdout().lock();
        let _ = if self.is_terminal {
            write!(output, "\r\x1b[2K{} {self}", drawn(self.done, self.expected))
        } else {
            writeln!(output, "{self}")
        };
        let _ = output.flush();
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, begun, done, .. } = self;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let a_second = done.saturating_mul(1_000) / ms;
        match expected {
            0 => write!(f, "{what} {done}, {a_second} a second"),
            _ => write!(f, "{what} {done} of {expected}, {a_second} a second"),
        }
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

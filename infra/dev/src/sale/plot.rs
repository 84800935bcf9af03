//! The sale on a terminal: a line of blocks for each thing that goes on over time.

use std::fmt::Write as _;

use simulator::sale::Course;

use super::print::ratio;
use plan::print::grouped;

/// Columns of a line.
const COLUMNS: usize = 76;
const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// All ways one below the other, each over its own time.
pub(super) fn text(courses: &[Course]) -> String {
    let mut text = String::new();
    for course in courses {
        let seconds = course.samples.depth.len();
        let _ = writeln!(text, "{}, 0 to {} s", course.way.name(), grouped(u64::try_from(seconds).unwrap_or(0)));
        let rate = course.rate * course.window_ms / 1_000;
        line(&mut text, "arrivals a second", &course.samples.arrivals, None);
        line(&mut text, "waiting or under way", &course.samples.depth, None);
        line(&mut text, &format!("calls per {} ms", grouped(course.window_ms)), &course.calls_a_window, Some(rate));
        text.push('\n');
    }
    text
}

/// One line: the largest value of each column, as a share of the largest of all or of the limit if that is larger.
fn line(text: &mut String, name: &str, values: &[u64], limit: Option<u64>) {
    let top = values.iter().copied().max().unwrap_or(0).max(limit.unwrap_or(0)).max(1);
    let width = values.len().div_ceil(COLUMNS).max(1);
    let bars: String = values.chunks(width).map(|chunk| block(chunk.iter().copied().max().unwrap_or(0), top)).collect();
    let most = grouped(values.iter().copied().max().unwrap_or(0));
    let limit = limit.map_or_else(String::new, |limit| format!(", limit {}", grouped(limit)));
    let _ = writeln!(text, "  {name:<20} |{bars:<COLUMNS$}| at most {most}{limit}");
}

/// Anything at all is seen.
fn block(value: u64, top: u64) -> char {
    let eighths = (ratio(value, top) * 8.0).ceil();
    (1..=8).rev().find(|&it| eighths >= ratio(it, 1)).map_or(' ', |it| BLOCKS[usize::try_from(it).unwrap_or(0)])
}

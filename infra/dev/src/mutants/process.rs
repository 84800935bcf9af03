//! Runs a program that may never end.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How a program ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself: its exit code, none if a signal ended it, and what it wrote to its standard output and error.
    ByItself { code: Option<i32>, output: String, errors: String },
    /// Whoever read its output had read enough: the line.
    AtLine(String),
    /// It was stopped when its time was over.
    OutOfTime,
}

/// Runs it for so long at most, or until a line of its standard output is enough.
pub(super) fn run(command: &mut Command, within: Duration, is_enough: fn(&str) -> bool) -> Result<Ended, String> {
    let begun = Instant::now();
    // A group of its own: a test may have started programs too, which have to end with it.
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} does not run: {error}", command.get_program().display()))?;
    let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("a program's output cannot be read".to_owned());
    };
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = err.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let (lines, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    let mut output = String::new();
    loop {
        match heard.recv_timeout(within.saturating_sub(begun.elapsed())) {
            Ok(line) if is_enough(&line) => {
                stop(&mut child);
                return Ok(Ended::AtLine(line));
            }
            Ok(line) => {
                output.push_str(&line);
                output.push('\n');
            }
            Err(RecvTimeoutError::Timeout) => {
                stop(&mut child);
                return Ok(Ended::OutOfTime);
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().map_err(|error| format!("a program was lost: {error}"))?;
    Ok(Ended::ByItself { code: status.code(), output, errors: errors.join().unwrap_or_default() })
}

fn stop(child: &mut Child) {
    let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]).status();
    let _ = child.kill();
    let _ = child.wait();
}

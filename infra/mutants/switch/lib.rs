//! Which planted bug is on. This file is no part of the workspace: `infra/mutants` puts it as a crate of its own into the
//! copy of the tree that holds every bug at once.
//!
//! A `const fn` has to be switched as well, and what the compiler works out must stay as it is written: `const_eval_select`
//! does both. It is unstable, so the copy is built with `RUSTC_BOOTSTRAP=switch`, which speaks to this crate alone.

#![feature(const_eval_select, core_intrinsics)]
#![allow(internal_features)]

mod names;

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The bug to be on, by its name; nothing, or an empty text, for the code as it is.
const MUTANT: &str = "SLUICE_MUTANT";
/// A file to which the number of each bug is added whose place was reached.
const REACHED: &str = "SLUICE_MUTANTS_REACHED";

/// How a process ends that is to have a bug that it does not know: it may not be taken for a finding.
const UNKNOWN_MUTANT_CODE: i32 = 77;

/// Above every bug's number: nobody has asked yet.
const UNKNOWN: u32 = u32::MAX;
/// Above every bug's number: nothing is on, and what is reached is written down.
const RECORDING: u32 = u32::MAX - 1;
const OFF: u32 = 0;

static ON: AtomicU32 = AtomicU32::new(UNKNOWN);
static SEEN: [AtomicBool; 65_536] = [const { AtomicBool::new(false) }; 65_536];

/// Whether the bug with this number is on. Never while compiling.
#[inline]
pub const fn on(number: u32) -> bool {
    core::intrinsics::const_eval_select((number,), while_compiling, while_running)
}

const fn while_compiling(_: u32) -> bool {
    false
}

#[inline]
fn while_running(number: u32) -> bool {
    let on = ON.load(Ordering::Relaxed);
    if on < RECORDING { on == number } else { asked(number) }
}

#[cold]
fn asked(number: u32) -> bool {
    if ON.load(Ordering::Relaxed) == UNKNOWN {
        let wanted = variable(MUTANT).filter(|name| !name.is_empty());
        let on = match wanted {
            None if variable(REACHED).is_some() => RECORDING,
            None => OFF,
            Some(name) => match names::NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, number)) => *number,
                None => {
                    eprintln!("{MUTANT}: there is no mutant {name}");
                    std::process::exit(UNKNOWN_MUTANT_CODE);
                }
            },
        };
        ON.store(on, Ordering::Relaxed);
    }
    let on = ON.load(Ordering::Relaxed);
    if on == RECORDING {
        record(number);
    }
    on == number
}

fn record(number: u32) {
    static FILE: OnceLock<Option<std::fs::File>> = OnceLock::new();
    let seen = usize::try_from(number).ok().and_then(|index| SEEN.get(index));
    if seen.is_none_or(|seen| seen.swap(true, Ordering::Relaxed)) {
        return;
    }
    let file = FILE.get_or_init(|| {
        let path = variable(REACHED)?;
        std::fs::OpenOptions::new().create(true).append(true).open(path).ok()
    });
    if let Some(mut file) = file.as_ref() {
        // One write, so that processes side by side do not mix their lines.
        let _ = file.write_all(format!("{number}\n").as_bytes());
    }
}

/// The variable here or, because some processes are started with an empty environment, in whoever started this one.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().or_else(|| {
        let above = std::fs::read(format!("/proc/{}/environ", std::os::unix::process::parent_id())).ok()?;
        let text = String::from_utf8_lossy(&above).into_owned();
        text.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
    })
}

//! `cargo dev`: the library's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    dev::cli::main()
}

//! Judges the code that it is built with and says so in one line of JSON. `cargo dev mutants` builds it once in its copy of the
//! tree and runs it with each mutant on; by hand: `cargo run -p mutants -- 10 with-model`, in that copy with the variable
//! `SLUICE_MUTANT`.

use std::process::ExitCode;

/// How it is told to ask the model checker as well.
const WITH_MODEL: &str = "with-model";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().and_then(|text| text.parse().ok());
    let with_model = arguments.next().is_some_and(|text| text == WITH_MODEL);
    let Some(seeds) = seeds else {
        eprintln!(
            "say how many seeds of each set of faults to play, such as 40, and {WITH_MODEL} if the core was changed"
        );
        return ExitCode::FAILURE;
    };
    match serde_json::to_string(&mutants::judge::judge(seeds, with_model)) {
        Ok(line) => println!("{line}"),
        Err(error) => {
            eprintln!("the judgement cannot be written down: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

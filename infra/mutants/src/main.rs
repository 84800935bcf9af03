//! Judges the code that it is built with and says so in one line of JSON. `cargo dev mutants` builds and runs it for
//! each mutant; by hand it takes the number of seeds: `cargo run -p mutants -- 10`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(Ok(seeds)) = std::env::args().nth(1).map(|text| text.parse()) else {
        eprintln!("say how many seeds of each set of faults to play, such as 40");
        return ExitCode::FAILURE;
    };
    match serde_json::to_string(&mutants::judge::judge(seeds)) {
        Ok(line) => println!("{line}"),
        Err(error) => {
            eprintln!("the judgement cannot be written down: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

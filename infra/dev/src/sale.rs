//! `cargo dev simulate sale`: a minute of sale and its drain in virtual time, beside the same sale called directly and
//! through a queue as it is usually set up; what it came to, as a table, as plots, and as a drawing.

mod drawing;
mod plot;
mod print;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use simulator::sale::{Course, Scale, Settings, Trouble, Way, play, target};

/// What a person may choose.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Everything that is drawn follows from it.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The whole sale: six million payments, about half an hour and 2 GB.
    #[arg(long, conflicts_with = "one_to")]
    whole: bool,
    /// How many times smaller than the whole, such as 10, 20 or 100.
    #[arg(long, value_name = "N", default_value = "10", value_parser = parse_scale)]
    one_to: Scale,
    /// What the provider does: none, half (fails half of the calls in the sale's minute), brownout (fails every call
    /// for ten minutes of the drain), stray-429 (answers 429 to one call in 200), or halved (takes half of its rate for five
    /// minutes of the drain and says so to nobody).
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = parse_trouble)]
    trouble: Trouble,
    /// Calls a second of the 5,000 that are the whale's alone, which then has a deployment of its own beside the others'.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=4_900), requires = "alone")]
    quota: Option<u32>,
    /// Environments of the consumer, half of them for each lane.
    #[arg(long, value_name = "N", default_value_t = 132, value_parser = clap::value_parser!(u64).range(10..=1_000))]
    environments: u64,
    /// How far an environment's clock is from the true time at most, in microseconds.
    #[arg(long, value_name = "US", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    clock_skew: u64,
    /// Plays only this repository's way.
    #[arg(long)]
    alone: bool,
    /// Where the drawing goes.
    #[arg(long, value_name = "FILE", default_value = "target/sale.svg")]
    svg: PathBuf,
}

/// Reads a scale.
fn parse_scale(text: &str) -> Result<Scale, String> {
    let parts = text.parse().map_err(|_| "a scale is a whole number, such as 10 for a tenth".to_owned())?;
    Scale::one_to(parts)
        .ok_or_else(|| "rates and batches stay whole at 1, 2, 4, 5, 10, 20, 25, 40, 50 and 100".to_owned())
}

/// Reads what the provider does.
fn parse_trouble(name: &str) -> Result<Trouble, String> {
    match name {
        "none" => Ok(Trouble::NONE),
        "half" => Ok(Trouble::HALF),
        "brownout" => Ok(Trouble::BROWNOUT),
        "stray-429" => Ok(Trouble::STRAY),
        "halved" => Ok(Trouble::HALVED),
        _ => Err("there are none, half, brownout, stray-429 and halved".to_owned()),
    }
}

/// The ways that are compared.
const WAYS: [Way; 4] = [Way::Ours, Way::Direct, Way::Recipe { reserved: 100 }, Way::Recipe { reserved: 1_000 }];

/// Plays it and prints what it came to. An error is what was missed, in one line.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let scale = if arguments.whole { Scale::WHOLE } else { arguments.one_to };
    let Arguments { seed, trouble, clock_skew: clock_skew_us, quota: quota_per_second, environments, .. } = *arguments;
    let settings = Settings { trouble, clock_skew_us, quota_per_second, ..Settings::new(seed, scale) }
        .with_environments(environments);
    let begun = Instant::now();
    let ways = if arguments.alone { &WAYS[..1] } else { &WAYS[..] };
    let courses: Vec<Course> = ways.iter().map(|way| play(&settings, *way)).collect();
    let took = begun.elapsed();
    println!("{}", print::headline(&settings));
    println!("{}", print::table(&courses));
    println!("{}", plot::text(&courses));
    save(&arguments.svg, &drawing::svg(&settings, &courses)?)?;
    println!("drawn            {}", arguments.svg.display());
    println!("played           in {:.1} s{}", took.as_secs_f64(), print::memory());
    let missed = target::missed(&settings, &courses[0]);
    if missed.is_empty() {
        println!("VERDICT          good: {}", print::reached(&settings, &courses[0]));
        return Ok(());
    }
    Err(format!("the sale missed what it has to reach: {}", missed.join("; ")))
}

fn save(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(file, text)).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

//! What a person reads about mutants: what each would do, who found it, and how it looked there.

use std::collections::BTreeMap;
use std::time::Duration;

use mutants::Mutant;
use mutants::judge::{Finding, Judgement};
use mutants::switched::Planted;

use super::planted::Verdict;
use super::suite::{Suite, Tested};

pub(super) fn one(mutant: &Mutant) {
    let mut files: Vec<&str> = mutant.edits.iter().map(|edit| edit.file).collect();
    files.dedup();
    println!("\n{}", mutant.name);
    println!("  harm       {}", mutant.harm);
    let blind = match (mutant.is_simulated(), mutant.is_in_the_core()) {
        (false, _) => ", which only the tests know",
        (true, false) => ", which the model does not know",
        (true, true) => "",
    };
    println!("  planted in {}{blind}", files.join(", "));
}

/// A sign of life; what is known is printed in the end, in the order of the list.
pub(super) fn progress(by: &str, mutant: &Mutant, is_caught: bool) {
    eprintln!("{by:<6} {} {}", if is_caught { "found    " } else { "not found" }, mutant.name);
}

pub(super) fn control(judgement: &Judgement, built: Duration, took: Duration) {
    let Judgement { runs, states, .. } = judgement;
    println!(
        "nothing on: {runs} simulated runs and {states} states hold; built in {:.0} s, judged in {:.0} s",
        built.as_secs_f64(),
        took.saturating_sub(built).as_secs_f64()
    );
}

/// A test that fails with nothing on would count as having found every mutant, or none.
pub(super) fn suite(suite: &Suite) -> Result<(), String> {
    println!("nothing on: {} tests hold", suite.len());
    if suite.unusable.is_empty() {
        return Ok(());
    }
    Err(format!("with nothing on these tests fail, so that they can judge nothing: {}", suite.unusable.join(", ")))
}

pub(super) fn verdict(verdict: &Verdict) {
    if let Some(Judgement { simulator, runs, model, states }) = &verdict.judgement {
        found("simulator", simulator.as_ref(), &format!("{runs} runs"));
        if *states > 0 {
            found("model", model.as_ref(), &format!("{states} states"));
        }
    }
    match &verdict.tested {
        Some(Tested::Fails(name)) => println!("  tests      {name} fails"),
        Some(Tested::Hangs(names)) => println!("  tests      one of these hangs: {names}"),
        Some(Tested::Holds(count)) => println!("  tests      nothing in {count} that reach it"),
        Some(Tested::HeldSoFar(count)) => println!("  tests      nothing in {count}, and no time for the others"),
        None => {}
    }
    if let Some(why) = &verdict.broke {
        println!("  THE CHECKS BROKE DOWN\n{why}");
    }
}

fn found(check: &str, finding: Option<&Finding>, within: &str) {
    match finding {
        Some(Finding { what, repeat }) => {
            println!("  {check:<10} {what}");
            println!("             {repeat}");
        }
        None => println!("  {check:<10} nothing in {within}"),
    }
}

pub(super) fn sum(verdicts: &BTreeMap<&'static str, Verdict>, planted: &Planted, took: Duration) {
    let count = |is_one: fn(&Verdict) -> bool| verdicts.values().filter(|verdict| is_one(verdict)).count();
    let by = |verdict: &Verdict, is_one: fn(&Judgement) -> bool| verdict.judgement.as_ref().is_some_and(is_one);
    let simulated = verdicts.values().filter(|it| by(it, |it| it.simulator.is_some())).count();
    let modelled = verdicts.values().filter(|it| by(it, |it| it.model.is_some())).count();
    let both = verdicts.values().filter(|it| by(it, |it| it.simulator.is_some() && it.model.is_some())).count();
    println!(
        "\nmutants    {} in {:.0} s, {} of them built apart",
        verdicts.len(),
        took.as_secs_f64(),
        planted.apart.len()
    );
    println!("simulator  found {simulated}");
    println!("model      found {modelled}");
    println!("both       found {both}");
    println!("tests      found {}", count(Verdict::is_seen_by_tests));
    println!("tests only found {}", count(|it| !it.is_seen_by_checks() && it.is_seen_by_tests()));
    println!("no test    found {} of those", count(|it| it.is_seen_by_checks() && !it.is_seen_by_tests()));
    println!("caught     {} of {}", count(Verdict::is_caught), verdicts.len());
}

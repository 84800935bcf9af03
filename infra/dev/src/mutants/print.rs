//! What a person reads about mutants: what each would do, who found it, and how it looked there.

use std::time::Duration;

use mutants::Mutant;
use mutants::judge::{Finding, Judgement};

use super::Verdict;

pub(super) fn one(mutant: &Mutant) {
    let mut files: Vec<&str> = mutant.edits.iter().map(|edit| edit.file).collect();
    files.dedup();
    println!("\n{}", mutant.name);
    println!("  harm       {}", mutant.harm);
    let where_the_model_is_blind = if mutant.is_in_the_core() { "" } else { ", which the model does not know" };
    println!("  planted in {}{where_the_model_is_blind}", files.join(", "));
}

pub(super) fn control(judgement: &Judgement, took: Duration) {
    let Judgement { runs, states, .. } = judgement;
    println!("the code as it is: {runs} simulated runs and {states} states hold, {:.0} s", took.as_secs_f64());
}

pub(super) fn verdict(verdict: &Verdict) {
    match verdict {
        Verdict::Judged(Judgement { simulator, runs, model, states }) => {
            found("simulator", simulator.as_ref(), &format!("{runs} runs"));
            if *states > 0 {
                found("model", model.as_ref(), &format!("{states} states"));
            }
        }
        Verdict::DoesNotBuild(why) => println!("  DOES NOT BUILD\n{why}"),
        Verdict::Broke(why) => println!("  THE CHECKS BROKE DOWN\n{why}"),
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

pub(super) fn sum(verdicts: &[(&str, Verdict)], took: Duration) {
    let count = |is_one: fn(&Judgement) -> bool| {
        let one = |verdict: &Verdict| matches!(verdict, Verdict::Judged(judgement) if is_one(judgement));
        verdicts.iter().filter(|(_, verdict)| one(verdict)).count()
    };
    println!("\nmutants    {} in {:.0} s", verdicts.len(), took.as_secs_f64());
    println!("simulator  found {}", count(|it| it.simulator.is_some()));
    println!("model      found {}", count(|it| it.model.is_some()));
    println!("both       found {}", count(|it| it.simulator.is_some() && it.model.is_some()));
    let caught = verdicts.iter().filter(|(_, verdict)| verdict.is_caught()).count();
    println!("caught     {caught} of {}", verdicts.len());
}

//! The planted bugs fit the code as it is, and the sets of faults that they are judged by are those of the command line.
//! Whether they are found takes minutes, and is what `cargo dev mutants` is for.

use std::collections::BTreeSet;

use dev::simulate;
use mutants::judge;
use mutants::switched::{
    Generated, MUTANT_VARIABLE, Position, REACHED_VARIABLE, Span, Switched, UNKNOWN_MUTANT_CODE, switch_generated,
    switch_planted,
};
use mutants::{Edit, Mutant, accepted};

use super::root;

#[test]
fn every_mutant_still_finds_its_text_once_and_changes_it() {
    let root = root();
    let mut names = BTreeSet::new();
    for mutant in mutants::all() {
        let files = mutant.files(&root).unwrap_or_else(|why| panic!("{why}"));
        assert!(!files.is_empty(), "{} is planted nowhere", mutant.name);
        for (file, text) in files {
            assert!(file.starts_with("functions/"), "{}: {file} is not deployed", mutant.name);
            assert_ne!(text, super::read(&root.join(file)), "{} changes nothing in {file}", mutant.name);
        }
        assert!(names.insert(mutant.name), "two mutants are called {}", mutant.name);
        assert!(mutant.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", mutant.name);
    }
    assert!(names.len() >= 50, "{} mutants", names.len());
}

#[test]
fn a_text_that_is_not_there_once_is_named() {
    let edit = Edit { file: "functions/some.rs", text: "lease", instead: "" };
    for (source, times) in [("a claim", 0), ("a lease and a lease", 2)] {
        let why = edit.apply(source).expect_err(source);
        assert!(why.starts_with(&format!("functions/some.rs holds this text {times} times")), "{why}");
    }
    assert_eq!(edit.apply("a lease ends"), Ok("a  ends".to_owned()));
}

#[test]
fn mutants_meet_all_the_faults_that_a_person_can_repeat() {
    for (name, faults) in judge::faults() {
        let named = simulate::parse_faults(name).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(named.faults, faults, "{name}");
    }
    let known: BTreeSet<&str> = simulate::named().iter().map(|set| set.name).collect();
    let met: BTreeSet<&str> = judge::faults().iter().map(|(name, _)| *name).collect();
    // They are `outage` and `brownout` for days, and take as long as all the others.
    let for_days = BTreeSet::from(["outage-24h", "outage-72h", "dead-provider-24h", "dead-provider-72h"]);
    assert_eq!(met, &known - &for_days);
}

/// One that has to be built by itself costs minutes.
#[test]
fn nearly_every_mutant_stands_beside_the_original() {
    let all: Vec<&Mutant> = mutants::all().collect();
    let planted = switch_planted(&root(), &all).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(planted.names.len() + planted.apart.len(), all.len());
    let apart: Vec<String> = planted.apart.iter().map(|(mutant, why)| format!("{}: {why}", mutant.name)).collect();
    assert!(apart.len() * 10 <= all.len(), "built apart: {apart:?}");
    for (file, switched) in &planted.files {
        assert_eq!(squeezed(&with_nothing_on(switched)), squeezed(&super::read(&root().join(file))), "{file}");
    }
}

/// What is left when no switch is on.
fn with_nothing_on(switched: &Switched) -> String {
    let lines = switched.text.lines().zip(&switched.lines);
    lines.filter(|(_, line)| line.mutant.is_none()).map(|(text, _)| text).collect()
}

/// Without space, and without the brackets that a switch brings with it.
fn squeezed(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace() && !"(){}".contains(*character)).collect()
}

/// A mutant of a file with one function, and what the file is with it.
fn switched(source: &str, mutants: &[(&str, &str, &str)]) -> (String, Vec<u32>) {
    let folder = std::env::temp_dir().join(format!("sluice-mutants-{}-{}", std::process::id(), fastrand::u64(..)));
    std::fs::create_dir_all(&folder).expect("a folder for a file");
    std::fs::write(folder.join("some.rs"), source).expect("a file");
    let position = |byte: usize| {
        let before = &source[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    };
    let generated: Vec<Generated> = mutants
        .iter()
        .map(|(genre, text, replacement)| {
            let start = source.find(text).unwrap_or_else(|| panic!("{text} is in {source}"));
            let span = Span { start: position(start), end: position(start + text.len()) };
            let [name, genre, file, replacement] = ["some", *genre, "some.rs", *replacement].map(str::to_owned);
            Generated { name, file, genre, replacement, span }
        })
        .collect();
    let done = switch_generated(&folder, &generated, &BTreeSet::new());
    std::fs::remove_dir_all(&folder).expect("a folder that is ours");
    let (files, apart) = done.unwrap_or_else(|why| panic!("{why}"));
    let text = files["some.rs"].text.split_whitespace().collect::<Vec<_>>().join(" ");
    (text, apart.into_keys().collect())
}

#[test]
fn an_operator_is_switched_with_its_operands_and_what_lies_in_it_only_where_it_is_as_it_was() {
    let source = "/* \u{e9} */ fn f(a: u32) { g(a > 1 && a < 9) }";
    let (text, apart) = switched(source, &[("BinaryOperator", "&&", "||"), ("BinaryOperator", ">", ">=")]);
    assert_eq!(
        text,
        "/* \u{e9} */ fn f(a: u32) { g( (if ::switch::on(1) { a > 1 || a < 9 } else { \
         (if ::switch::on(2) { a >= 1 } else { a > 1 }) && a < 9 })) }"
    );
    assert!(apart.is_empty());
}

#[test]
fn one_operator_is_switched_to_each_of_several() {
    let operators = [">=", "<", "=="].map(|instead| ("BinaryOperator", ">", instead));
    let (text, apart) = switched("fn f(a: u32) { g(a > 1) }", &operators);
    assert_eq!(
        text,
        "fn f(a: u32) { g( (if ::switch::on(1) { a >= 1 } else if ::switch::on(2) { a < 1 } else if ::switch::on(3) { a == 1 \
         } else { a > 1 })) }"
    );
    assert!(apart.is_empty());
}

#[test]
fn a_function_an_arm_a_guard_and_a_field_are_switched() {
    let source = "fn f(a: u32) -> S { match a { 1 => S { b: 2, ..D }, c if c != 7 => D, _ => E } }";
    let (text, apart) = switched(
        source,
        &[
            ("FnValue", "match a", "Default::default()"),
            ("MatchArm", "1 => S { b: 2, ..D },", ""),
            ("MatchArmGuard", "c != 7", "true"),
            ("StructField", "b: 2,", ""),
            ("MatchArm", "c if c != 7 => D,", ""),
        ],
    );
    assert_eq!(
        text,
        "fn f(a: u32) -> S { if ::switch::on(1) { return Default::default(); } match a { 1 if !::switch::on(2) => \
         (if ::switch::on(4) { S { ..D } } else { S { b: 2, ..D } }), c if (if ::switch::on(3) { true } else \
         if ::switch::on(5) { false } else { c != 7 }) => D, _ => E } }"
    );
    assert!(apart.is_empty());
}

/// A switch in a constant would never be on, and a condition with a `let` in it is no value.
#[test]
fn what_cannot_be_switched_is_named_and_left_as_it_is() {
    let source =
        "const A: u32 = 2 * 3; fn f(b: Option<u32>) -> bool { if let Some(c) = b && c > 1 { true } else { false } }";
    let (text, apart) = switched(source, &[("BinaryOperator", "*", "+"), ("BinaryOperator", "&&", "||")]);
    assert_eq!(text, source);
    assert_eq!(apart, [1, 2]);
}

/// The switch is compiled in the copy only, so nothing else would notice: a process that does not know its mutant would run
/// the code as it is, or look like a finding.
#[test]
fn the_switch_and_whoever_sets_it_use_the_same_names() {
    let switch = super::read(&root().join("infra/mutants/switch/lib.rs"));
    for line in [
        format!("const MUTANT: &str = \"{MUTANT_VARIABLE}\";"),
        format!("const REACHED: &str = \"{REACHED_VARIABLE}\";"),
        format!("const UNKNOWN_MUTANT_CODE: i32 = {UNKNOWN_MUTANT_CODE};"),
    ] {
        assert_eq!(switch.matches(&line).count(), 1, "{line}");
    }
}

#[test]
fn a_reason_for_a_mutant_that_is_not_there_is_an_error() {
    let stale = accepted::stale(&root(), &[]).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(stale.len(), accepted::ACCEPTED.len());
    for accepted in accepted::ACCEPTED {
        assert!(accepted.reason.len() > 20, "{}: {}", accepted.file, accepted.reason);
        let source = super::read(&root().join(accepted.file));
        assert!(source.lines().any(|line| line.trim() == accepted.line), "{}: {}", accepted.file, accepted.line);
    }
}

//! The planted bugs fit the code as it is, and the sets of faults that they are judged by are those of the command line.
//! Whether they are found takes minutes, and is what `cargo dev mutants` is for.

use std::collections::BTreeSet;

use dev::simulate;
use mutants::Edit;
use mutants::judge;

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
    assert!(names.len() >= 15, "{} mutants", names.len());
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
fn mutants_meet_the_faults_that_a_person_can_repeat() {
    for (name, faults) in judge::faults() {
        let named = simulate::parse_faults(name).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(named.faults, faults, "{name}");
    }
}

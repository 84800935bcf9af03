//! Switches what cargo-mutants lists: one operator, arm, guard, field or whole function at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::places::Places;
use super::render::{How, Place, Switched, render};

/// A line and a column, both from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// From here to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first character.
    pub start: Position,
    /// The first character behind it.
    pub end: Position,
}

/// One mutant of `cargo mutants --list --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Where, and what becomes of what.
    pub name: String,
    /// The file, from the repository's root.
    pub file: String,
    /// What kind of change it is.
    pub genre: String,
    /// What stands there instead.
    pub replacement: String,
    /// What is replaced.
    pub span: Span,
}

impl Generated {
    /// What is done, without the line and the column, which move.
    pub fn what(&self) -> &str {
        self.name.splitn(4, ':').nth(3).unwrap_or(&self.name).trim()
    }
}

/// The switched files by their names.
pub type Files = BTreeMap<String, Switched>;
/// By number why a mutant cannot be switched.
pub type Apart = BTreeMap<u32, String>;

/// The switched files, and by number why a mutant is none of them. A mutant's number is its place in the list, from 1 on.
pub fn switch(root: &Path, mutants: &[Generated], without: &BTreeSet<u32>) -> Result<(Files, Apart), String> {
    let mut files: BTreeMap<&str, Vec<(u32, &Generated)>> = BTreeMap::new();
    for (mutant, number) in mutants.iter().zip(1..) {
        files.entry(&mutant.file).or_default().push((number, mutant));
    }
    let (mut switched, mut apart) = (BTreeMap::new(), BTreeMap::new());
    for (file, mutants) in files {
        let source = super::read(&root.join(file))?;
        let found = Places::of(&source).map_err(|error| format!("cannot read {file}: {error}"))?;
        let mut places = Vec::new();
        for (number, mutant) in mutants.into_iter().filter(|(number, _)| !without.contains(number)) {
            match place(mutant, number, &source, &found) {
                Some(place) => places.push(place),
                None => drop(apart.insert(number, "it is nothing that can be switched".to_owned())),
            }
        }
        let file_switched = render(&source, places);
        for number in &file_switched.crossed {
            apart.insert(*number, "it cuts through another".to_owned());
        }
        // What cannot even be read would be laid at the mutants' door, as if they did not compile.
        syn::parse_file(&file_switched.text)
            .map_err(|error| format!("{file} as it is switched is no Rust: {error}"))?;
        switched.insert(file.to_owned(), file_switched);
    }
    Ok((switched, apart))
}

fn place(mutant: &Generated, number: u32, source: &str, found: &Places) -> Option<Place> {
    let range = offset(source, mutant.span.start)?..offset(source, mutant.span.end)?;
    // What the compiler works out is never switched.
    let function = found.innermost(&range)?;
    let expression = |range: Range<usize>, text: String| Place { range, how: How::Expression, number, text };
    match mutant.genre.as_str() {
        // Two bodies would be two types.
        "FnValue" if function.is_opaque => None,
        "FnValue" => {
            let start = function.body.start;
            let text = format!("return {};", mutant.replacement);
            Some(Place { range: start..start, how: How::Before, number, text })
        }
        "BinaryOperator" | "UnaryOperator" => {
            let piece = found.operators.iter().find(|piece| piece.at == range && !piece.has_let)?;
            let text = format!(
                "{}{}{}",
                &source[piece.whole.start..range.start],
                mutant.replacement,
                &source[range.end..piece.whole.end]
            );
            Some(expression(piece.whole.clone(), text))
        }
        "MatchArmGuard" => Some(expression(range, mutant.replacement.clone())),
        "MatchArm" => {
            let arm = found.arms.iter().find(|arm| arm.start == range.start)?;
            match &arm.guard {
                Some(guard) => Some(expression(guard.clone(), "false".to_owned())),
                None => {
                    let range = arm.pattern_end..arm.pattern_end;
                    Some(Place { range, how: How::Guard, number, text: String::new() })
                }
            }
        }
        "StructField" => {
            let piece = found.fields.iter().find(|piece| piece.at.start == range.start)?;
            let (before, after) = (&source[piece.whole.start..piece.at.start], &source[piece.at.end..piece.whole.end]);
            Some(expression(piece.whole.clone(), format!("{before}{after}")))
        }
        _ => None,
    }
}

/// The byte at which a position begins.
fn offset(source: &str, position: Position) -> Option<usize> {
    let line_start: usize = source.split_inclusive('\n').take(position.line.checked_sub(1)?).map(str::len).sum();
    let line = source.get(line_start..)?;
    let column = position.column.checked_sub(1)?;
    let bytes = line.char_indices().nth(column).map_or(line.len(), |(bytes, _)| bytes);
    Some(line_start + bytes)
}

/// The line that a mutant begins in, without the space around it.
pub fn line_of(root: &Path, mutant: &Generated) -> Result<String, String> {
    let source = super::read(&root.join(&mutant.file))?;
    Ok(source.lines().nth(mutant.span.start.line.saturating_sub(1)).unwrap_or_default().trim().to_owned())
}

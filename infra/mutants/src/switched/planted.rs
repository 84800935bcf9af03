//! Switches the planted bugs: the function that a bug is in stands there twice, as it is and as the bug has it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::places::Places;
use super::render::{How, Place, Switched, render};
use crate::{Edit, Mutant};

/// What became of all planted bugs.
#[derive(Clone, Debug, Default)]
pub struct Planted {
    /// The switched files.
    pub files: BTreeMap<&'static str, Switched>,
    /// Names and numbers of what can be switched on.
    pub names: Vec<(String, u32)>,
    /// What can only be built by itself, and why.
    pub apart: Vec<(&'static Mutant, String)>,
}

/// Switches these in the tree below `root`.
pub fn switch(root: &Path, mutants: &[&'static Mutant]) -> Result<Planted, String> {
    let mut planted = Planted::default();
    let mut sources: BTreeMap<&'static str, (String, Places)> = BTreeMap::new();
    let mut places: BTreeMap<&'static str, Vec<Place>> = BTreeMap::new();
    for (mutant, number) in mutants.iter().zip(1..) {
        for edit in mutant.edits.iter().filter(|edit| !sources.contains_key(edit.file)).collect::<Vec<_>>() {
            let source = super::read(&root.join(edit.file))?;
            let found = Places::of(&source).map_err(|error| format!("cannot read {}: {error}", edit.file))?;
            sources.entry(edit.file).or_insert((source, found));
        }
        match bodies(mutant, number, &sources) {
            Ok(found) => {
                for (file, place) in found {
                    places.entry(file).or_default().push(place);
                }
                planted.names.push((mutant.name.to_owned(), number));
            }
            Err(why) => planted.apart.push((mutant, why)),
        }
    }
    for (file, places) in places {
        let (source, _) = &sources[file];
        planted.files.insert(file, render(source, places));
    }
    Ok(planted)
}

type Sources = BTreeMap<&'static str, (String, Places)>;
/// A file, and where in it a function's body lies.
type Body = (&'static str, usize, usize);

/// The functions that a mutant changes, each with the mutant's body.
fn bodies(mutant: &Mutant, number: u32, sources: &Sources) -> Result<Vec<(&'static str, Place)>, String> {
    let mut changes: BTreeMap<Body, Vec<(Range<usize>, &'static str)>> = BTreeMap::new();
    for edit in mutant.edits {
        let (source, places) = &sources[edit.file];
        let (range, text) = change(edit, source)?;
        let function =
            places.outermost(&range).ok_or_else(|| format!("{} is changed outside a function", edit.file))?;
        if function.is_opaque {
            return Err(format!("a function of {} hides its type", edit.file));
        }
        changes.entry((edit.file, function.body.start, function.body.end)).or_default().push((range, text));
    }
    let place = |((file, start, end), mut changes): (Body, Vec<(Range<usize>, &str)>)| {
        let (source, _) = &sources[file];
        changes.sort_by_key(|(range, _)| range.start);
        let (mut text, mut from) = (String::new(), start);
        for (range, instead) in changes {
            let before = source.get(from..range.start).ok_or("two of its changes overlap")?;
            text.push_str(before);
            text.push_str(instead);
            from = range.end;
        }
        text.push_str(&source[from..end]);
        Ok((file, Place { range: start..end, how: How::Body, number, text }))
    };
    changes.into_iter().map(place).collect()
}

/// Where an edit really changes something, and into what: without what is the same at its ends.
fn change(edit: &Edit, source: &str) -> Result<(Range<usize>, &'static str), String> {
    edit.apply(source)?;
    let start = source.find(edit.text).unwrap_or_default();
    let same = |(one, other): &(char, char)| one == other;
    let length = |(one, _): (char, char)| one.len_utf8();
    let before: usize = edit.text.chars().zip(edit.instead.chars()).take_while(same).map(length).sum();
    let (text, instead) = (&edit.text[before..], &edit.instead[before..]);
    let after: usize = text.chars().rev().zip(instead.chars().rev()).take_while(same).map(length).sum();
    let range = start + before..start + edit.text.len() - after;
    Ok((range, &instead[..instead.len() - after]))
}

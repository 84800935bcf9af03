//! Writes a file in which mutants stand beside the original, and knows which line is whose.

use std::cmp::Reverse;
use std::ops::Range;

/// How a mutant is put beside what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// What is between a function's braces.
    Body,
    /// A statement before the first one of a function.
    Before,
    /// An expression.
    Expression,
    /// A condition behind the pattern of an arm that has none: the arm is passed over.
    Guard,
}

/// One place of one mutant: what stands there instead, or before it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) range: Range<usize>,
    pub(super) how: How,
    pub(super) number: u32,
    pub(super) text: String,
}

/// Whose a line of a switched file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The mutant whose text it is.
    pub mutant: Option<u32>,
    /// The mutants of the innermost place that it lies in.
    pub place: Vec<u32>,
}

/// A switched file.
#[derive(Clone, Debug, Default)]
pub struct Switched {
    /// Its text.
    pub text: String,
    /// Its lines, the first one first.
    pub lines: Vec<Line>,
    /// Mutants whose places cut through another's, which cannot be.
    pub crossed: Vec<u32>,
}

struct Group {
    range: Range<usize>,
    how: How,
    variants: Vec<(u32, String)>,
}

/// The file with all these places switched.
pub(super) fn render(source: &str, mut places: Vec<Place>) -> Switched {
    places.sort_by_key(|place| (place.range.start, Reverse(place.range.end), place.how, place.number));
    let mut groups: Vec<Group> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut switched = Switched::default();
    for Place { range, how, number, text } in places {
        if let Some(last) = groups.last_mut().filter(|last| last.range == range && last.how == how) {
            last.variants.push((number, text));
            continue;
        }
        open.retain(|end| *end > range.start);
        if open.iter().any(|end| *end < range.end) {
            switched.crossed.push(number);
            continue;
        }
        open.push(range.end);
        groups.push(Group { range, how, variants: vec![(number, text)] });
    }
    let mut out = Writer { source, switched };
    out.part(0..source.len(), &groups, &[]);
    let left = out.switched.text.lines().count();
    out.switched.lines.truncate(left);
    out.switched
}

struct Writer<'a> {
    source: &'a str,
    switched: Switched,
}

impl Writer<'_> {
    /// The original's text, with what is switched in it.
    fn part(&mut self, range: Range<usize>, groups: &[Group], place: &[u32]) {
        let mut from = range.start;
        let mut rest = groups;
        while let [group, others @ ..] = rest {
            self.add(&self.source[from..group.range.start], None, place);
            let within = others.iter().take_while(|other| other.range.start < group.range.end).count();
            let (within, others) = others.split_at(within);
            self.group(group, within);
            (from, rest) = (group.range.end, others);
        }
        self.add(&self.source[from..range.end], None, place);
    }

    fn group(&mut self, group: &Group, within: &[Group]) {
        let place: Vec<u32> = group.variants.iter().map(|(number, _)| *number).collect();
        match group.how {
            How::Guard => {
                for (index, (number, _)) in group.variants.iter().enumerate() {
                    let word = if index == 0 { "if" } else { "&&" };
                    self.add(&format!("\n{word} !::switch::on({number})\n"), Some(*number), &place);
                }
            }
            How::Before => {
                for (number, text) in &group.variants {
                    self.add(&format!("\nif ::switch::on({number}) {{\n{text}\n}}\n"), Some(*number), &place);
                }
            }
            How::Body | How::Expression => {
                // A body's braces are there; an expression may be an operand. Further ones go on behind an `else`.
                let (mut opens, closes) = if group.how == How::Body { ("", "") } else { ("(", ")") };
                for (number, text) in &group.variants {
                    self.add(&format!("\n{opens}if ::switch::on({number}) {{\n{text}\n}} else"), Some(*number), &place);
                    opens = "";
                }
                self.add(" {\n", None, &place);
                self.part(group.range.clone(), within, &place);
                self.add(&format!("\n}}{closes}"), None, &place);
            }
        }
    }

    fn add(&mut self, text: &str, mutant: Option<u32>, place: &[u32]) {
        for character in text.chars() {
            if self.switched.lines.is_empty() {
                self.switched.lines.push(Line::default());
            }
            self.switched.text.push(character);
            if let Some(line) = self.switched.lines.last_mut().filter(|_| !character.is_whitespace()) {
                if mutant.is_some() {
                    line.mutant = mutant;
                }
                if line.place.is_empty() {
                    line.place = place.to_vec();
                }
            }
            if character == '\n' {
                self.switched.lines.push(Line::default());
            }
        }
    }
}

//! Comma-separated values, read strictly (RFC 4180): what a spreadsheet or a broken export makes of a file must never be
//! taken for another value.
//!
//! A record is one line, so that a quote which nobody closed costs its own line and no other. Each line has exactly the
//! header's fields. A quoted value is quoted from its first character to its last. No crate that reads CSV refuses all of
//! this: the usual one makes `1999` of `"19"99`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Longest line, in bytes: no payment needs as many.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What UTF-8 files of some programs begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a table cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It has no line.
    Empty,
    /// It is no text in UTF-8.
    Encoding(&'static str),
    /// Its first line is no record.
    Line(String),
    /// Its values are separated by this instead of commas.
    Separator(&'static str),
    /// Two columns have this name.
    Twice(String),
    /// Columns that it has to have, and those that nobody knows.
    Columns {
        /// Which it lacks.
        missing: Vec<&'static str>,
        /// Which nobody reads.
        unknown: Vec<String>,
        /// Which there may be.
        known: Vec<&'static str>,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty; its first line must name its columns"),
            Self::Encoding(what) => write!(f, "the file is {what}; save it as UTF-8"),
            Self::Line(reason) => write!(f, "line 1, the header: {reason}"),
            Self::Separator(what) => {
                write!(f, "line 1, the header: its names are separated by {what}; save the file with commas")
            }
            Self::Twice(name) => write!(f, "line 1, the header: two columns are named {name}; which one counts?"),
            Self::Columns { missing, unknown, known } => {
                f.write_str("line 1, the header: ")?;
                if !missing.is_empty() {
                    write!(f, "{} missing: {}", plural(missing.len()), missing.join(", "))?;
                }
                if !unknown.is_empty() {
                    let between = if missing.is_empty() { "" } else { "; " };
                    write!(f, "{between}{} not known: {}", plural(unknown.len()), unknown.join(", "))?;
                }
                write!(f, "; known are {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for HeaderError {}

fn plural(count: usize) -> &'static str {
    if count == 1 { "a column is" } else { "columns are" }
}

/// Which columns a table may have.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Those that it has to have.
    pub required: &'a [&'static str],
    /// Those that it may have.
    pub optional: &'a [&'static str],
    /// Those that it may have and nobody reads.
    pub ignored: &'a [String],
}

/// A table whose header is understood.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    rest: Lines<'a>,
    /// The name of each field that is read, by its place.
    names: Vec<Option<&'static str>>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file; the header is line 1.
    pub line: u64,
    /// What it says, or why nobody can know.
    pub values: Result<Values, String>,
    /// Whether its line was ended. A last line that was not may have been cut off.
    pub is_ended: bool,
}

/// The values of a record by their columns' names; an empty one is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// A value that has to be there.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.optional(name).ok_or_else(|| format!("{name} is missing"))
    }

    /// A value that may be there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<'a> Table<'a> {
    /// Reads the header.
    pub fn open(bytes: &'a [u8], columns: Columns<'_>) -> Result<Self, HeaderError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(HeaderError::Encoding("UTF-16"));
        }
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let mut rest = Lines { bytes, number: 0 };
        let header = rest.next().ok_or(HeaderError::Empty)?;
        if header.bytes.contains(&0) {
            return Err(HeaderError::Encoding("UTF-16, or no text: its first line holds NUL bytes"));
        }
        let names = fields(header.bytes).map_err(HeaderError::Line)?;
        let mut seen = Vec::with_capacity(names.len());
        for name in &names {
            let name = std::str::from_utf8(name).map_err(|_| HeaderError::Encoding("not UTF-8"))?.to_owned();
            if seen.contains(&name) {
                return Err(HeaderError::Twice(name));
            }
            seen.push(name);
        }
        if let [only] = seen.as_slice() {
            let other = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
            if let Some((_, what)) = other.into_iter().find(|(separator, _)| only.contains(*separator)) {
                return Err(HeaderError::Separator(what));
            }
        }
        let known: Vec<&'static str> = columns.required.iter().chain(columns.optional).copied().collect();
        let missing: Vec<_> =
            columns.required.iter().copied().filter(|name| !seen.iter().any(|column| column == name)).collect();
        let unknown: Vec<_> = seen
            .iter()
            .filter(|column| !known.iter().any(|name| name == column) && !columns.ignored.contains(column))
            .map(|column| if column.is_empty() { "one without a name".to_owned() } else { column.clone() })
            .collect();
        if !missing.is_empty() || !unknown.is_empty() {
            return Err(HeaderError::Columns { missing, unknown, known });
        }
        let names = seen.iter().map(|column| known.iter().copied().find(|name| name == column)).collect();
        Ok(Self { rest, names })
    }

    /// The last column, if it is read.
    pub fn last_column(&self) -> Option<&'static str> {
        self.names.last().copied().flatten()
    }

    fn values(&self, line: &[u8]) -> Result<Values, String> {
        let fields = fields(line)?;
        let (found, expected) = (fields.len(), self.names.len());
        if found != expected {
            let hint = if found > expected { "; a value that holds a comma has to be quoted" } else { "" };
            return Err(format!("{found} fields where the header has {expected}{hint}"));
        }
        let mut values = BTreeMap::new();
        for (name, field) in self.names.iter().zip(&fields) {
            let Some(name) = *name else { continue };
            let text = std::str::from_utf8(field).map_err(|_| format!("{name} is not UTF-8"))?;
            if let Some(hidden) = text.chars().find(|c| is_hidden(*c)) {
                return Err(format!("{name} holds U+{:04X}, which nobody sees", u32::from(hidden)));
            }
            if !text.is_empty() {
                values.insert(name, text.to_owned());
            }
        }
        Ok(Values(values))
    }
}

impl Iterator for Table<'_> {
    type Item = Row;

    /// The next line that is not blank.
    fn next(&mut self) -> Option<Row> {
        loop {
            let Line { number, bytes, is_ended } = self.rest.next()?;
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Some(Row { line: number, values: self.values(bytes), is_ended });
            }
        }
    }
}

/// Controls, marks of byte order and direction, and what has no width: two values that look alike would be two orders.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    number: u64,
    bytes: &'a [u8],
    is_ended: bool,
}

/// Lines that end with LF, CR LF or CR.
#[derive(Clone, Debug)]
struct Lines<'a> {
    bytes: &'a [u8],
    number: u64,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (bytes, after) = match end {
            None => (self.bytes, <&[u8]>::default()),
            Some(end) => {
                let (line, after) = self.bytes.split_at(end);
                let after = after.strip_prefix(b"\r\n").or_else(|| after.get(1..));
                (line, after.unwrap_or_default())
            }
        };
        self.bytes = after;
        Some(Line { number: self.number, bytes, is_ended: end.is_some() })
    }
}

/// A line's fields. Blanks around a value that is not quoted are not part of it.
fn fields(line: &[u8]) -> Result<Vec<Cow<'_, [u8]>>, String> {
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
    }
    if line.contains(&0) {
        return Err("it holds a NUL byte".to_owned());
    }
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.trim_ascii_start().strip_prefix(b"\"") {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                if field.contains(&b'"') {
                    return Err("a quote stands in the middle of a value".to_owned());
                }
                (Cow::Borrowed(field.trim_ascii()), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(b",") {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// What stands before the first of these bytes, and what after it.
fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let mut parts = bytes.splitn(2, |byte| *byte == at);
    Some((parts.next()?, parts.next()?))
}

/// What stands between quotes, in which two quotes are one, and what follows them: a comma, or nothing.
fn quoted_field(quoted: &[u8]) -> Result<(Cow<'_, [u8]>, &[u8]), String> {
    let mut value = Vec::new();
    let mut rest = quoted;
    loop {
        let (before, after) =
            split_once(rest, b'"').ok_or("a quote is opened and not closed on its line; a value stands on one line")?;
        value.extend_from_slice(before);
        rest = after;
        match rest.strip_prefix(b"\"") {
            Some(after) => {
                value.push(b'"');
                rest = after;
            }
            None => break,
        }
    }
    let after = rest.trim_ascii_start();
    if !after.is_empty() && !after.starts_with(b",") {
        return Err("something stands between a closing quote and the next comma".to_owned());
    }
    Ok((Cow::Owned(value), after))
}

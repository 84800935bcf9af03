//! A YAML document as a tree in which everything knows its line, and tags such as `!Ref` are kept.

use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};

/// A value with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// From 1.
    pub line: usize,
    /// What stands after a `!`, without it.
    pub tag: Option<String>,
    /// What it holds.
    pub kind: Kind,
}

/// What a value holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One word or text, whatever its quotes.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with their values, in order.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line, which is where a person looks for the value.
    pub line: usize,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Reads a text that holds one document.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader(Parser::new_from_str(text));
        loop {
            let (event, span) = reader.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => return Err("1: nothing stands there".to_owned()),
                other => return reader.node(other, span),
            }
        }
    }

    /// The text, if it is one without a tag.
    pub fn text(&self) -> Option<&str> {
        match (&self.kind, &self.tag) {
            (Kind::Text(text), None) => Some(text),
            _ => None,
        }
    }

    /// The keys with their values; none if it is no map.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// The elements; none if it is no list.
    pub fn elements(&self) -> &[Self] {
        match &self.kind {
            Kind::List(elements) => elements,
            Kind::Text(_) | Kind::Map(_) => &[],
        }
    }

    /// A key with its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// What a path of keys leads to.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.entry(key).map(|entry| &entry.value))
    }
}

struct Reader<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        let wrong = |error: ScanError| format!("{}: {}", error.marker().line(), error.info());
        self.0.next().unwrap_or(Ok((Event::StreamEnd, Span::default()))).map_err(wrong)
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, String> {
        let line = span.start.line();
        let (tag, kind) = match event {
            Event::Scalar(text, _, _, tag) => (tag, Kind::Text(text.into_owned())),
            Event::SequenceStart(_, tag) => {
                let mut elements = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, span) => elements.push(self.node(event, span)?),
                    }
                }
                (tag, Kind::List(elements))
            }
            Event::MappingStart(_, tag) => {
                let mut entries: Vec<Entry> = Vec::new();
                loop {
                    let (event, span) = match self.next()? {
                        (Event::MappingEnd, _) => break,
                        other => other,
                    };
                    let key_line = span.start.line();
                    let Kind::Text(key) = self.node(event, span)?.kind else {
                        return Err(format!("{key_line}: a key that is no text"));
                    };
                    if entries.iter().any(|entry| entry.key == key) {
                        return Err(format!("{key_line}: {key} stands there twice"));
                    }
                    let (event, span) = self.next()?;
                    entries.push(Entry { key, line: key_line, value: self.node(event, span)? });
                }
                (tag, Kind::Map(entries))
            }
            Event::Alias(_) => return Err(format!("{line}: an alias, which CloudFormation does not take")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(format!("{line}: the document ends in the middle")),
        };
        // `!!str` and its like say only what a text is.
        let tag = tag.filter(|tag| !tag.is_yaml_core_schema()).map(|tag| tag.suffix.clone());
        Ok(Node { line, tag, kind })
    }
}

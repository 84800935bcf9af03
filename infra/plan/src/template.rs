//! A SAM template's values with their lines: parameters at their defaults or as they were given, and references followed.

pub mod check;
mod reader;
pub mod yaml;

use std::collections::BTreeMap;

use yaml::{Entry, Kind, Node};

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The template's line.
    pub line: usize,
    /// What is wrong, the numbers, and what to set.
    pub text: String,
}

impl Finding {
    /// One at a line.
    pub fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

/// A value and the line on which a person changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// A parameter's default, or the place itself.
    pub line: usize,
}

/// What a value comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A text or a number.
    Value(Found<String>),
    /// A resource, by its logical id.
    Resource(String),
    /// A parameter that has no default and was not given.
    NotGiven(String),
    /// What only a deployment knows.
    AtDeployment,
}

/// A template.
#[derive(Clone, Debug)]
pub struct Template {
    root: Node,
    given: BTreeMap<String, String>,
}

impl Template {
    /// Reads a template; `given` are its parameters' values where they are not the defaults.
    pub fn parse(text: &str, given: &[(String, String)]) -> Result<Self, Finding> {
        let root = Node::parse(text).map_err(|error| {
            let (line, text) = error.split_once(": ").unwrap_or(("1", &error));
            Finding::new(line.parse().unwrap_or(1), text)
        })?;
        let template = Self { root, given: given.iter().cloned().collect() };
        let unknown = template.given.keys().find(|name| template.parameter(name).is_none());
        match unknown {
            Some(name) => Err(Finding::new(template.line_of(&["Parameters"]), format!("there is no parameter {name}"))),
            None => Ok(template),
        }
    }

    /// What a path of keys leads to.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        self.root.at(path)
    }

    /// The line of the last key of a path that is there.
    pub fn line_of(&self, path: &[&str]) -> usize {
        let (mut node, mut line) = (&self.root, 1);
        for key in path {
            match node.entry(key) {
                Some(Entry { line: at, value, .. }) => (node, line) = (value, *at),
                None => break,
            }
        }
        line
    }

    fn parameter(&self, name: &str) -> Option<&Node> {
        self.at(&["Parameters", name])
    }

    /// All resources of a type.
    pub fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        let all = self.at(&["Resources"]).map_or(&[][..], Node::entries).iter();
        all.filter(move |entry| entry.value.at(&["Type"]).and_then(Node::text) == Some(kind))
    }

    /// Follows `!Ref` and `!GetAtt`, short or long.
    pub fn resolve(&self, node: &Node, line: usize) -> Resolved {
        match reference(node) {
            Some(name) => self.named(&name, line),
            None => match node.text() {
                Some(text) => Resolved::Value(Found { value: text.to_owned(), line }),
                None => Resolved::AtDeployment,
            },
        }
    }

    fn named(&self, name: &str, line: usize) -> Resolved {
        let Some(parameter) = self.parameter(name) else {
            return match self.at(&["Resources", name]) {
                Some(_) => Resolved::Resource(name.to_owned()),
                None => Resolved::AtDeployment,
            };
        };
        if let Some(value) = self.given.get(name) {
            return Resolved::Value(Found { value: value.clone(), line });
        }
        match parameter.entry("Default") {
            Some(Entry { line, value, .. }) => {
                Resolved::Value(Found { value: value.text().unwrap_or_default().to_owned(), line: *line })
            }
            None => Resolved::NotGiven(name.to_owned()),
        }
    }

    /// A whole number at a path. `Ok(None)` where there is none, or where it is a parameter that nobody has given.
    pub fn number(&self, path: &[&str]) -> Result<Option<Found<u64>>, Finding> {
        let Some(node) = self.at(path) else { return Ok(None) };
        let line = self.line_of(path);
        let key = path.last().copied().unwrap_or_default();
        match self.resolve(node, line) {
            Resolved::Value(Found { value, line }) => match value.parse() {
                Ok(value) => Ok(Some(Found { value, line })),
                Err(_) => Err(Finding::new(line, format!("{key} is {value:?}: expected a whole number"))),
            },
            Resolved::NotGiven(_) => Ok(None),
            Resolved::Resource(_) | Resolved::AtDeployment => {
                Err(Finding::new(line, format!("{key} cannot be read here: write a number, or !Ref a parameter")))
            }
        }
    }

    /// Parameters without a default that nobody has given.
    pub fn not_given(&self) -> Vec<&str> {
        let all = self.at(&["Parameters"]).map_or(&[][..], Node::entries).iter();
        let missing =
            all.filter(|entry| entry.value.entry("Default").is_none() && !self.given.contains_key(&entry.key));
        missing.map(|entry| entry.key.as_str()).collect()
    }

    /// Parameters whose value is outside what they themselves allow.
    pub fn parameters_out_of_bounds(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for Entry { key: name, line, value: parameter } in self.at(&["Parameters"]).map_or(&[][..], Node::entries) {
            let Resolved::Value(Found { value, line }) = self.named(name, *line) else { continue };
            let allowed: Vec<&str> = parameter
                .at(&["AllowedValues"])
                .map_or(&[][..], Node::elements)
                .iter()
                .filter_map(Node::text)
                .collect();
            if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
                found.push(Finding::new(line, format!("{name} is {value}: allowed are {}", allowed.join(", "))));
            }
            if parameter.at(&["Type"]).and_then(Node::text) != Some("Number") {
                continue;
            }
            let Ok(number) = value.parse::<u64>() else {
                found.push(Finding::new(line, format!("{name} is {value:?}: expected a whole number")));
                continue;
            };
            let bound = |key| parameter.at(&[key]).and_then(Node::text).and_then(|text| text.parse::<u64>().ok());
            if let Some(least) = bound("MinValue").filter(|least| number < *least) {
                found.push(Finding::new(line, format!("{name} is {number}: set at least {least}")));
            }
            if let Some(most) = bound("MaxValue").filter(|most| number > *most) {
                found.push(Finding::new(line, format!("{name} is {number}: set at most {most}")));
            }
        }
        found
    }
}

/// What a `!Ref` or the first part of a `!GetAtt` names.
fn reference(node: &Node) -> Option<String> {
    let short = |text: &str| text.split('.').next().map(str::to_owned);
    match (&node.tag.as_deref(), &node.kind) {
        (Some("Ref"), Kind::Text(name)) => Some(name.clone()),
        (Some("GetAtt"), Kind::Text(path)) => short(path),
        (Some("GetAtt"), Kind::List(parts)) => parts.first().and_then(Node::text).map(str::to_owned),
        (None, Kind::Map(entries)) => match entries.as_slice() {
            [Entry { key, value, .. }] if key == "Ref" => value.text().map(str::to_owned),
            [Entry { key, value, .. }] if key == "Fn::GetAtt" => match &value.kind {
                Kind::Text(path) => short(path),
                Kind::List(parts) => parts.first().and_then(Node::text).map(str::to_owned),
                Kind::Map(_) => None,
            },
            _ => None,
        },
        _ => None,
    }
}

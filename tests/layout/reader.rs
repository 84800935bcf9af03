//! The template as the layout tests ask it: by the keys that lead to a value.

use std::collections::{BTreeMap, BTreeSet};

use plan::template::yaml::{Kind, Node};

use super::{read, root};

/// What stands in for the parameters without a default, which only a provider can say.
pub(super) const ASKED_FOR: [(&str, &str); 7] = [
    ("ProviderName", "acme"),
    ("ProviderUrl", "https://api.acme.example/v1"),
    ("ProviderSecretName", "acme-key"),
    ("HistorySecretName", "history-keys"),
    ("ProviderRatePerSecond", "5000"),
    ("AbsenceBoundMs", "900000"),
    ("KeyWindowMs", "86400000"),
];

/// One value of the template: the keys that lead to it, and its text as the short form writes it. An element of a list adds
/// `-N` to the path, counted through the whole template.
#[derive(Debug)]
struct Line {
    path: Vec<String>,
    value: String,
}

/// The template, value by value, in its order.
pub(super) struct Template(Vec<Line>);

/// A value that stands on one line: a text, or what a function such as `!If` makes of a list.
fn short(node: &Node) -> Option<String> {
    let text = match &node.kind {
        Kind::Text(text) => text.clone(),
        Kind::List(elements) if node.tag.is_some() => {
            let elements: Option<Vec<String>> = elements.iter().map(short).collect();
            format!("[{}]", elements?.join(", "))
        }
        Kind::List(_) | Kind::Map(_) => return plain_list(node),
    };
    Some(node.tag.as_ref().map_or(text.clone(), |tag| format!("!{tag} {text}")))
}

/// A list within a function's arguments.
fn plain_list(node: &Node) -> Option<String> {
    let elements: Option<Vec<String>> = node.elements().iter().map(short).collect();
    matches!(node.kind, Kind::List(_)).then(|| elements.map(|all| format!("[{}]", all.join(", "))))?
}

impl Template {
    pub(super) fn load() -> Self {
        Self::parse(&read(&root().join("template.yaml")))
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut template = Self(Vec::new());
        template.add(&Node::parse(text).expect("the template is YAML"), &mut Vec::new(), &mut 0);
        template
    }

    fn add(&mut self, node: &Node, path: &mut Vec<String>, elements: &mut u32) {
        let is_text = matches!(node.kind, Kind::Text(_));
        let value = if is_text || node.tag.is_some() { short(node) } else { None };
        let is_whole = value.is_some();
        if !path.is_empty() {
            self.0.push(Line { path: path.clone(), value: value.unwrap_or_default() });
        }
        if is_whole {
            return;
        }
        for element in node.elements() {
            *elements += 1;
            path.push(format!("-{elements}"));
            self.add(element, path, elements);
            path.pop();
        }
        for entry in node.entries() {
            path.push(entry.key.clone());
            self.add(&entry.value, path, elements);
            path.pop();
        }
    }

    /// The values under a path, each with what its own path adds.
    pub(super) fn under<'a>(&'a self, path: &[&str]) -> std::vec::IntoIter<(&'a [String], &'a str)> {
        let rest = |line: &'a Line| {
            let is_under = line.path.len() >= path.len() && line.path.iter().zip(path).all(|(one, other)| one == other);
            is_under.then(|| (line.path.get(path.len()..).unwrap_or_default(), line.value.as_str()))
        };
        self.0.iter().filter_map(rest).collect::<Vec<_>>().into_iter()
    }

    pub(super) fn get(&self, path: &[&str]) -> &str {
        self.find(path).unwrap_or_else(|| panic!("the template has no {}", path.join("/")))
    }

    pub(super) fn find(&self, path: &[&str]) -> Option<&str> {
        self.under(path).find(|(rest, _)| rest.is_empty()).map(|(_, value)| value)
    }

    pub(super) fn number(&self, path: &[&str]) -> u64 {
        let text = self.get(path);
        let text = if text.starts_with("!Ref ") { self.resolve(text) } else { text.to_owned() };
        text.parse().unwrap_or_else(|_| panic!("{} is {text:?}, not a number", path.join("/")))
    }

    /// The keys that stand directly under a path.
    pub(super) fn keys(&self, path: &[&str]) -> BTreeSet<&str> {
        self.under(path).filter_map(|(rest, _)| rest.first().map(String::as_str)).collect()
    }

    /// A list's plain elements.
    pub(super) fn list(&self, path: &[&str]) -> Vec<&str> {
        self.under(path).filter(|(rest, _)| rest.len() == 1).map(|(_, value)| value).collect()
    }

    pub(super) fn resources(&self, kind: &str) -> Vec<&str> {
        let names = self.keys(&["Resources"]).into_iter();
        names.filter(|name| self.get(&["Resources", name, "Type"]) == kind).collect()
    }

    /// A function's environment, its own and the common one, as the template writes it.
    pub(super) fn environment(&self, function: &str) -> BTreeMap<String, String> {
        let common = ["Globals", "Function", "Environment", "Variables"];
        let own = ["Resources", function, "Properties", "Environment", "Variables"];
        let pairs = self.under(&common).chain(self.under(&own));
        pairs.filter_map(|(rest, value)| Some((rest.first()?.clone(), value.to_owned()))).collect()
    }

    /// What a function would see: parameters at their defaults, tables by name, queues by URL.
    pub(super) fn seen(&self, function: &str) -> BTreeMap<String, String> {
        let environment = self.environment(function).into_iter();
        environment.map(|(name, value)| (name, self.resolve(&value))).collect()
    }

    pub(super) fn resolve(&self, value: &str) -> String {
        // Left out unless its secret is named; whoever reads it is tested with both.
        if value.starts_with("!If [Has") && value.ends_with("SecretVersion}}}, !Ref AWS::NoValue]") {
            return "callback_key_0123456789abcdefghij".to_owned();
        }
        if !value.starts_with('!') {
            return value.to_owned();
        }
        let Some(name) = value.strip_prefix("!Ref ") else {
            return match value {
                "!Sub {{resolve:secretsmanager:${ProviderSecretName}:SecretString:::${ProviderSecretVersion}}}" => {
                    "key_0123456789".to_owned()
                }
                "!Sub {{resolve:secretsmanager:${HistorySecretName}:SecretString:::${HistorySecretVersion}}}" => {
                    "0123456789abcdef".repeat(4)
                }
                _ => panic!("{value} has no meaning here"),
            };
        };
        if self.find(&["Parameters", name]).is_some() {
            let default = self.find(&["Parameters", name, "Default"]);
            let asked_for = ASKED_FOR.iter().find(|(asked, _)| *asked == name).map(|(_, value)| *value);
            return match (default, asked_for) {
                (Some(value), None) | (None, Some(value)) => value.to_owned(),
                _ => panic!("{name} needs either a default or a place in ASKED_FOR"),
            };
        }
        match self.get(&["Resources", name, "Type"]) {
            "AWS::SQS::Queue" => format!("https://sqs.eu-central-1.amazonaws.com/123456789012/{name}"),
            "AWS::DynamoDB::Table" => name.to_owned(),
            other => panic!("{name} is a {other}"),
        }
    }

    /// A function's SQS events.
    pub(super) fn mappings(&self, function: &str) -> Vec<&str> {
        let events = ["Resources", function, "Properties", "Events"];
        let all = self.keys(&events).into_iter();
        all.filter(|event| self.get(&[&events[..], &[event, "Type"]].concat()) == "SQS").collect()
    }
}

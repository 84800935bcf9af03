//! Holds a template's numbers to one another, and names the line of each that does not fit.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::rules;
use aws::settings::{ConsumerSettings, DeadLetterSettings, IngestSettings, ReconcileSettings, SettingsError};

use super::reader::Reader;
use super::yaml::Node;
use super::{Finding, Found, Resolved, Template};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What does not fit, by line.
    pub findings: Vec<Finding>,
    /// What fits and has to be known before a sale, by line.
    pub notes: Vec<Finding>,
    /// Parameters that only a provider can say and that nobody has given: what depends on them is not checked.
    pub not_given: Vec<String>,
}

/// Checks a template's text. `given` are its parameters' values where they are not the defaults, and `provider_rate`
/// what the provider takes, if a person said it.
pub fn check(text: &str, given: &[(String, String)], provider_rate: Option<NonZeroU32>) -> Report {
    let template = match Template::parse(text, given) {
        Ok(template) => template,
        Err(finding) => return Report { findings: vec![finding], ..Report::default() },
    };
    let mut reader = Reader::new(&template);
    let mut findings = template.parameters_out_of_bounds();
    let deployment = reader.deployment(provider_rate);
    findings.extend(reader.settings());
    let mut notes = Vec::new();
    if let Some(deployment) = deployment {
        let at_its_line = |breach: rules::Breach| {
            let line = reader.lines.get(&breach.at).copied().unwrap_or(1);
            Finding::new(line, breach.why)
        };
        findings.extend(rules::breaches(&deployment).into_iter().map(at_its_line));
        notes.extend(rules::left_to_dynamodb(&deployment).into_iter().map(at_its_line));
    }
    findings.extend(std::mem::take(&mut reader.findings));
    let findings: BTreeSet<Finding> = findings.into_iter().collect();
    let not_given = reader.numbers_not_given();
    Report { findings: findings.into_iter().collect(), notes, not_given }
}

impl Reader<'_> {
    /// What the functions themselves would say of these settings when they start.
    fn settings(&self) -> Vec<Finding> {
        let starts: [(&str, Start); 4] = [
            ("ingest", |lookup| IngestSettings::from(lookup).map(drop)),
            ("consumer", |lookup| ConsumerSettings::from(lookup).map(drop)),
            ("dead_letter", |lookup| DeadLetterSettings::from(lookup).map(drop)),
            ("reconcile", |lookup| ReconcileSettings::from(lookup).map(drop)),
        ];
        let mut findings = Vec::new();
        for (binary, start) in starts {
            if !self.functions.contains_key(binary) {
                continue;
            }
            let lookup = |name: &str| self.seen(binary, name);
            let problems = start(&lookup).err().map(|error| error.problems).unwrap_or_default();
            findings.extend(problems.into_iter().filter_map(|problem| self.problem(binary, problem)));
        }
        findings
    }

    /// A variable as the function would see it.
    fn seen(&self, binary: &str, name: &str) -> Option<String> {
        let (node, line) = self.variable(binary, name)?;
        match self.template.resolve(node, line) {
            Resolved::Value(Found { value, .. }) => Some(value),
            Resolved::NotGiven(_) => None,
            Resolved::Resource(id) => {
                let kind = self.template.at(&["Resources", &id, "Type"]).and_then(Node::text);
                Some(if kind == Some("AWS::SQS::Queue") { format!("https://sqs.invalid/{id}") } else { id })
            }
            // A secret, which no check reads: long enough for any of them, and a key in hexadecimal digits.
            Resolved::AtDeployment => Some("0123456789abcdef".repeat(4)),
        }
    }

    /// A problem at the line of the variable that it names first; none if that is only a parameter nobody has given.
    fn problem(&self, binary: &str, problem: String) -> Option<Finding> {
        let name = problem.split([' ', ',']).next().unwrap_or_default();
        let Some((node, line)) = self.variable(binary, name) else {
            let id = self.functions.get(binary).map_or("", String::as_str);
            return Some(Finding::new(self.template.line_of(&["Resources", id, "Properties", "Environment"]), problem));
        };
        match self.template.resolve(node, line) {
            Resolved::NotGiven(_) => None,
            Resolved::Value(Found { line, .. }) => Some(Finding::new(line, problem)),
            Resolved::Resource(_) | Resolved::AtDeployment => Some(Finding::new(line, problem)),
        }
    }

    /// Those of the numbers' parameters that have no default and were not given.
    fn numbers_not_given(&self) -> Vec<String> {
        let is_number =
            |name: &&str| self.template.at(&["Parameters", name, "Type"]).and_then(Node::text) == Some("Number");
        self.template.not_given().into_iter().filter(is_number).map(str::to_owned).collect()
    }
}

/// What a function makes of its variables.
type Start = fn(&dyn Fn(&str) -> Option<String>) -> Result<(), SettingsError>;

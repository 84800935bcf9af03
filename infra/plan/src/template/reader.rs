//! Finds a deployment's numbers in a template, and remembers where each stands.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::deployment::{
    Deployment, Evidence, Function, FunctionName, Mapping, Number, Queue, QueueName, Rates, Redrive, Times, Warm,
};

use super::yaml::{Entry, Node};
use super::{Finding, Found, Resolved, Template};

/// What SAM, Lambda and SQS take where a template says nothing: "AWS::Serverless::Function" (Timeout), "Lambda parameters
/// for Amazon SQS event source mappings" (BatchSize, window) and "AWS::SQS::Queue" (VisibilityTimeout,
/// MessageRetentionPeriod), in seconds and messages.
const TIMEOUT_DEFAULT: u64 = 3;
const BATCH_DEFAULT: u64 = 10;
const WINDOW_DEFAULT: u64 = 0;
const VISIBILITY_DEFAULT: u64 = 30;
const RETENTION_DEFAULT: u64 = 345_600;

/// A template's numbers while they are read.
pub(super) struct Reader<'a> {
    pub(super) template: &'a Template,
    pub(super) findings: Vec<Finding>,
    /// Where each number stands.
    pub(super) lines: BTreeMap<Number, usize>,
    /// Each function's logical id.
    pub(super) functions: BTreeMap<&'static str, String>,
}

/// The functions by their binaries.
const BINARIES: [&str; 4] = ["ingest", "consumer", "dead_letter", "reconcile"];

const fn binary(name: FunctionName) -> &'static str {
    match name {
        FunctionName::Ingest => "ingest",
        FunctionName::Consumer => "consumer",
        FunctionName::DeadLetter => "dead_letter",
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(template: &'a Template) -> Self {
        let mut reader = Self { template, findings: Vec::new(), lines: BTreeMap::new(), functions: BTreeMap::new() };
        for name in BINARIES {
            let built = |entry: &&Entry| {
                entry.value.at(&["Metadata", "BuildProperties", "Binary"]).and_then(Node::text) == Some(name)
            };
            match template.resources("AWS::Serverless::Function").find(built) {
                Some(entry) => drop(reader.functions.insert(name, entry.key.clone())),
                None => reader.add(template.line_of(&["Resources"]), format!("no function has {name} for its Binary")),
            }
        }
        reader
    }

    fn add(&mut self, line: usize, text: String) {
        self.findings.push(Finding::new(line, text));
    }

    /// A number at a path, and its line under a name. Where it is missing, the line is the nearest key above.
    fn number(&mut self, path: &[&str], at: Option<Number>) -> Option<u64> {
        let (value, line) = match self.template.number(path) {
            Ok(Some(Found { value, line })) => (Some(value), line),
            Ok(None) => (None, self.template.line_of(path)),
            Err(finding) => {
                let line = finding.line;
                self.findings.push(finding);
                (None, line)
            }
        };
        if let Some(at) = at {
            self.lines.insert(at, line);
        }
        value
    }

    /// A function's variable: its own, or the common one.
    pub(super) fn variable(&self, binary: &str, name: &str) -> Option<(&'a Node, usize)> {
        let template = self.template;
        let id = self.functions.get(binary)?;
        let own = ["Resources", id, "Properties", "Environment", "Variables", name];
        let common = ["Globals", "Function", "Environment", "Variables", name];
        let path = if template.at(&own).is_some() { &own[..] } else { &common };
        template.at(path).map(|node| (node, template.line_of(path)))
    }

    /// A variable's number, and its line under a name.
    fn setting(&mut self, binary: &str, name: &str, at: Option<Number>) -> Option<u64> {
        let (node, line) = self.variable(binary, name)?;
        let resolved = self.template.resolve(node, line);
        let (value, line) = match resolved {
            // What is no number is the settings' own finding.
            Resolved::Value(Found { value, line }) => (value.parse().ok(), line),
            Resolved::NotGiven(_) | Resolved::Resource(_) | Resolved::AtDeployment => (None, line),
        };
        if let Some(at) = at {
            self.lines.insert(at, line);
        }
        value
    }

    /// The resource that a variable or a property names.
    fn resource(&self, node: &Node) -> Option<String> {
        match self.template.resolve(node, node.line) {
            Resolved::Resource(id) => Some(id),
            Resolved::Value(_) | Resolved::NotGiven(_) | Resolved::AtDeployment => None,
        }
    }

    fn queue_ids(&self) -> BTreeMap<QueueName, String> {
        let of = |binary, name| self.variable(binary, name).and_then(|(node, _)| self.resource(node));
        let dead_letter = of("dead_letter", "DEAD_LETTER_QUEUE_URL");
        let target = |id: &String| {
            let path = ["Resources", id, "Properties", "RedrivePolicy", "deadLetterTargetArn"];
            self.template.at(&path).and_then(|node| self.resource(node))
        };
        let parked = dead_letter.as_ref().and_then(target);
        [
            (QueueName::High, of("consumer", "HIGH_QUEUE_URL")),
            (QueueName::Standard, of("consumer", "STANDARD_QUEUE_URL")),
            (QueueName::DeadLetter, dead_letter),
            (QueueName::Parked, parked),
        ]
        .into_iter()
        .filter_map(|(name, id)| Some((name, id?)))
        .collect()
    }

    pub(super) fn deployment(&mut self, provider_rate: Option<NonZeroU32>) -> Option<Deployment> {
        let ids = self.queue_ids();
        for name in QueueName::ALL {
            if !ids.contains_key(&name) {
                let line = self.template.line_of(&["Resources"]);
                self.add(
                    line,
                    format!("{} is not named by the functions' variables and redrive policies", name.title()),
                );
            }
        }
        let names: BTreeMap<&str, QueueName> = ids.iter().map(|(name, id)| (id.as_str(), *name)).collect();
        let queues = ids.iter().map(|(name, id)| (*name, self.queue(*name, id, &names))).collect();
        let mut mappings = BTreeMap::new();
        let mut functions = BTreeMap::new();
        for name in [FunctionName::Ingest, FunctionName::Consumer, FunctionName::DeadLetter] {
            let Some(id) = self.functions.get(binary(name)).cloned() else { continue };
            functions.insert(name, self.function(name, &id));
            mappings.extend(self.mappings(&id, &names));
        }
        for name in QueueName::ALL {
            if name.reader().is_some() && ids.contains_key(&name) && !mappings.contains_key(&name) {
                let line = self.template.line_of(&["Resources"]);
                self.add(line, format!("no mapping reads {}", name.title()));
            }
        }
        let rates = self.rates(provider_rate)?;
        let times = self.times()?;
        let evidence = self.evidence()?;
        let warm = self.warm();
        let loop_is_allowed = self.loop_is_allowed();
        Some(Deployment { queues, mappings, functions, times, rates, evidence, warm, loop_is_allowed })
    }

    /// The line is that of the log group that is kept for the shortest time. What names no group logs to Lambda's own, which
    /// is kept for ever ("Log retention").
    fn evidence(&mut self) -> Option<Evidence> {
        let retention_ms = self.setting("consumer", "RETENTION_MS", None)?;
        let mut log_days: Option<u64> = None;
        for id in self.functions.values().cloned().collect::<Vec<_>>() {
            let group = ["Resources", &id, "Properties", "LoggingConfig", "LogGroup"];
            let Some(group) = self.template.at(&group).and_then(|node| self.resource(node)) else { continue };
            let path = ["Resources", &group, "Properties", "RetentionInDays"];
            if self.template.at(&path).is_none() {
                continue;
            }
            let Some(days) = self.number(&path, None) else { continue };
            if log_days.is_none_or(|shortest| days < shortest) {
                log_days = self.number(&path, Some(Number::LogRetention));
            }
        }
        Some(Evidence { log_days, retention_ms })
    }

    fn queue(&mut self, name: QueueName, id: &str, names: &BTreeMap<&str, QueueName>) -> Queue {
        let properties = ["Resources", id, "Properties"];
        let at = |key: &'static str| [&properties[..], &[key]].concat();
        let visibility = self.number(&at("VisibilityTimeout"), Some(Number::Visibility(name)));
        let retention = self.number(&at("MessageRetentionPeriod"), Some(Number::Retention(name)));
        let policy = at("RedrivePolicy");
        let receives = self.number(&[&policy[..], &["maxReceiveCount"]].concat(), Some(Number::Receives(name)));
        let target = self.template.at(&[&policy[..], &["deadLetterTargetArn"]].concat());
        let to = target.and_then(|node| self.resource(node)).and_then(|id| names.get(id.as_str()).copied());
        if to.is_none() && name != QueueName::Parked {
            let line = self.template.line_of(&policy);
            self.add(
                line,
                format!("{} has no redrive to a queue that is known: what fails comes for ever", name.title()),
            );
        }
        Queue {
            visibility_seconds: visibility.unwrap_or(VISIBILITY_DEFAULT),
            retention_seconds: retention.unwrap_or(RETENTION_DEFAULT),
            redrive: to.zip(receives).map(|(to, receives_max)| Redrive { to, receives_max }),
        }
    }

    fn function(&mut self, name: FunctionName, id: &str) -> Function {
        let own = ["Resources", id, "Properties", "Timeout"];
        let common = ["Globals", "Function", "Timeout"];
        let path =
            if self.template.at(&own).is_none() && self.template.at(&common).is_some() { &common[..] } else { &own };
        let timeout = self.number(path, Some(Number::Timeout(name)));
        let reserved = ["Resources", id, "Properties", "ReservedConcurrentExecutions"];
        Function {
            timeout_seconds: timeout.unwrap_or(TIMEOUT_DEFAULT),
            reserved: self.number(&reserved, Some(Number::Reserved(name))),
        }
    }

    fn mappings(&mut self, id: &str, names: &BTreeMap<&str, QueueName>) -> Vec<(QueueName, Mapping)> {
        let events = ["Resources", id, "Properties", "Events"];
        let template = self.template;
        let mut found = Vec::new();
        for Entry { key: event, line, value } in template.at(&events).map_or(&[][..], Node::entries) {
            if value.at(&["Type"]).and_then(Node::text) != Some("SQS") {
                continue;
            }
            let queue = value.at(&["Properties", "Queue"]).and_then(|node| self.resource(node));
            let Some(name) = queue.and_then(|id| names.get(id.as_str()).copied()) else {
                self.add(*line, format!("{event} reads a queue that no variable or redrive policy names"));
                continue;
            };
            let path = [&events[..], &[event, "Properties"]].concat();
            let at = |key: &'static str| [&path[..], &[key]].concat();
            let concurrency = [&path[..], &["ScalingConfig", "MaximumConcurrency"]].concat();
            let types = at("FunctionResponseTypes");
            self.lines.insert(Number::ResponseTypes(name), template.line_of(&types));
            let listed = template.at(&types).map_or(&[][..], Node::elements);
            let mapping = Mapping {
                batch: self.number(&at("BatchSize"), Some(Number::Batch(name))).unwrap_or(BATCH_DEFAULT),
                window_seconds: self
                    .number(&at("MaximumBatchingWindowInSeconds"), Some(Number::Window(name)))
                    .unwrap_or(WINDOW_DEFAULT),
                concurrency: self.number(&concurrency, Some(Number::Concurrency(name))),
                fails_in_part: listed.iter().any(|node| node.text() == Some("ReportBatchItemFailures")),
            };
            // Where no window is set, the batch is what asks for one.
            if template.at(&at("MaximumBatchingWindowInSeconds")).is_none()
                && let Some(line) = self.lines.get(&Number::Batch(name)).copied()
            {
                self.lines.insert(Number::Window(name), line);
            }
            found.push((name, mapping));
        }
        found
    }

    /// The table that the functions call the payments', and its only index.
    fn warm(&mut self) -> Warm {
        let table = self.variable("consumer", "PAYMENTS_TABLE").and_then(|(node, _)| self.resource(node));
        let table = table.unwrap_or_default();
        let properties = ["Resources", &table, "Properties"];
        let path = [&properties[..], &["GlobalSecondaryIndexes"]].concat();
        let index = self.template.at(&path).and_then(|indexes| indexes.elements().first());
        let of_table = self.template.at(&properties);
        let line = self.template.line_of(&path);
        Warm {
            table: self.warm_write_units(of_table, self.template.line_of(&properties), Number::TableWarm),
            index: self.warm_write_units(index, line, Number::IndexWarm),
        }
    }

    /// A table's or an index's warm throughput; 0 where it says nothing. Its line is the parameter's that it names.
    fn warm_write_units(&mut self, of: Option<&'a Node>, line: usize, at: Number) -> u64 {
        let set = of.and_then(|node| node.entry("WarmThroughput"));
        // Left out by a condition, its number is 0 there.
        let set = set.map(|Entry { line, value, .. }| match (value.tag.as_deref(), value.elements()) {
            (Some("If"), [_, set, _]) => (set, *line),
            _ => (value, *line),
        });
        let line = set.map_or(line, |(_, line)| line);
        let units = set.and_then(|(node, _)| node.at(&["WriteUnitsPerSecond"]));
        let (units, line) = match units.map(|node| self.template.resolve(node, line)) {
            Some(Resolved::Value(Found { value, line })) => (value.parse().unwrap_or(0), line),
            Some(Resolved::NotGiven(_) | Resolved::Resource(_) | Resolved::AtDeployment) | None => (0, line),
        };
        self.lines.insert(at, line);
        units
    }

    /// `None` where a variable is missing, which the settings say.
    fn rates(&mut self, provider_rate: Option<NonZeroU32>) -> Option<Rates> {
        let rate = self.setting("consumer", "PROVIDER_RATE_PER_SECOND", Some(Number::Rate));
        let margin = self.setting("consumer", "RATE_MARGIN_MS", Some(Number::Margin))?;
        let heals = self.setting("reconcile", "MAX_HEALS_PER_SWEEP", Some(Number::HealsPerSweep))?;
        let api = self.template.resources("AWS::Serverless::HttpApi").next().map(|entry| entry.key.clone())?;
        let throttle = ["Resources", &api, "Properties", "DefaultRouteSettings", "ThrottlingRateLimit"];
        let api_per_second = self.number(&throttle, Some(Number::ApiRate))?;
        let burst = ["Resources", &api, "Properties", "DefaultRouteSettings", "ThrottlingBurstLimit"];
        let api_burst = self.number(&burst, Some(Number::ApiBurst))?;
        let calls_each = self.setting("consumer", "MAX_IN_FLIGHT", Some(Number::MaxInFlight))?;
        let calls_max = self.setting("consumer", "PROVIDER_MAX_IN_FLIGHT", None);
        Some(Rates {
            gate_per_second: rate.and_then(|rate| u32::try_from(rate).ok()),
            provider_per_second: provider_rate.map(NonZeroU32::get),
            margin_ms: u32::try_from(margin).unwrap_or(u32::MAX),
            heals_per_sweep: heals,
            api_per_second,
            api_burst,
            calls_each,
            // 0 says that the provider states none.
            calls_max: calls_max.filter(|most| *most > 0),
        })
    }

    fn times(&mut self) -> Option<Times> {
        let pending_backoff_cap_ms =
            self.setting("consumer", "PENDING_BACKOFF_CAP_MS", Some(Number::PendingBackoff))?;
        let mut ms = |name| self.setting("consumer", name, None);
        let lease_ms = ms("CONNECT_TIMEOUT_MS")?.saturating_add(ms("CALL_TIMEOUT_MS")?);
        let skew_ms = ms("CLOCK_SKEW_MS")?;
        Some(Times {
            lease_ms: lease_ms.saturating_add(ms("SETTLE_ALLOWANCE_MS")?),
            claim_lead_ms: ms("CLAIM_LEAD_MS")?,
            backoff_base_ms: ms("BACKOFF_BASE_MS")?,
            backoff_cap_ms: ms("BACKOFF_CAP_MS")?,
            pending_backoff_base_ms: ms("PENDING_BACKOFF_BASE_MS")?,
            pending_backoff_cap_ms,
            park_overdue_after_ms: ms("PARK_OVERDUE_AFTER_MS")?
                .max(ms("KEY_WINDOW_MS").unwrap_or(0).saturating_add(skew_ms)),
            missing_item_grace_ms: ms("MISSING_ITEM_GRACE_MS")?,
            newer_version_grace_ms: ms("NEWER_VERSION_GRACE_MS")?,
            heals_max: ms("MAX_HEALS")?,
            absence_proof_ms: ms("ABSENCE_BOUND_MS").map(|bound| bound.saturating_add(skew_ms)),
        })
    }

    fn loop_is_allowed(&mut self) -> bool {
        let Some(id) = self.functions.get("dead_letter") else { return true };
        let path = ["Resources", id, "Properties", "RecursiveLoop"];
        self.lines.insert(Number::RecursiveLoop, self.template.line_of(&path));
        self.template.at(&path).and_then(Node::text) == Some("Allow")
    }
}

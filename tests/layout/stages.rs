//! What is deployed, by stage: each stage's file names parameters that exist, and nothing that only an operator can say is
//! left to a default.

use std::collections::BTreeSet;

use super::reader::Template;
use super::{read, root};

const STAGES: [&str; 3] = ["dev", "staging", "production"];

/// The names of a stage's file, with what stands there.
fn of(stage: &str) -> Vec<(String, String)> {
    let text = read(&root().join("infra/stages").join(format!("{stage}.yaml")));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{stage}: {line}"));
            (name.to_owned(), value.trim().to_owned())
        })
        .collect()
}

#[test]
fn each_stage_asks_for_what_only_an_operator_can_say() {
    let template = Template::load();
    for stage in STAGES {
        let given: BTreeSet<String> = of(stage).into_iter().map(|(name, _)| name).collect();
        let known = template.keys(&["Parameters"]);
        for name in &given {
            assert!(known.contains(name.as_str()), "{stage}: {name} is no parameter");
        }
        for name in known {
            let has_default = template.find(&["Parameters", name, "Default"]).is_some();
            assert!(has_default || given.contains(name), "{stage} does not ask for {name}");
        }
        assert!(given.contains("AlarmTopicArn"), "{stage} does not say where alarms go");
    }
}

#[test]
fn each_stage_has_its_stack_its_list_and_its_tags() {
    let config = read(&root().join("samconfig.toml"));
    let workflow = read(&root().join(".github/workflows/deploy.yaml"));
    assert!(workflow.contains(&format!("options: [{}]", STAGES.join(", "))));
    let mut stacks = BTreeSet::new();
    for stage in STAGES {
        let head = format!("[{stage}.deploy.parameters]\n");
        let part = config.split_once(&head).unwrap_or_else(|| panic!("samconfig.toml has no {stage}")).1;
        let part = part.split("\n[").next().unwrap_or_default();
        assert!(part.contains(&format!("parameter_overrides = [\"file://target/{stage}.yaml\"]")), "{part}");
        assert!(part.contains(&format!("tags = [\"application=sluice\", \"stage={stage}\"]")), "{part}");
        // An empty change set is told: whoever deploys it believes that something has changed.
        assert!(part.contains("fail_on_empty_changeset = true"), "{part}");
        stacks.extend(part.lines().filter(|line| line.starts_with("stack_name")));
    }
    assert_eq!(stacks.len(), STAGES.len(), "{stacks:?}");
}

/// What a stage keeps of its payments it keeps the anchors of.
#[test]
fn no_stage_forgets_an_anchor_before_its_payment() {
    let template = Template::load();
    for logs in ["IngestLogs", "ConsumerLogs", "DeadLetterLogs", "ReconcileLogs"] {
        let kept = template.get(&["Resources", logs, "Properties", "RetentionInDays"]);
        assert_eq!(kept, "!Ref EvidenceRetentionDays", "{logs}");
    }
    for stage in STAGES {
        let given = of(stage);
        let number = |name: &str| {
            let own = given.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
            let value = own.unwrap_or_else(|| template.get(&["Parameters", name, "Default"]));
            value.trim_matches('\'').parse::<u64>().unwrap_or_else(|_| panic!("{stage}: {name} is {value}"))
        };
        assert!(number("EvidenceRetentionDays") * 86_400_000 >= number("RetentionMs"), "{stage}");
    }
}

/// CloudFormation reads a secret again when the reference to it is another one, and not because something beside it changed.
#[test]
fn each_secret_is_named_with_its_version() {
    let template = Template::load();
    let text = read(&root().join("template.yaml"));
    let mut secrets = 0;
    for name in template.keys(&["Parameters"]).into_iter().filter_map(|name| name.strip_suffix("SecretName")) {
        let reference =
            format!("resolve:secretsmanager:${{{name}SecretName}}:SecretString:::${{{name}SecretVersion}}}}}}");
        assert_eq!(text.matches(&reference).count(), 1, "{name}");
        assert_eq!(template.find(&["Parameters", &format!("{name}SecretVersion"), "Default"]), Some(""), "{name}");
        secrets += 1;
    }
    assert_eq!(text.matches("resolve:secretsmanager:").count(), secrets);
}

/// CloudFormation leaves a function alone that did not change.
#[test]
fn each_deployment_changes_every_function() {
    let template = Template::load();
    let common = ["Globals", "Function", "Environment", "Variables"];
    let stamp = |path: &[&str]| template.find(&[path, &["DEPLOYMENT"]].concat()).map(str::to_owned);
    assert_eq!(stamp(&common).as_deref(), Some("!Ref Deployment"));
    let functions = template.resources("AWS::Serverless::Function");
    assert_eq!(functions.len(), 4);
    for function in functions {
        assert_eq!(stamp(&["Resources", function, "Properties", "Environment", "Variables"]), None, "{function}");
    }
    assert!(read(&root().join(".ci/parameters.py")).contains("whole[\"Deployment\"] = datetime.datetime.now("));
    for stage in STAGES {
        assert!(of(stage).iter().all(|(name, _)| name != "Deployment"), "{stage} has one stamp for ever");
    }
}

/// What a runbook puts back by hand is what the template says.
#[test]
fn runbooks_put_back_the_templates_concurrency() {
    let template = Template::load();
    let reserved = |function| template.get(&["Resources", function, "Properties", "ReservedConcurrentExecutions"]);
    let restore = read(&root().join("infra/runbooks/restore.md"));
    assert_eq!(reserved("IngestFunction"), "!Ref IngestConcurrency");
    assert!(restore.contains("on IngestFunction \"$(par IngestConcurrency)\"\n"));
    let throttles = read(&root().join("infra/runbooks/throttles.md"));
    assert_eq!(reserved("ConsumerFunction"), "!Ref ConsumerConcurrency");
    let dead_letter = reserved("DeadLetterFunction");
    assert!(throttles.contains(&format!("`ConsumerConcurrency` ({dead_letter} for `dead_letter`)")));
    for runbook in std::fs::read_dir(root().join("infra/runbooks")).unwrap() {
        let text = read(&runbook.unwrap().path());
        assert!(
            !text.contains("Deploy the template again"),
            "a deployment undoes nothing that a hand has changed: {text}"
        );
    }
}

#[test]
fn what_is_evidence_or_books_outlives_the_stack() {
    let template = Template::load();
    let kept = [
        "PaymentsTable",
        "MerchantsTable",
        "GatesTable",
        "IngestLogs",
        "ConsumerLogs",
        "DeadLetterLogs",
        "ReconcileLogs",
    ];
    for resource in kept {
        let policy = |key| template.get(&["Resources", resource, key]);
        assert_eq!(
            (policy("DeletionPolicy"), policy("UpdateReplacePolicy")),
            ("RetainExceptOnCreate", "Retain"),
            "{resource}"
        );
    }
}

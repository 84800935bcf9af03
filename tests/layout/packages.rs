//! What is deployed is built with its own features: Cargo unifies them over all that a command selects.

use std::collections::BTreeSet;
use std::process::Command;

use super::root;

/// The packages and features of a selection, one `name version features` a line.
fn tree(selection: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}|{f}"])
        .args(selection)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The features of the packages of this name.
fn features<'a>(tree: &'a BTreeSet<String>, package: &str) -> BTreeSet<&'a str> {
    let named = tree.iter().filter_map(|line| line.strip_prefix(package)?.strip_prefix(' '));
    named.filter_map(|rest| rest.split_once('|')).flat_map(|(_, features)| features.split(',')).collect()
}

#[test]
fn what_is_deployed_has_no_feature_of_what_is_not() {
    let four = ["--package=ingest", "--package=consumer", "--package=dead_letter", "--package=reconcile"];
    // What sam builds: no package is named.
    let deployed = tree(&[]);
    assert_eq!(deployed, tree(&four));
    for absent in ["aws-sdk-sso", "aws-sdk-ssooidc", "axum", "winterbaume-core", "proptest"] {
        assert!(!deployed.iter().any(|line| line.starts_with(&format!("{absent} "))), "{absent} is deployed");
    }
    for (package, feature) in [
        ("aws-config", "sso"),
        ("aws-config", "credentials-process"),
        ("tokio", "full"),
        ("tokio", "test-util"),
        ("hyper", "server"),
    ] {
        assert!(!features(&deployed, package).contains(feature), "{package} is deployed with {feature}");
        // The dev tool and the tests have it, so that this test can fail.
        assert!(features(&tree(&["--workspace"]), package).contains(feature), "nobody uses {feature} of {package}");
    }
}

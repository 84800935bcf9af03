//! Builds the binaries, once for all tests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// The functions' binaries.
pub(super) const FUNCTIONS: [&str; 4] = ["ingest", "consumer", "dead_letter", "reconcile"];

/// Where a binary lies, after it was built.
pub(super) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).get(name).unwrap_or_else(|| panic!("the workspace has no binary {name}")).clone()
}

/// The whole workspace, so that the crates are built with the features that they have anyway. The runner holds no lock
/// on the target directory while tests run.
fn build() -> BTreeMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    // This test lies in <target>/<profile>/deps.
    let this = std::env::current_exe().expect("this test is a file");
    let target = this.ancestors().nth(3).expect("it lies in a target directory");
    let output = Command::new(cargo)
        .args(["build", "--workspace", "--bins", "--locked", "--message-format", "json"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the build failed: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("its messages are text");
    let artifact = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let executable = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(executable)))
    };
    messages.lines().filter_map(artifact).collect()
}

//! Builds the binaries, once for all tests.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

/// The functions' binaries.
pub(super) const FUNCTIONS: [&str; 4] = ["ingest", "consumer", "dead_letter", "reconcile"];

/// A folder with a function's binary at `FUNCTION/bootstrap`, as `.ci/package.sh` leaves it: these tests run those instead.
const PACKAGE_VARIABLE: &str = "SLUICE_PACKAGE";

/// Where a binary lies, after it was built.
pub(super) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();

    if let Some(package) = std::env::var_os(PACKAGE_VARIABLE).filter(|_| FUNCTIONS.contains(&name)) {
        // A test runs in its package's folder; the variable was written in the workspace's.
        let packaged = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(package).join(name).join("bootstrap");
        assert!(packaged.is_file(), "{PACKAGE_VARIABLE}: there is no {}", packaged.display());
        return packaged;
    }
    BUILT.get_or_init(build).get(name).unwrap_or_else(|| panic!("the workspace has no binary {name}")).clone()
}

/// Built as this test was: into the same directory, by the same profile, and with `--tests`, because Cargo would
/// otherwise leave out the features that only tests ask for and compile every crate beneath them once more. So all that
/// is left to do is to link. The runner holds no lock on the target directory while tests run.
fn build() -> BTreeMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let this = std::env::current_exe().expect("this test is a file");
    let ours = this.parent().and_then(Path::parent).expect("it lies in <target>/<profile>/deps");
    let (target, profile) = (ours.parent().expect("in a target directory"), ours.file_name().expect("named"));
    // "Build cache" in the Cargo book: the directory of the dev profile is called debug.
    let profile = if profile == "debug" { OsStr::new("dev") } else { profile };
    let output = Command::new(cargo)
        .args(["build", "--workspace", "--bins", "--tests", "--locked", "--message-format", "json", "--profile"])
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the build failed: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("its messages are text");
    let artifact = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_binary = message["target"]["kind"] == json!(["bin"]) && message["profile"]["test"] == false;
        let executable = is_binary.then(|| message["executable"].as_str()).flatten()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(executable)))
    };
    let built: BTreeMap<_, _> = messages.lines().filter_map(artifact).collect();
    for path in built.values() {
        assert_eq!(path.parent(), Some(ours), "the binaries were not built where this test was");
    }
    built
}

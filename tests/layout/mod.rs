//! The rooms and their order: who may depend on whom, what may not enter the core, and what lies at the top.

mod alarms;
mod commands;
mod events;
mod mutants;
mod packages;
mod plan;
mod reader;
mod stages;
pub(crate) mod template;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each room with the rooms that it may depend on. A room that is not here has no place yet.
const ROOMS: &[(&str, &[&str])] = &[
    ("payments", &[]),
    ("pacing", &["payments"]),
    ("ports", &["payments", "pacing"]),
    ("aws", &["payments", "pacing", "ports"]),
    ("batch", &["payments", "ports"]),
    ("providers", &["payments", "ports"]),
    ("ingest", &["payments", "pacing", "ports", "aws", "providers"]),
    ("consumer", &["payments", "pacing", "ports", "aws", "batch", "providers"]),
    ("dead_letter", &["payments", "ports", "aws", "batch"]),
    ("reconcile", &["payments", "pacing", "ports", "aws"]),
    ("plan", &["payments", "pacing", "aws"]),
    (
        "simulator",
        &["payments", "pacing", "ports", "batch", "providers", "ingest", "consumer", "dead_letter", "reconcile"],
    ),
    ("model", &["payments"]),
    ("mutants", &["simulator", "model"]),
    ("operator", &["payments", "pacing", "ports", "aws", "reconcile", "plan"]),
    (
        "cloud",
        &[
            "payments",
            "pacing",
            "ports",
            "aws",
            "batch",
            "providers",
            "ingest",
            "consumer",
            "dead_letter",
            "reconcile",
            "operator",
        ],
    ),
    ("dev", EVERY),
    ("tests", EVERY),
];

/// What a person runs, and what tests it, may depend on every room.
const EVERY: &[&str] = &[
    "payments",
    "pacing",
    "ports",
    "aws",
    "batch",
    "providers",
    "ingest",
    "consumer",
    "dead_letter",
    "reconcile",
    "plan",
    "simulator",
    "model",
    "mutants",
    "operator",
    "cloud",
    "dev",
];

/// What the core may use: it reads, writes, hashes and counts, and does nothing.
const OF_THE_CORE: [&str; 8] =
    ["data-encoding", "hmac", "iso_currency", "serde", "serde_json", "sha2", "thiserror", "time"];

/// What may lie at the top of the repository, beside names that begin with a dot.
const TOP: [&str; 18] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "README.zh-CN.md",
    "SECURITY.md",
    "deny.toml",
    "events",
    "functions",
    "infra",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "samconfig.toml",
    "template.yaml",
    "tests",
];

fn root() -> PathBuf {
    let metadata = metadata();
    PathBuf::from(metadata["workspace_root"].as_str().expect("a workspace has a root"))
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("its answer is JSON")
}

/// A room as its manifest describes it.
struct Room {
    name: String,
    folder: PathBuf,
    /// The names of all its dependencies, and whether each lies in this repository.
    dependencies: BTreeMap<String, bool>,
}

impl Room {
    fn is_deployed(&self) -> bool {
        self.folder.parent().is_some_and(|parent| parent.ends_with("functions"))
    }
}

fn rooms() -> Vec<Room> {
    let metadata = metadata();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rooms = metadata["packages"].as_array().expect("packages").iter().map(|package| {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        Room {
            name: text(&package["name"]),
            folder: manifest.parent().expect("a manifest lies in a folder").to_owned(),
            dependencies: dependencies.iter().map(|one| (text(&one["name"]), one["path"].is_string())).collect(),
        }
    });
    rooms.collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn rooms_depend_inwards_only() {
    let mut names: Vec<String> = Vec::new();
    for Room { name, dependencies, .. } in rooms() {
        let (_, allowed) =
            ROOMS.iter().find(|(room, _)| *room == name).unwrap_or_else(|| panic!("{name} has no place"));
        for (dependency, _) in dependencies.iter().filter(|(_, is_ours)| **is_ours) {
            assert!(allowed.contains(&dependency.as_str()), "{name} depends on {dependency}");
        }
        names.push(name);
    }
    names.sort_unstable();
    let mut known: Vec<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
}

/// The order of the list above is the order of the rooms: nobody is allowed what stands below.
#[test]
fn the_order_itself_goes_inwards() {
    for (index, (name, allowed)) in ROOMS.iter().enumerate() {
        let above: Vec<&str> = ROOMS[..index].iter().map(|(room, _)| *room).collect();
        let inwards = allowed.iter().filter(|room| *room != name);
        assert!(inwards.into_iter().all(|room| above.contains(room)), "{name}");
    }
}

/// The rooms that only decide.
const CORE: [&str; 2] = ["payments", "pacing"];

#[test]
fn the_core_uses_nothing_that_acts() {
    let rooms = rooms();
    for room in rooms.iter().filter(|room| CORE.contains(&room.name.as_str())) {
        let foreign: Vec<&String> = room
            .dependencies
            .keys()
            .filter(|name| !OF_THE_CORE.contains(&name.as_str()) && !CORE.contains(&name.as_str()))
            .collect();
        assert!(foreign.is_empty(), "{} depends on {foreign:?}", room.name);
    }
}

/// Clocks, dice, locks and the world are kept out by clippy, from a list in each of these rooms. It knows no lint for what
/// waits, which only this finds.
#[test]
fn the_core_waits_for_nothing_and_has_its_list_of_what_may_not_enter() {
    let lists = CORE.map(|name| read(&root().join("functions").join(name).join("clippy.toml")));
    for path in
        ["SystemTime", "Instant", "RandomState", "HashMap", "Mutex", "std::env::var", "std::fs::read", "println"]
    {
        assert!(lists[0].contains(path), "{path} may enter");
    }
    assert_eq!(lists[0], lists[1], "one list for both");
    for name in CORE {
        let files = sources(&root().join("functions").join(name).join("src"));
        assert!(files.len() > 10, "{} files in {name}", files.len());
        for path in files {
            let text = read(&path);
            let waits = text.contains("async fn")
                || text.contains("async move")
                || text.contains(".await;")
                || text.contains(".await?")
                || text.contains("disallowed_");
            assert!(!waits, "{}", path.display());
        }
    }
}

/// Lambda freezes an environment between two events, and may thaw it never: what is left running is not done, or is done
/// at the wrong time. The local Runtime API leaves a process running, so that nothing there would show it.
#[test]
fn nothing_deployed_is_left_running_behind_an_answer() {
    let folders = rooms().into_iter().filter(Room::is_deployed).map(|room| room.folder.join("src"));
    let files: Vec<PathBuf> = folders.flat_map(|folder| sources(&folder)).collect();
    assert!(files.len() > 60, "{} files are deployed", files.len());
    for path in files {
        let text = read(&path);
        for leaves in ["spawn(", "spawn_local(", "spawn_blocking(", "JoinSet", "JoinHandle"] {
            assert!(!text.contains(leaves), "{}: {leaves}", path.display());
        }
    }
}

#[test]
fn nothing_deployed_depends_on_what_never_is() {
    let rooms = rooms();
    let deployed: Vec<&Room> = rooms.iter().filter(|room| room.is_deployed()).collect();
    assert!(deployed.len() >= 8, "{} rooms are deployed", deployed.len());
    for room in deployed {
        for name in room.dependencies.keys() {
            let never = [
                "plan",
                "simulator",
                "model",
                "mutants",
                "dev",
                "tests",
                "proptest",
                "stateright",
                "axum",
                "clap",
                "csv",
            ]
            .contains(&name.as_str());
            assert!(!never && !name.starts_with("winterbaume"), "{} depends on {name}", room.name);
        }
    }
}

#[test]
fn every_deployed_room_and_the_operators_keeps_the_workspaces_lints() {
    // The one exception, for the operator's own tests.
    const OF_TESTS: &str = "#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]";
    for room in rooms().iter().filter(|room| room.is_deployed() || room.name == "operator") {
        let manifest = read(&room.folder.join("Cargo.toml"));
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let inherits = lines.windows(2).any(|pair| pair == ["[lints]", "workspace = true"]);
        assert!(inherits, "{} has lints of its own", room.name);
        for path in sources(&room.folder.join("src")) {
            let loosened =
                ["#![allow(", "allow(clippy::unwrap_used", "allow(clippy::expect_used", "allow(clippy::panic"];
            let text = read(&path).replacen(OF_TESTS, "", usize::from(room.name == "operator"));
            assert!(!loosened.iter().any(|lint| text.contains(lint)), "{} loosens them", path.display());
        }
    }
}

#[test]
fn what_is_deployed_may_not_panic_by_decree() {
    let manifest = read(&root().join("Cargo.toml"));
    for lint in ["unwrap_used", "expect_used", "panic", "indexing_slicing", "as_conversions"] {
        assert!(manifest.contains(&format!("\n{lint} = \"deny\"")), "{lint} is not denied");
    }
    assert!(manifest.contains("\nunsafe_code = \"forbid\""));
}

#[test]
fn each_functions_main_is_short_and_wires() {
    let functions = root().join("functions");
    let mains: Vec<PathBuf> = sources(&functions).into_iter().filter(|path| path.ends_with("main.rs")).collect();
    assert!(mains.len() >= 4, "{mains:?}");
    for path in mains {
        let lines = read(&path).lines().count();
        assert!(lines < 60, "{} has {lines} lines", path.display());
    }
}

/// A handler runs over ports. What Lambda runs is wired in two files, which nobody else builds: the simulator links neither the
/// SDK nor Lambda's runtime.
#[test]
fn a_handler_names_neither_aws_nor_lambda() {
    for function in ["ingest", "consumer", "dead_letter", "reconcile"] {
        for path in sources(&root().join("functions").join(function).join("src")) {
            let wires = path.ends_with("main.rs") || path.ends_with("wiring.rs");
            let names =
                read(&path).lines().any(|line| line.starts_with("use aws::") || line.contains("lambda_runtime"));
            assert!(!names || wires, "{}", path.display());
        }
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let tree = ["tree", "--offline", "--locked", "--package", "mutants", "--edges", "normal", "--prefix", "none"];
    let output = Command::new(cargo).args(tree).current_dir(root()).output().expect("cargo runs");
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    assert!(text.contains("simulator v"), "{text}");
    for absent in ["aws-sdk-", "aws-config", "lambda_runtime v", "aws v"] {
        assert!(!text.lines().any(|line| line.starts_with(absent)), "the judge builds {absent}");
    }
}

#[test]
fn the_top_holds_only_what_a_reader_looks_for() {
    for entry in std::fs::read_dir(root()).expect("the repository") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        let known = name.starts_with('.') || name == "target" || TOP.contains(&name.as_str());
        assert!(known, "{name} lies at the top");
    }
}

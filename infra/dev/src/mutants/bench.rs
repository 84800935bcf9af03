//! Where mutants are built: a copy of the tree in which each stands beside the original, with a target folder of its own,
//! so that neither the tree nor its builds are touched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::cargo;

/// Lines of a failed build that are shown.
const LINES_SHOWN: usize = 12;
/// Called in place of the compiler for the copy's own crates: one of them may use what is unstable.
const WRAPPER: &str = "#!/bin/sh
case \" $* \" in
    *\" --crate-name switch \"*) export RUSTC_BOOTSTRAP=switch ;;
esac
exec \"$@\"
";

/// Variables for Cargo, with their values.
pub(super) type Environment = [(&'static str, PathBuf); 4];

/// A copy of the tree.
#[derive(Debug)]
pub(super) struct Bench {
    root: PathBuf,
    /// Holds the copy, what is built of it, and what is worth keeping between runs.
    folder: PathBuf,
    tree: PathBuf,
    /// Held for as long as this one is at work.
    _lock: File,
}

/// What was built.
#[derive(Clone, Debug)]
pub(super) struct Built {
    /// The simulator and the model.
    pub(super) judge: PathBuf,
    /// The tests; none if they were not asked for.
    pub(super) tests: Option<PathBuf>,
}

impl Bench {
    /// A bench of this name under the root's target folder. Each builds into a folder of its own: to Cargo the crates of
    /// two copies are the same ones.
    pub(super) fn new(root: PathBuf, name: &str) -> Result<Self, String> {
        let folder = root.join("target/mutants").join(name);
        let cannot = |error: &dyn std::fmt::Display| format!("cannot use {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(|error| cannot(&error))?;
        let lock = File::create(folder.join("lock")).map_err(|error| cannot(&error))?;
        lock.try_lock().map_err(|_| "mutants are being judged in this tree already; wait for them".to_owned())?;
        let wrapper = folder.join("rustc.sh");
        fs::write(&wrapper, WRAPPER).map_err(|error| cannot(&error))?;
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).map_err(|error| cannot(&error))?;
        Ok(Self { root, tree: folder.join("tree"), folder, _lock: lock })
    }

    /// A file beside the copy, for what is worth keeping between runs.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What belongs to the tree: all that git knows or would take up, and that is there.
    pub(super) fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .map_err(|error| format!("git, which knows what belongs to the tree, does not run: {error}"))?;
        if !listed.status.success() {
            return Err(format!("git cannot list the tree: {}", String::from_utf8_lossy(&listed.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = text.split('\0').filter(|name| !name.is_empty() && self.root.join(name).is_file());
        let read = |name: &str| {
            let text = fs::read(self.root.join(name)).map_err(|error| format!("cannot read {name}: {error}"))?;
            Ok((name.to_owned(), text))
        };
        names.map(read).collect()
    }

    /// Makes the copy hold these files and no others. An unchanged file keeps its time, and what was built of it stands.
    pub(super) fn lay_out(&self, files: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
        for (file, text) in files {
            // Cargo has added the switch to the copy's lock file; an older one makes it do so again.
            write(&self.tree.join(file), text)?;
            let source = self.root.join(file);
            if let Ok(permissions) = fs::metadata(&source).map(|it| it.permissions()) {
                let _ = fs::set_permissions(self.tree.join(file), permissions);
            }
        }
        remove_others(&self.tree, &self.tree, &files.keys().cloned().collect())
    }

    /// The copy's files by their paths, but for the lock file, which Cargo adds the switch to.
    pub(super) fn laid_out(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.tree.clone()];
        while let Some(folder) = folders.pop() {
            let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
            for entry in fs::read_dir(&folder).map_err(cannot)? {
                let path = entry.map_err(cannot)?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "Cargo.lock") {
                    found.insert(path.display().to_string(), fs::read(&path).map_err(cannot)?);
                }
            }
        }
        Ok(found)
    }

    /// Replaces one file of the copy.
    pub(super) fn put(&self, file: &str, text: &[u8]) -> Result<(), String> {
        write(&self.tree.join(file), text)
    }

    /// Builds what judges.
    pub(super) fn build(&self, with_tests: bool) -> Result<Built, String> {
        let what: &[&str] =
            if with_tests { &["--workspace", "--bins", "--tests"] } else { &["--package", "mutants", "--bins"] };
        let output = self.cargo("build", what)?;
        let executables = messages(&output.stdout).filter_map(|message| {
            let path = PathBuf::from(message["executable"].as_str()?);
            Some((message["target"]["name"].as_str()?.to_owned(), message["profile"]["test"].as_bool()?, path))
        });
        let (mut judge, mut tests) = (None, None);
        for (name, is_test, path) in executables {
            match (name.as_str(), is_test) {
                ("judge", false) => judge = Some(path),
                ("all", true) => tests = Some(path),
                _ => {}
            }
        }
        match judge {
            Some(judge) if output.status.success() => Ok(Built { judge, tests }),
            _ => Err(String::from_utf8_lossy(&output.stderr)
                .lines()
                .filter(|line| line.contains("error"))
                .take(LINES_SHOWN)
                .collect::<Vec<_>>()
                .join("\n")),
        }
    }

    /// The places of the copy that do not compile: file, line and why. None if all of it does.
    pub(super) fn errors(&self, packages: &[&str]) -> Result<BTreeSet<(String, usize, String)>, String> {
        let packages: Vec<&str> = packages.iter().flat_map(|package| ["--package", package]).collect();
        let output = self.cargo("check", &[&["--keep-going"], packages.as_slice()].concat())?;
        let errors: BTreeSet<(String, usize, String)> = messages(&output.stdout)
            .filter(|message| message["message"]["level"] == "error")
            .flat_map(|message| {
                let why = message["message"]["message"].as_str().unwrap_or_default().to_owned();
                let spans = message["message"]["spans"].as_array().cloned().unwrap_or_default();
                spans.into_iter().filter(|span| span["is_primary"] == true).filter_map(move |span| {
                    let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
                    Some((span["file_name"].as_str()?.to_owned(), line, why.clone()))
                })
            })
            .collect();
        if errors.is_empty() && !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(errors)
    }

    /// What Cargo needs to know to build the copy, also when a test calls it. What only a debugger or the next build of a
    /// changed source would need is left out: two copies once filled a disk with it.
    pub(super) fn environment(&self) -> Environment {
        [
            ("CARGO_TARGET_DIR", self.folder.join("target")),
            ("RUSTC_WORKSPACE_WRAPPER", self.folder.join("rustc.sh")),
            ("CARGO_INCREMENTAL", PathBuf::from("0")),
            ("CARGO_PROFILE_DEV_DEBUG", PathBuf::from("0")),
        ]
    }

    fn cargo(&self, command: &str, what: &[&str]) -> Result<std::process::Output, String> {
        Command::new(cargo())
            .args([command, "--offline", "--message-format", "json-diagnostic-short"])
            .args(what)
            .current_dir(&self.tree)
            .envs(self.environment())
            .output()
            .map_err(|error| format!("cargo does not run: {error}"))
    }
}

fn messages(output: &[u8]) -> impl Iterator<Item = Value> {
    output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// Writes what is not there yet.
fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|stands| stands == text) {
        return Ok(());
    }
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    fs::write(path, text).map_err(cannot)
}

/// Removes what an earlier copy left behind.
fn remove_others(tree: &Path, folder: &Path, files: &BTreeSet<String>) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot tidy up {}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.is_dir() {
            remove_others(tree, &path, files)?;
        } else if !path.strip_prefix(tree).is_ok_and(|name| files.contains(&*name.to_string_lossy())) {
            fs::remove_file(&path).map_err(cannot)?;
        }
    }
    Ok(())
}

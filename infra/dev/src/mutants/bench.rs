//! Where mutants are built: a copy of the tree with a target folder of its own, so that neither the tree nor its builds
//! are touched, and each mutant costs no more than the crates that lie on what it changes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mutants::Mutant;
use mutants::judge::Judgement;
use tokio::process::Command;

use super::{Verdict, cargo};

/// How long the checks may take; a mutant can make a loop that ends nowhere.
const JUDGED_WITHIN: Duration = Duration::from_mins(10);
/// Lines of a failed build that are shown.
const LINES_SHOWN: usize = 12;

/// A copy of the tree, and what judges it.
#[derive(Debug)]
pub(super) struct Bench {
    root: PathBuf,
    tree: PathBuf,
    target: PathBuf,
    runs: u64,
    /// Held for as long as this one is at work.
    _lock: File,
}

impl Bench {
    /// Copies what differs: an unchanged file keeps its time, and what was built of it stands.
    pub(super) fn new(root: PathBuf, runs: u64) -> Result<Self, String> {
        let folder = root.join("target/mutants");
        let cannot = |error: &dyn std::fmt::Display| format!("cannot use {}: {error}", folder.display());
        fs::create_dir_all(&folder).map_err(|error| cannot(&error))?;
        let lock = File::create(folder.join("lock")).map_err(|error| cannot(&error))?;
        lock.try_lock().map_err(|_| "mutants are being judged in this tree already; wait for them".to_owned())?;
        let (tree, target) = (folder.join("tree"), folder.join("target"));
        let bench = Self { root, tree, target, runs, _lock: lock };
        bench.copy()?;
        Ok(bench)
    }

    fn copy(&self) -> Result<(), String> {
        let files = self.files()?;
        for file in &files {
            let text = fs::read(self.root.join(file)).map_err(|error| format!("cannot read {file}: {error}"))?;
            write(&self.tree.join(file), &text)?;
        }
        remove_others(&self.tree, &self.tree, &files)
    }

    /// What belongs to the tree: all that git knows or would take up, and that is there.
    fn files(&self) -> Result<BTreeSet<String>, String> {
        let listed = std::process::Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .map_err(|error| format!("git, which knows what belongs to the tree, does not run: {error}"))?;
        if !listed.status.success() {
            return Err(format!("git cannot list the tree: {}", String::from_utf8_lossy(&listed.stderr).trim()));
        }
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = text.split('\0').filter(|name| !name.is_empty() && self.root.join(name).is_file());
        Ok(names.map(str::to_owned).collect())
    }

    /// Judges the copy with a mutant in it, and takes it out again. The tree itself may change meanwhile.
    pub(super) async fn judge_with(&self, mutant: &Mutant) -> Result<Verdict, String> {
        let mut stood = Vec::new();
        for (file, text) in mutant.files(&self.tree)? {
            let path = self.tree.join(file);
            stood.push((path.clone(), fs::read(&path).map_err(|error| format!("cannot read {file}: {error}"))?));
            write(&path, text.as_bytes())?;
        }
        let verdict = self.judge(mutant.is_in_the_core()).await;
        for (path, text) in stood {
            write(&path, &text)?;
        }
        Ok(verdict)
    }

    /// Builds the checks and runs them.
    pub(super) async fn judge(&self, with_model: bool) -> Verdict {
        let built = Command::new(cargo())
            .args(["build", "--quiet", "--locked", "--offline", "--package", "mutants", "--message-format", "short"])
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // Nobody looks at a mutant with a debugger, and a mutant may leave an import unused.
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("RUSTFLAGS", "-Awarnings")
            .kill_on_drop(true)
            .output()
            .await;
        match built {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Verdict::DoesNotBuild(first_lines(&output.stderr)),
            Err(error) => return Verdict::DoesNotBuild(format!("cargo does not run: {error}")),
        }
        let judging = Command::new(self.target.join("debug/judge"))
            .arg(self.runs.to_string())
            .args(with_model.then_some("with-model"))
            .current_dir(&self.tree)
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(JUDGED_WITHIN, judging).await {
            Err(_) => Verdict::Broke(format!("the checks did not end within {} s", JUDGED_WITHIN.as_secs())),
            Ok(Err(error)) => Verdict::Broke(format!("the checks do not run: {error}")),
            Ok(Ok(output)) if !output.status.success() => Verdict::Broke(first_lines(&output.stderr)),
            Ok(Ok(output)) => match serde_json::from_slice::<Judgement>(&output.stdout) {
                Ok(judgement) => Verdict::Judged(judgement),
                Err(error) => Verdict::Broke(format!("the checks' answer cannot be read: {error}")),
            },
        }
    }
}

fn first_lines(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().take(LINES_SHOWN).collect::<Vec<_>>().join("\n")
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

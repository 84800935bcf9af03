//! The switch as a crate of the copied tree.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Says which mutant is on, by its name.
pub const MUTANT_VARIABLE: &str = "SLUICE_MUTANT";
/// Names a file to which the number of each mutant is added whose place is reached.
pub const REACHED_VARIABLE: &str = "SLUICE_MUTANTS_REACHED";
/// How a process ends that is to have a mutant that it does not know, as `switch/lib.rs` has it.
pub const UNKNOWN_MUTANT_CODE: i32 = 77;

const SWITCH: &str = include_str!("../../switch/lib.rs");
const MANIFEST: &str = "[package]
name = \"switch\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[lib]
path = \"lib.rs\"
test = false
doctest = false
";

/// Puts the switch among the files of a tree, and lets everything that is deployed know it.
pub fn add_switch(files: &mut BTreeMap<String, Vec<u8>>, names: &[(String, u32)]) {
    let mut table = "/// Every mutant's name and number.\npub(crate) const NAMES: &[(&str, u32)] = &[\n".to_owned();
    for (name, number) in names {
        let _ = writeln!(table, "    ({name:?}, {number}),");
    }
    table.push_str("];\n");
    for (file, text) in files.iter_mut() {
        let is_deployed = file.starts_with("functions/") && file.ends_with("/Cargo.toml");
        if let Some(manifest) = std::str::from_utf8(text).ok().filter(|_| is_deployed) {
            let line = "[dependencies]\nswitch = { path = \"../switch\" }\n";
            *text = manifest.replacen("[dependencies]\n", line, 1).into_bytes();
        }
    }
    for (name, text) in [("Cargo.toml", MANIFEST), ("lib.rs", SWITCH), ("names.rs", &table)] {
        files.insert(format!("functions/switch/{name}"), text.as_bytes().to_vec());
    }
}

/// A file's text.
pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

//! Every `cargo dev …` and `sluice …` that a document, a workflow, a comment or a message names is one that the tool understands,
//! and every `--option` that its messages name is one of its options.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

use super::{read, root, sources};

/// A command that is named in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    /// The developer's.
    Dev,
    /// The operator's.
    Sluice,
}

impl Tool {
    const ALL: [Self; 2] = [Self::Dev, Self::Sluice];

    const fn name(self) -> &'static str {
        match self {
            Self::Dev => "cargo dev",
            Self::Sluice => "sluice",
        }
    }

    fn command(self) -> clap::Command {
        match self {
            Self::Dev => dev::cli::command(),
            Self::Sluice => operator::cli::command(),
        }
    }

    /// What stands before all of it: `cargo sluice` is the operator's command out of a checkout.
    fn before(self, text: &str) -> &str {
        match self {
            Self::Dev => text,
            Self::Sluice => text.strip_suffix("cargo ").unwrap_or(text),
        }
    }

    /// What it is quoted by. Between others the system's name begins many a text.
    const fn quotes(self) -> &'static [char] {
        match self {
            Self::Dev => &['`', '"'],
            Self::Sluice => &['`'],
        }
    }

    /// Whether the name, with this before and after it, is the command at all. The system is called as the operator's
    /// command is: only between quotes and at the beginning of a line it is the command.
    fn is_meant(self, is_quoted_or_line: bool, after: &str) -> bool {
        match self {
            Self::Dev => after.starts_with(' '),
            Self::Sluice => {
                let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
                is_quoted_or_line && after.strip_prefix(' ').is_some_and(|rest| rest.starts_with(is_word))
            }
        }
    }
}

/// What a reader puts something of their own for, where the tool takes no text as it stands.
const PLACEHOLDERS: [(&str, &str); 14] = [
    ("ID", "shop-a/charge/A-1001"),
    ("MERCHANT", "shop-a"),
    ("{merchant}", "shop-a"),
    ("{seed}", "1"),
    ("{name}", "none"),
    ("N", "20"),
    ("M", "80"),
    ("REST", "4000"),
    ("QUOTA", "1000"),
    ("R", "2026-01-31T12:00:00Z"),
    ("CONSUMERS_OFF", "2026-01-31T13:00:00Z"),
    ("$FAULTS", "none"),
    ("$((GITHUB_RUN_ID * 1000000))", "1"),
    ("$(($(date -u +%s) / 86400 % 8))/8", "7/8"),
];

/// A command as it is named somewhere.
#[derive(Debug)]
struct Named {
    tool: Tool,
    place: String,
    words: Vec<String>,
    /// Whether it is meant to be typed, or only spoken of.
    is_typed: bool,
}

fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | ".git" | ".aws-sam") {
                documents(&path, found);
            }
            continue;
        }
        let text = ["md", "yaml", "yml", "txt", "toml", "sh", "py", "rs"];
        let is_text = path.extension().is_some_and(|extension| text.iter().any(|text| extension == *text));
        // This file's own tests name what is no command.
        if (is_text || name == "run") && !path.ends_with("layout/commands.rs") {
            found.push(path);
        }
    }
}

/// Words as a shell makes them, up to a comment, a pipe or a redirection.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '|' | '>' | ';' | '&') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The commands in a text. Between quotes, and at the beginning of a line, all of it is the command; in running text only
/// the first word is.
fn named(place: &str, text: &str) -> Vec<Named> {
    let joined = text.replace("\\\n", "  ");
    let mut found = Vec::new();
    for (number, line) in joined.lines().enumerate() {
        let place = format!("{place}:{}: {}", number + 1, line.trim());
        let names =
            Tool::ALL.into_iter().flat_map(|tool| line.match_indices(tool.name()).map(move |(at, _)| (tool, at)));
        for (tool, at) in names {
            let (before, after) = (tool.before(&line[..at]), &line[at + tool.name().len()..]);
            let begins = before.trim().trim_start_matches("run:").trim_start_matches("name:").trim();
            let quote = tool.quotes().iter().copied().find(|quote| before.ends_with(*quote));
            let is_line = matches!(begins, "" | "$") && !is_comment(tool, place.as_str(), line);
            if !tool.is_meant(quote.is_some() || is_line, after) {
                continue;
            }
            let own = quote.map_or(after, |quote| after.split(quote).next().unwrap_or_default());
            let words = words(own);
            // A changelog tells which option came, and nobody types it from there.
            let is_whole = (quote.is_some() || is_line) && !place.starts_with("CHANGELOG.md:");
            let words = if is_whole { words } else { words.into_iter().take(1).collect() };
            found.push(Named { tool, place: place.clone(), words, is_typed: is_line });
        }
    }
    found
}

/// In a source or a workflow a line that begins with the command may still be running text.
fn is_comment(tool: Tool, place: &str, line: &str) -> bool {
    (place.contains(".rs:") || place.contains(".yaml:"))
        && !line.contains("run:")
        && !line.trim().starts_with(tool.name())
}

/// Why the tool does not understand this, if it does not.
fn fault(named: &Named) -> Option<String> {
    let stand_in = |word: &String| {
        // Where a message says at which stack.
        let word = &word.replace("{at}", "");
        let known = PLACEHOLDERS.iter().find(|(placeholder, _)| placeholder == word);
        known.map_or_else(|| word.clone(), |(_, stands)| (*stands).to_owned())
    };
    let words: Vec<String> = named.words.iter().map(stand_in).collect();
    let command = named.tool.command();
    if !named.is_typed && is_mention(&command, &words) {
        return None;
    }
    let fault = command.try_get_matches_from(std::iter::once(named.tool.name().to_owned()).chain(words)).err()?;
    if matches!(fault.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return None;
    }
    Some(format!("{}\n    {}", named.place, fault.to_string().lines().next().unwrap_or_default()))
}

/// Whether it only names a command, as in "`cargo dev resolve` ends it".
fn is_mention(command: &clap::Command, words: &[String]) -> bool {
    let mut at = command;
    for word in words {
        match at.find_subcommand(word.trim_end_matches(|c: char| !c.is_alphanumeric())) {
            Some(below) => at = below,
            None => return false,
        }
    }
    !words.is_empty()
}

#[test]
fn every_command_that_is_named_anywhere_can_be_typed() {
    let root = root();
    let mut files = Vec::new();
    documents(&root, &mut files);
    let mut all = Vec::new();
    for file in files {
        let place = file.strip_prefix(&root).expect("it lies there").display().to_string();
        all.extend(named(&place, &read(&file)));
    }
    assert!(all.len() > 100, "{} commands", all.len());
    let faults: Vec<String> = all.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
}

#[test]
fn what_cannot_be_typed_is_found() {
    let is_wrong = |text: &str| named("x.md", text).iter().filter_map(fault).count();
    for wrong in [
        "`sluice cases take ID --owner YOU`",
        "    sluice cases take",
        "`sluice merchants --stack shop revoke`",
        "sluice merchants limit shop-a --rate R-q",
        "sluice payments resolve ID",
        "`sluice gate pause --stack shop`, nobody knows why",
        "look with `sluice payment list --stack shop`",
        "    cargo sluice payment list",
        "look with `cargo dev lists`",
        "cargo dev demonstrates it",
        "$ cargo dev simulate sales # a sale",
    ] {
        assert_eq!(is_wrong(wrong), 1, "{wrong}");
    }
    for right in [
        "`sluice payments resolve` ends it",
        "a replay (`sluice payments replay --stack shop --dry-run`) says",
        "    sluice gate rate REST --stack shop --why \"q of it # is theirs\"   # a comment",
        "sluice    http://127.0.0.1:8080",
        "out of a checkout `cargo sluice payments list`",
        "the stack `sluice` is called as sluice the command is",
        "cargo dev simulate --runs 1 \\\n    --seed 7 | head",
        "The runs; cargo dev simulate, model and mutants are three.",
    ] {
        assert_eq!(is_wrong(right), 0, "{right}");
    }
}

fn options(command: &clap::Command, found: &mut BTreeSet<String>) {
    found.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_owned));
    for below in command.get_subcommands() {
        options(below, found);
    }
}

/// A message that tells somebody to type what is refused is worse than none.
#[test]
fn every_option_that_a_message_names_exists() {
    // Those of cargo, rustc, sam, git and the test runner, which the tool names or starts.
    const OF_OTHERS: [&str; 20] = [
        "package",
        "release",
        "workspace",
        "message-format",
        "quiet",
        "locked",
        "offline",
        "parameter-overrides",
        "cached",
        "others",
        "exclude-standard",
        "root",
        "bins",
        "tests",
        "keep-going",
        "crate-name",
        "format",
        "exact",
        "test-threads",
        "skip",
    ];
    let mut known: BTreeSet<String> = OF_OTHERS.map(str::to_owned).into();
    known.extend(["help".to_owned(), "version".to_owned()]);
    for tool in Tool::ALL {
        options(&tool.command(), &mut known);
    }
    let mut unknown = Vec::new();
    for file in ["infra/cloud/src", "infra/dev/src", "infra/operator/src"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        for (number, line) in read(&file).lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("--") {
                let name: String = line[at + 2..]
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '-' || c.is_ascii_digit())
                    .collect();
                let begins = line[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '-');
                let name = name.trim_end_matches('-').to_owned();
                if begins && name.len() > 1 && !known.contains(&name) {
                    unknown.push(format!("{}:{}: --{name}", file.display(), number + 1));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

/// The operator's options may stand before or behind a command's own.
#[test]
fn the_order_of_options_does_not_matter() {
    for line in [
        "merchants --stack shop limit shop-a --rate 20",
        "merchants limit --stack shop shop-a --rate 20",
        "merchants limit shop-a --rate 20 --stack shop",
        "--stack second merchants add-key shop-a",
        "payments list --stack shop",
        "payments list --state parked --stack second",
        "payments replay --dry-run --stack second",
        "payments resolve --stack shop shop-a/charge/1 --as declined --reference rf-17 --why books",
    ] {
        let parsed = operator::cli::command().try_get_matches_from(["sluice"].into_iter().chain(line.split(' ')));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}

/// Who pauses a provider without saying why, or is two systems at once, is told so before anything is asked of anybody.
#[test]
fn what_an_operator_has_to_say_is_asked_for() {
    for line in [
        "gate pause --stack shop",
        "gate rate 20",
        "cases close shop-a/charge/1 --as accept --why asked",
        "payments get pay_nothing",
        "payments list --stack shop --endpoint http://127.0.0.1:8070",
    ] {
        let parsed = operator::cli::command().try_get_matches_from(["sluice"].into_iter().chain(line.split(' ')));
        assert!(parsed.is_err(), "{line}");
    }
}

/// clap's own judgement of both command lines.
#[test]
fn both_command_lines_are_sound() {
    for tool in Tool::ALL {
        tool.command().debug_assert();
    }
}

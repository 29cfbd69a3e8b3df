//! What the pages tell is true: keys and commands that stand in them are those of the program, and files, types and tests
//! that CONTRIBUTING.md names are there.
#![allow(clippy::unwrap_used, reason = "in a test, what fails should panic")]

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use memtide::cli::Cli;
use memtide::tui::action::ACTIONS;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap()
}

/// What stands between single back-quotes, outside of blocks.
fn quoted(text: &str) -> Vec<String> {
    let blocks = text.split("```").step_by(2);
    let pieces = blocks.flat_map(|block| block.split('`').skip(1).step_by(2));
    pieces.map(|piece| piece.replace('\n', " ").replace("\\|", "|")).collect()
}

/// A line of a shell as words. Quotes hold together; what follows `|`, `;`, `&&`, `>` or `#` is another's.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '|' | ';' | '>' | '#' | '&') => break,
            (None, ' ') if words.last().is_some_and(|word| !word.is_empty()) => words.push(String::new()),
            (None, ' ') => {}
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Why the program would not take a command, if it would not. What a person puts in is taken for what it stands for.
fn refusal(line: &str) -> Option<String> {
    let words = words(line).into_iter().filter(|word| word != "sudo").map(|word| match word.as_str() {
        "PID" => "1234".to_owned(),
        "SHELL" => "bash".to_owned(),
        _ => word,
    });
    let error = Cli::try_parse_from(words).err()?;
    let is_help = matches!(
        error.kind(),
        clap::error::ErrorKind::DisplayHelp
            | clap::error::ErrorKind::DisplayVersion
            // A command that is only named, as in `memtide heap capture`.
            | clap::error::ErrorKind::MissingRequiredArgument
            | clap::error::ErrorKind::MissingSubcommand
            | clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    (!is_help).then(|| format!("{line}: {}", error.to_string().lines().next().unwrap_or_default()))
}

fn is_key(word: &str) -> bool {
    ACTIONS.iter().any(|spec| spec.keys.contains(&word))
}

/// Commands of memtide that stand in a page: in back-quotes, and in blocks after `$` or at the beginning of a line.
fn commands(text: &str) -> Vec<String> {
    let in_text = quoted(text).into_iter().filter(|piece| piece == "memtide" || piece.starts_with("memtide "));
    let lines = text.split("```").skip(1).step_by(2).flat_map(str::lines);
    let in_blocks = lines.filter_map(|line| {
        let line = line.strip_prefix("$ ").unwrap_or(line).trim_start_matches("sudo ");
        line.starts_with("memtide ").then(|| line.to_owned())
    });
    in_text.chain(in_blocks).filter(|line| !line.contains('…')).collect()
}

#[test]
fn every_command_of_the_pages_is_one_that_the_program_takes() {
    let mut seen = 0;
    let mut refused = Vec::new();
    for path in pages() {
        for line in commands(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            // Words that the program prints, and other programs of the name.
            let is_printed = line.starts_with("memtide 0.");
            refused.extend(refusal(&line).filter(|_| !is_printed).map(|why| format!("{}: {why}", path.display())));
        }
    }
    assert!(seen > 120, "{seen} commands");
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    for wrong in ["memtide pss", "memtide ps --topp 3", "memtide ps --sort nothing", "memtide act frobnicate"] {
        assert!(refusal(wrong).is_some(), "{wrong}");
    }
}

/// The pages that a person reads.
fn pages() -> Vec<PathBuf> {
    let listed = |folder: &str| {
        let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md"))
    };
    let mut pages: Vec<PathBuf> = listed("").chain(listed("assets/docs")).collect();
    pages.retain(|page| !page.ends_with("CHANGELOG.md"));
    pages
}

/// What stands in the second column of the tables of a page.
fn answers(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    rows.filter_map(|row| row.trim_end_matches(" |").rsplit_once(" | ").map(|(_, answer)| answer)).collect()
}

#[test]
fn every_answer_to_a_habit_is_a_key_a_command_or_a_word_of_the_program() {
    let text = page("assets/docs/coming-from.md");
    let fields: Vec<&str> = memtide::model::field::PROCESS_FIELDS.iter().map(|field| field.key).collect();
    let metrics = memtide::export::metrics::catalogue();
    let (mut keys, mut commands) = (0, 0);
    for answer in answers(&text) {
        for piece in quoted(answer) {
            if piece == "memtide" || piece.starts_with("memtide ") {
                commands += 1;
                assert_eq!(refusal(&piece), None, "{answer}");
            } else if is_key(&piece) {
                keys += 1;
            } else if !metrics.iter().any(|family| piece.starts_with(family.name.as_ref())) {
                // An expression of the filter over fields that there are.
                let query = memtide::model::query::Query::parse(&piece);
                let named = fields.iter().any(|field| piece.contains(field));
                assert!(query.is_ok() && named, "`{piece}` in {answer}");
            }
        }
    }
    assert!(keys > 40 && commands > 40, "{keys} keys, {commands} commands");
    for tool in ["htop", "smem", "top", "free", "atop", "PM2", "CloudWatch agent", "lsof"] {
        assert!(text.lines().any(|line| line.starts_with("## ") && line.contains(tool)), "{tool}");
    }
}

/// The text of every source file.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// Why what a page for contributors names is not there, if it is not.
fn absence(piece: &str, source: &str) -> Option<String> {
    let is_there = |path: &str| Path::new(ROOT).join(path).exists();
    if let Some((_, command)) = piece.split_once("cargo test ") {
        let mut words = command.split(' ');
        return match (words.next(), words.next()) {
            (Some("--test"), Some(name)) => (!is_there(&format!("tests/{name}.rs"))).then(|| format!("no test {name}")),
            (Some("--lib"), Some(path)) => {
                let path = path.trim_end_matches("::").replace("::", "/");
                let is_module = is_there(&format!("src/{path}.rs")) || is_there(&format!("src/{path}/mod.rs"));
                (!is_module).then(|| format!("no module {path}"))
            }
            _ => Some(format!("{piece}: which tests?")),
        };
    }
    if piece.starts_with('/') || piece.starts_with("--") || piece.starts_with("memtide") || piece.starts_with("cargo") {
        return None;
    }
    if piece.contains('/') || Path::new(piece).extension().is_some_and(|end| end == "md") {
        return (!is_there(piece)).then(|| format!("no file {piece}"));
    }
    if piece == "ACTIONS" || piece.contains(['(', ' ', '=']) {
        return None;
    }
    if let Some(name) = piece.strip_suffix('!') {
        return (!source.contains(&format!("macro_rules! {name} {{"))).then(|| format!("no macro {name}"));
    }
    let kinds = ["struct ", "enum ", "fn ", "const ", "trait ", "type "];
    let ends = |name: &str| {
        source.contains(&format!("{name}(")) || source.contains(&format!("{name} ")) || {
            source.contains(&format!("{name}:")) || source.contains(&format!("{name}<"))
        }
    };
    let is_item = kinds.iter().any(|kind| ends(&format!("{kind}{piece}")));
    // A word of one of the two tables' macros.
    let is_word = ["bar", "danger", "goes"].contains(&piece) && source.contains(&format!("[{piece} $goes"))
        || source.contains(&format!("({piece} ${piece}:literal)"));
    (!is_item && !is_word).then(|| format!("nothing is called {piece}"))
}

#[test]
fn every_file_type_and_test_that_contributors_are_told_of_is_there() {
    let text = page("CONTRIBUTING.md");
    let mut source = String::new();
    sources(&Path::new(ROOT).join("src"), &mut source);
    let pieces = quoted(&text);
    let absent: Vec<String> = pieces.iter().filter_map(|piece| absence(piece, &source)).collect();
    assert!(pieces.len() > 60 && absent.is_empty(), "{} named; {}", pieces.len(), absent.join("\n"));
    for wrong in
        ["src/nothing.rs", "cargo test --test nothing", "cargo test --lib nothing::", "Nothing", "nothing!", "sprint"]
    {
        assert!(absence(wrong, &source).is_some(), "{wrong}");
    }
    for part in ["## A column, in ten lines", "## An action, in ten lines", "## A detector, in ten lines"] {
        let body = text.split(part).nth(1).unwrap().split("\n## ").next().unwrap();
        let numbered = body.lines().filter(|line| line.split_once(". ").is_some_and(|(n, _)| n.parse::<u8>().is_ok()));
        assert_eq!(numbered.count(), 10, "{part}");
    }
}

/// Blocks of a page without what is only said beside them, and what stands in back-quotes in its tables.
fn shown(text: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let uncommented = |line: &str| line.split_once("  #").map_or(line, |(code, _)| code).trim_end().to_owned();
    let blocks = text.split("```").skip(1).step_by(2);
    let blocks = blocks.map(|block| block.lines().map(uncommented).collect::<Vec<_>>().join("\n")).collect();
    let rows: String = text.lines().filter(|line| line.starts_with('|')).flat_map(|line| [line, "\n"]).collect();
    let pictures = text.lines().filter_map(|line| line.strip_prefix("![")?.split_once("](").map(|(_, to)| to.into()));
    (blocks, quoted(&rows), pictures.collect())
}

#[test]
fn the_chinese_readme_has_the_sections_blocks_tables_and_pictures_of_the_english_one() {
    let (english, chinese) = (page("README.md"), page("README.zh-CN.md"));
    let (ours, translated) = (shown(&english), shown(&chinese));
    assert_eq!(ours.0.len(), translated.0.len());
    for (block, other) in ours.0.iter().zip(&translated.0) {
        assert_eq!(block, other);
    }
    assert_eq!((ours.1, ours.2), (translated.1, translated.2), "tables and pictures");
    let levels = |text: &str| -> Vec<usize> {
        let outside: Vec<&str> = text.split("```").step_by(2).collect();
        let heads = outside.iter().flat_map(|part| part.lines()).filter(|line| line.starts_with('#'));
        heads.map(|head| head.bytes().take_while(|byte| *byte == b'#').count()).collect()
    };
    assert_eq!(levels(&english), levels(&chinese));
    let links = |text: &str| -> Vec<String> {
        let all = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link.to_owned()));
        let mut all: Vec<String> = all.filter(|link| !link.starts_with("README")).collect();
        all.sort();
        all
    };
    assert_eq!(links(&english), links(&chinese));
    let is_han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
    let count = chinese.chars().filter(is_han).count();
    assert!(count > 1500, "{count} characters");
}

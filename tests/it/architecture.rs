//! Which folder may name which. The table is the architecture; this test keeps it true.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A folder, and the folders it may name.
const MAY_USE: &[(&str, &[&str])] = &[
    ("device", &[]),
    ("sensors", &[]),
    ("trust", &[]),
    ("system", &[]),
    ("profiles", &["device", "sensors"]),
    ("wire", &["device"]),
    ("app", &["device"]),
    ("ui", &["app", "device"]),
    ("report", &["app", "device"]),
    ("net", &["wire", "device", "trust"]),
    ("firmware", &["device", "trust", "system"]),
    ("cloud", &["wire", "device", "system"]),
    ("operator", &["wire", "device", "trust"]),
    ("runtime", &["app", "device", "ui", "report", "net", "operator"]),
    ("config", &["device", "wire"]),
    (
        "cli",
        &[
            "device", "sensors", "trust", "profiles", "wire", "app", "ui", "report", "net", "firmware",
            "cloud", "operator", "runtime", "config", "system",
        ],
    ),
];

/// Words of the wire, which only `wire` may spell.
const WIRE_WORDS: &[&str] = &["$iothub", "$dps", "api-version"];

/// A source file of the program, without its tests and comments.
struct Source {
    /// From `src`.
    path: PathBuf,
    code: String,
}

impl Source {
    fn folder(&self) -> Option<&str> {
        let mut parts = self.path.iter();
        let first = parts.next()?.to_str()?;
        parts.next().map(|_| first)
    }

    /// How many modules deep it is; the library's root is 0.
    fn depth(&self) -> usize {
        let parts = self.path.iter().count();
        if self.path.ends_with("mod.rs") { parts - 1 } else { parts }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every file of the program that is not a test.
fn sources() -> Vec<Source> {
    let root = root();
    let files = files(&root);
    let texts: Vec<_> =
        files.iter().map(|path| (path, std::fs::read_to_string(path).expect("a source file"))).collect();
    let mut of_tests = BTreeSet::new();
    for (path, text) in &texts {
        let module = if path.ends_with("mod.rs") || path.ends_with("lib.rs") || path.ends_with("main.rs") {
            path.parent().expect("a folder").to_owned()
        } else {
            path.with_extension("")
        };
        for name in test_modules(text) {
            of_tests.insert(module.join(format!("{name}.rs")));
            of_tests.insert(module.join(name).join("mod.rs"));
            // A `#[path]` beside the file.
            of_tests.insert(path.with_file_name(format!("{name}.rs")));
        }
    }
    let is_test = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let in_tests = path.ancestors().any(|folder| folder.ends_with("tests"));
        of_tests.contains(path) || in_tests || name == "tests.rs" || name.ends_with("_tests.rs")
    };
    let source = |(path, text): &(&PathBuf, String)| Source {
        path: path.strip_prefix(&root).expect("a file of src").to_owned(),
        code: code(text),
    };
    texts.iter().filter(|(path, _)| !is_test(path)).map(source).collect()
}

/// The names in `#[cfg(test)] mod name;`.
fn test_modules(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let module = line.strip_prefix("pub(crate) ").unwrap_or(line);
        if let Some(name) = module.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            names.extend(is_test.then_some(name));
        }
        is_test = line.starts_with("#[cfg(test)]") || (is_test && line.starts_with("#["));
    }
    names
}

/// `text` without comments and without what stands under `#[cfg(test)]`.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("#[cfg(test)]") {
            let indent = &line[..line.len() - trimmed.len()];
            // The formatter puts the closing brace where the item began.
            let ends = [format!("{indent}}}"), format!("{indent});")];
            for line in lines.by_ref() {
                let is_short = line.len() - line.trim_start().len() == indent.len() && line.ends_with(';');
                if is_short || ends.iter().any(|end| line == end) {
                    break;
                }
            }
        } else if !trimmed.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The names that follow `prefix`, alone or in braces.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        // `super::super::` within a longer chain, or the end of another word.
        let before = &code[..at];
        if before.ends_with("super::") || before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut item = String::new();
        for c in group.chars() {
            match c {
                '}' if depth == 0 => break,
                ',' if depth == 0 => {
                    names.insert(word(&item));
                    item.clear();
                    continue;
                }
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            item.push(c);
        }
        names.insert(word(&item));
    }
    names
}

#[test]
fn folders_name_only_those_below_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(folder) = source.folder() else { continue };
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            wrong.push(format!("src/{folder} is not in the table"));
            continue;
        };
        let mut named = names_after(&source.code, "crate::");
        named.extend(names_after(&source.code, &"super::".repeat(source.depth())));
        for name in named {
            let is_folder = MAY_USE.iter().any(|(folder, _)| *folder == name);
            if is_folder && name != folder && !may_use.contains(&name.as_str()) {
                wrong.push(format!("src/{} names `{name}`", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_wire_spells_the_wire() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.folder() != Some("wire")) {
        for word in WIRE_WORDS.iter().filter(|word| source.code.contains(**word)) {
            wrong.push(format!("src/{} spells `{word}`", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_says_what_it_is_for_and_what_never_belongs_in_it() {
    for path in files(&root()).iter().filter(|path| path.ends_with("mod.rs")) {
        let text = std::fs::read_to_string(path).expect("a source file");
        assert!(text.starts_with("//! "), "{} does not say what it is for", path.display());
        let is_top = path.parent().and_then(Path::parent) == Some(&root());
        assert!(
            !is_top || text.contains("Never here"),
            "{} does not say what never belongs in it",
            path.display()
        );
    }
}

#[test]
fn the_reader_of_sources_sees_what_it_should() {
    let text = "use crate::wire;\n// crate::ui\nuse crate::{app::{self, X}, net};\n#[cfg(test)]\nmod tests {\n    use crate::cloud;\n}\nfn a() { super::super::cli::x() }\n#[cfg(test)]\nuse crate::report;\n";
    let code = code(text);
    let named: Vec<_> = names_after(&code, "crate::").into_iter().collect();
    assert_eq!(named, ["app", "net", "wire"]);
    let named: Vec<_> = names_after(&code, "super::super::").into_iter().collect();
    assert_eq!(named, ["cli"]);
    assert!(names_after(&code, "super::").contains("super"));
    assert_eq!(test_modules("#[cfg(test)]\n#[path = \"x\"]\nmod testing;\nmod other;"), ["testing"]);
}

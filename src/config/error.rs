//! Why a configuration cannot be used, in words a person can act on.

use std::path::PathBuf;

use super::Origin;

/// Why a configuration cannot be used. No message holds a key, nor a text that may be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Given without a value.
    #[error("{origin} is empty; give it a value or leave it out")]
    Empty {
        /// What.
        origin: Origin,
    },
    /// Not Unicode.
    #[error("{origin} is not Unicode text")]
    NotText {
        /// What.
        origin: Origin,
    },
    /// Not what the setting takes.
    #[error("{origin}: {why}")]
    Invalid {
        /// What.
        origin: Origin,
        /// What is wrong and what would be right.
        why: String,
    },
    /// Two that exclude each other.
    #[error("{one} and {other} exclude each other: {why}")]
    Conflict {
        /// The one.
        one: Origin,
        /// The other.
        other: Origin,
        /// Why, and which to leave out.
        why: &'static str,
    },
    /// Something more is needed.
    #[error("{given} is given, but {missing}")]
    Incomplete {
        /// What asks for more.
        given: Origin,
        /// What is missing, and every way to give it.
        missing: String,
    },
    /// A file that cannot be read.
    #[error("{origin}: cannot read {}: {why}", path.display())]
    Unreadable {
        /// What names the file.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Something is wrong in the configuration file.
    #[error("{file}, line {line}: {why}")]
    File {
        /// The file as it was named.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// A text in back quotes, for a message; or words in its place when it may hold a key that
/// someone put in the wrong place.
pub fn quoted(text: &str) -> String {
    if may_be_secret(text) {
        return format!("the value given ({} characters, not shown)", text.chars().count());
    }
    // Quotes and backslashes are shown as they were typed, what could move the cursor is not.
    let one =
        |c: char| if matches!(c, '\'' | '"' | '\\') { c.to_string() } else { c.escape_debug().to_string() };
    format!("`{}`", text.chars().map(one).collect::<String>())
}

/// Whether a text looks like a key, a token or a connection string. Keys have 16 bytes or more,
/// so 22 characters of base64 or more.
pub fn may_be_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let run = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)))
        .map(str::len)
        .max()
        .unwrap_or_default();
    lower.contains("sharedaccess") || lower.contains("sig=") || run >= 22
}

/// The one of `known` that `text` was most likely meant to be.
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer than any name, so not a slip of the finger; and the distance costs length times length.
    if text.len() > 40 {
        return None;
    }
    let (distance, name) = known.into_iter().map(|name| (distance(text, name), name)).min()?;
    (distance <= 1 + name.len() / 4).then_some(name)
}

/// Levenshtein's distance, with `-` and `_` taken as the same and case ignored.
fn distance(a: &str, b: &str) -> usize {
    let normal = |c: char| if c == '_' { '-' } else { c.to_ascii_lowercase() };
    let b: Vec<char> = b.chars().map(normal).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().map(normal).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, right) in b.iter().enumerate() {
            let replace = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        let known = ["interval", "key", "key-file", "id-scope", "seed"];
        for (slip, meant) in [
            ("intervall", Some("interval")),
            ("id_scope", Some("id-scope")),
            ("keyfile", Some("key-file")),
            ("sed", Some("seed")),
            ("telemetry-period", None),
        ] {
            assert_eq!(nearest(slip, known), meant, "{slip}");
        }
    }

    #[test]
    fn what_may_be_a_key_is_not_quoted() {
        for secret in [
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "HostName=h;SharedAccessKey=x",
            "AAAAAAAAAAAAAAAAAAAAAA==",
            "SharedAccessSignature sr=h&sig=x&se=1",
        ] {
            assert!(!quoted(secret).contains(secret), "{secret}");
        }
        assert_eq!(quoted("0ne00ABCDEF!"), "`0ne00ABCDEF!`");
        assert_eq!(quoted("a\x1b[2J"), "`a\\u{1b}[2J`");
    }
}

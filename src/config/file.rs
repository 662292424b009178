//! The configuration file: TOML with the same names as the options, all at the top level.

use std::io;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{may_be_secret, nearest, quoted};
use super::setting::{Kind, RUN, Row, Setting};
use super::{ConfigError, Given, Layer, Origin};

/// Reads the text of the file at `path`. Messages name the line and what is wrong there; they never
/// repeat the line, which may hold a key.
pub fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    let file = path.display().to_string();
    let fault = |at: usize, why: String| ConfigError::File { file: file.clone(), line: line(text, at), why };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        // The parser's words describe the grammar; the first line is enough of them.
        let said = error.message().lines().next().unwrap_or_default();
        let said = if may_be_secret(said) { "this is not TOML" } else { said };
        fault(at, format!("{said}; a line is `name = value`, with text in quotes"))
    })?;
    let mut layer = Layer::new();
    for (name, value) in table.get_ref() {
        let at = name.span().start;
        let row = known(name.get_ref()).map_err(|why| fault(at, why))?;
        let option = row.option.unwrap_or_default();
        let why = |why: &str| fault(value.span().start, format!("`{option}` {why}"));
        let Some(given) = written(value, row).map_err(why)? else { continue };
        let given = if row.kind == Kind::Path && !given.is_empty() { beside(path, &given) } else { given };
        let origin = Origin::File { file: file.clone(), line: line(text, at), option };
        layer.insert(row.setting, Given { text: given, origin });
    }
    Ok(layer)
}

fn known(name: &str) -> Result<&'static Row, String> {
    let options = || RUN.iter().filter(|row| row.setting != Setting::Config);
    if let Some(row) = options().find(|row| row.option == Some(name)) {
        return Ok(row);
    }
    if name == "config" {
        return Err("`config` cannot stand in a configuration file".to_owned());
    }
    if may_be_secret(name) {
        return Err("unknown option (not shown: it looks like a key)".to_owned());
    }
    let hint = nearest(name, options().filter_map(|row| row.option));
    let hint = hint.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    Err(format!("unknown option {}{hint}", quoted(name)))
}

/// A value as it would stand on the command line; `None` for a switch that is off.
fn written(value: &Spanned<DeValue<'_>>, row: &Row) -> Result<Option<String>, &'static str> {
    let value = value.get_ref();
    match (row.kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Ok(on.then(|| "true".to_owned())),
        (Kind::Switch, _) => Err("is true or false"),
        (Kind::Text | Kind::Path | Kind::Secret, DeValue::String(text)) => Ok(Some(text.to_string())),
        (Kind::Text, DeValue::Integer(number)) if number.radix() == 10 => {
            Ok(Some(number.as_str().to_owned()))
        }
        (Kind::Text, DeValue::Float(number)) => Ok(Some(number.as_str().to_owned())),
        (Kind::Text, DeValue::Boolean(on)) if row.setting == Setting::Verbose => {
            Ok(on.then(|| "1".to_owned()))
        }
        (Kind::Text, DeValue::Array(items))
            if matches!(row.setting, Setting::Profile | Setting::DeviceId) =>
        {
            items
                .iter()
                .map(|item| item.get_ref().as_str().ok_or("is a list of names in quotes"))
                .collect::<Result<Vec<_>, _>>()
                .map(|names| Some(names.join(",")))
        }
        (Kind::Text, _) => Err("is a text or a number"),
        (Kind::Path | Kind::Secret, _) => Err("is a text in quotes"),
    }
}

/// A relative path belongs to the folder of the file that names it, wherever the program starts.
fn beside(file: &Path, path: &str) -> String {
    file.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path).display().to_string())
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// An I/O error in plain words, without the number.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn said(text: &str) -> String {
        parse(Path::new("envsim.toml"), text).expect_err("a bad file").to_string()
    }

    #[test]
    fn a_file_takes_the_names_of_the_options() {
        let text = format!(
            "# a comment\nid-scope = \"0ne00ABCDEF\"\nkey = '{K1}'\ninterval = \"500ms\"\ncount = 5\n\
             time-scale = 2.5\nheadless = true\nprofile = [\"a\", \"b\"]\nkeep-alive = 30\nfor = \"1m\"\nkey-file = \"k\"\n"
        );
        let layer = parse(Path::new("/etc/envsim/envsim.toml"), &text).expect("a file");
        let text = |setting| layer.get(setting).map(|given| given.text.as_str());
        assert_eq!(text(Setting::IdScope), Some("0ne00ABCDEF"));
        assert_eq!(text(Setting::Key), Some(K1));
        assert_eq!(text(Setting::Interval), Some("500ms"));
        assert_eq!(text(Setting::Count), Some("5"));
        assert_eq!(text(Setting::TimeScale), Some("2.5"));
        assert_eq!(text(Setting::Headless), Some("true"));
        assert_eq!(text(Setting::Profile), Some("a,b"));
        assert_eq!(text(Setting::KeepAlive), Some("30"));
        assert_eq!(text(Setting::For), Some("1m"));
        let key = Path::new("/etc/envsim").join("k");
        assert_eq!(text(Setting::KeyFile).map(Path::new), Some(key.as_path()));
        let origin = layer.get(Setting::Key).map(|given| given.origin.to_string());
        assert_eq!(origin.as_deref(), Some("/etc/envsim/envsim.toml, line 3: `key`"));
    }

    #[test]
    fn a_slip_names_file_and_line() {
        assert_eq!(
            said("seed = 1\n\nintervall = \"2s\"\n"),
            "envsim.toml, line 3: unknown option `intervall`, did you mean `interval`?"
        );
        assert_eq!(
            said("[device]\nkey = 1"),
            "envsim.toml, line 1: unknown option `device`, did you mean `device-id`?"
        );
        assert_eq!(
            said("config = 'x'"),
            "envsim.toml, line 1: `config` cannot stand in a configuration file"
        );
        assert_eq!(said("headless = 1"), "envsim.toml, line 1: `headless` is true or false");
        assert_eq!(said("seed = 1\nkey = 7"), "envsim.toml, line 2: `key` is a text in quotes");
    }

    #[test]
    fn a_broken_line_is_not_repeated() {
        for text in [
            format!("key = {K1}"),
            format!("key = \"{K1}"),
            format!("key = '{K1}"),
            format!("key {K1}"),
            K1.to_owned(),
            format!("\"{K1}\" = 1"),
            format!("key = \"{K1}\"\nkey = \"{K1}\""),
            format!("key = [\"{K1}\"]"),
            format!("key = {{ x = \"{K1}\" }}"),
            format!("key.{} = 1", &K1[..43]),
        ] {
            let said = said(&text);
            assert!(said.starts_with("envsim.toml, line "), "{said}");
            assert!(!said.contains(&K1[..12]), "{said}");
        }
    }
}

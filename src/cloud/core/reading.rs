//! Reads JSON that clients send, and says in plain words which member is wrong and what belongs
//! there. The parser's own words name Rust's types, and no member.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

/// The most of a wrong value that is repeated.
const SHOWN: usize = 60;

/// Reads a text.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| told(&error))?;
    reader.end().map_err(|error| syntax(&error))?;
    Ok(read)
}

/// Reads a value.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| told(&error))
}

fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let inner = error.inner();
    if inner.classify() != Category::Data {
        return syntax(inner);
    }
    let text = inner.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    // `.` is the whole, `?` a place that the parser lost sight of.
    let place = Some(path).filter(|path| !matches!(path.as_str(), "." | "?"));
    data(text, place.as_deref())
}

/// What is no JSON at all.
fn syntax(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof if (line, column) == (1, 0) => "it is empty".to_owned(),
        Category::Eof => format!("it ends too soon, in line {line}, column {column}"),
        _ => format!("no JSON in line {line}, column {column} ({text})"),
    }
}

/// JSON, and not what it should be. The texts are those of `serde::de::Error`, which are a part of
/// its documentation.
fn data(text: &str, place: Option<&str>) -> String {
    let quoted = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
    let within = |place: Option<&str>| place.map(|place| format!(" of `{place}`")).unwrap_or_default();
    let at = place.map(|place| format!("`{place}`: ")).unwrap_or_default();
    if text.starts_with("missing field ") {
        return format!("the member `{}`{} is missing", quoted(text), within(place));
    }
    if text.starts_with("duplicate field ") {
        return format!("the member `{}`{} stands twice", quoted(text), within(place));
    }
    if let Some(rest) = text.strip_prefix("unknown field ") {
        let name = quoted(text);
        // The path ends with the member that is not known.
        let outer = place.and_then(|place| place.rsplit_once('.')).map(|(outer, _)| outer);
        let known = rest.split_once(", expected ").map(|(_, known)| listed(known)).unwrap_or_default();
        return format!("there is no member `{name}`{}{known}", within(outer));
    }
    if let Some(rest) = text.strip_prefix("unknown variant ") {
        let known = rest.split_once(", expected ").map(|(_, known)| listed(known)).unwrap_or_default();
        return format!("{at}`{}` is not known here{known}", quoted(text));
    }
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "];
    match wrong.iter().find_map(|start| text.strip_prefix(start)?.rsplit_once(", expected ")) {
        Some((found, wanted)) => format!("{at}expected {}, found {}", expected(wanted), shown(found)),
        None => format!("{at}{text}"),
    }
}

fn listed(known: &str) -> String {
    let names: Vec<_> = known.split('`').skip(1).step_by(2).map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) }
}

/// What was expected, in the words of JSON.
fn expected(wanted: &str) -> String {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "str" | "a borrowed string" => "a text",
        "a boolean" => "true or false",
        "a map" => "an object",
        "a sequence" => "an array",
        wanted if wanted.starts_with("struct ") || wanted.starts_with("internally tagged enum ") => {
            "an object"
        }
        wanted => return wanted.to_owned(),
    }
    .to_owned()
}

/// What was found, in the words of JSON, and not all of it when it is long.
fn shown(found: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    let bare = value.trim_matches('`');
    let text = match kind {
        "map" => "an object",
        "sequence" => "an array",
        "string" => &format!("the text {value}"),
        "integer" | "boolean" | "character" => bare,
        "floating" => value.trim_start_matches("point ").trim_matches('`'),
        _ => found,
    };
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        // Writing to a string does not fail.
        let _ = write!(start, "…");
    }
    start
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Map, json};

    use super::*;
    use crate::cloud::core::trouble::Trouble;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only reading it is of interest")]
    struct Order {
        name: String,
        count: u64,
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only reading it is of interest")]
    struct Line {
        share: f64,
        is_new: Option<bool>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Kind {
        Good,
        Bad,
    }

    #[test]
    fn what_is_wrong_is_named_with_its_member_and_what_belongs_there() {
        for (value, said) in [
            (json!({}), "the member `name` is missing"),
            (json!({"name": 5}), "`name`: expected a text, found 5"),
            (
                json!({"name": "n", "count": "5"}),
                "`count`: expected a whole number from 0, found the text \"5\"",
            ),
            (json!({"name": "n", "count": -1}), "`count`: expected a whole number from 0, found -1"),
            (json!({"name": "n", "count": 1.5}), "`count`: expected a whole number from 0, found 1.5"),
            (json!({"name": "n", "count": null}), "`count`: expected a whole number from 0, found null"),
            (json!({"name": "n", "count": 1, "lines": {}}), "`lines`: expected an array, found an object"),
            (json!({"name": "n", "count": 1, "lines": [{}]}), "the member `share` of `lines[0]` is missing"),
            (
                json!({"name": "n", "count": 1, "lines": [{"share": 1.0, "isNew": 1}]}),
                "`lines[0].isNew`: expected true or false, found 1",
            ),
            (
                json!({"name": "n", "count": 1, "lines": [{"share": 1.0, "isnew": true}]}),
                "there is no member `isnew` of `lines[0]`; there is `share`, `isNew`, `kind`",
            ),
            (
                json!({"name": "n", "count": 1, "lines": [{"share": 1.0, "kind": "ugly"}]}),
                "`lines[0].kind`: `ugly` is not known here; there is `good`, `bad`",
            ),
            (json!("order"), "expected an object, found the text \"order\""),
        ] {
            assert_eq!(from_value::<Order>(value.clone()).expect_err("refused"), said, "{value}");
            assert_eq!(from_slice::<Order>(value.to_string().as_bytes()).expect_err("refused"), said);
        }
        let misspelt = from_value::<Trouble>(json!({"latnecy": 5})).expect_err("refused");
        assert!(
            misspelt.starts_with("there is no member `latnecy`; there is `latency`, `dropEvery`"),
            "{misspelt}"
        );
        let inner = from_value::<Trouble>(json!({"refuse": {"times": "x"}})).expect_err("refused");
        assert_eq!(inner, "`refuse.times`: expected a whole number from 0, found the text \"x\"");
    }

    #[test]
    fn what_is_no_json_is_named_with_its_place() {
        let said = |text: &str| from_slice::<Map<String, Value>>(text.as_bytes()).expect_err("refused");
        assert_eq!(said(""), "it is empty");
        assert_eq!(said("{\"a\":"), "it ends too soon, in line 1, column 5");
        assert_eq!(said("{\"a\": 1} x"), "no JSON in line 1, column 10 (trailing characters)");
        assert_eq!(said("[]"), "expected an object, found an array");
    }

    #[test]
    fn a_long_value_is_not_repeated_whole() {
        let said = from_value::<u64>(json!("x".repeat(5_000))).expect_err("refused");
        assert!(said.len() < 150 && said.ends_with('…'), "{said}");
    }
}

//! Addresses as people may see them: without a user's name and password, and without the query,
//! where storage services have their signatures.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};
use url::Url;

/// A text whose addresses hold nothing secret: `https://ann:pw@host/image?sig=…` becomes
/// `https://…@host/image?…`. JSON is read first, so that nothing hides behind its escapes.
pub fn discreet(text: &str) -> String {
    if let Some(told) = of_json(text) {
        return told;
    }
    // What is an address as a whole may hold what would end one among other words: quotes, blanks.
    match Url::parse(text) {
        Ok(url) if url.has_authority() && Shown(&url).hides() => of_words(&Shown(&url).to_string()),
        _ => of_words(text),
    }
}

/// JSON that holds others, or a text that may be JSON again.
fn of_json(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let told = discreet_value(&value);
    // Of two members with one name only the last has been read.
    let is_harmless = told == value && !text.contains(['@', '?', '\\']);
    Some(if is_harmless { text.to_owned() } else { told.to_string() })
}

/// Whatever else may have an address in it. It hides too much rather than too little: all that stands
/// between a colon and the last `@` of a word, and everything behind the first `?` that something follows
/// and that ends what may be an address.
fn of_words(text: &str) -> String {
    let query = |(at, _): &(usize, &str)| {
        let word = text[..*at].rsplit(char::is_whitespace).next().unwrap_or_default();
        word.contains(['/', '.', ':', '\\']) && text[at + 1..].starts_with(|c: char| !c.is_whitespace())
    };
    let (text, query) = match text.match_indices('?').find(query) {
        Some((at, _)) => (&text[..at], "?…"),
        None => (text, ""),
    };
    text.split_inclusive(char::is_whitespace).map(of_word).collect::<String>() + query
}

fn of_word(word: &str) -> Cow<'_, str> {
    let Some((before, host)) = word.rsplit_once('@') else { return word.into() };
    let Some((_, user)) = before.split_once(':') else { return word.into() };
    let user = user.trim_start_matches(['/', '\\']).len();
    let shown = &before[..before.len() - user];
    if user == 0 { word.into() } else { format!("{shown}…@{host}").into() }
}

/// A value whose texts are all [`discreet`].
pub fn discreet_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(discreet(text)),
        Value::Array(items) => items.iter().map(discreet_value).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (discreet(name), discreet_value(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// An address as people may see it.
pub struct Shown<'a>(pub &'a Url);

impl Shown<'_> {
    fn has_user(&self) -> bool {
        !self.0.username().is_empty() || self.0.password().is_some()
    }

    fn has_query(&self) -> bool {
        self.0.query().is_some_and(|query| !query.is_empty())
    }

    /// Whether there is anything that is not shown.
    fn hides(&self) -> bool {
        self.has_user() || self.has_query()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(url) = self;
        write!(f, "{}://", url.scheme())?;
        if self.has_user() {
            f.write_str("…@")?;
        }
        f.write_str(url.host_str().unwrap_or_default())?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(url.path())?;
        if self.has_query() { f.write_str("?…") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_lose_what_may_be_secret_and_other_texts_lose_nothing() {
        for (text, said) in [
            ("http://bob:pw@h:1/x?sig=S", "http://…@h:1/x?…"),
            ("see https://h/a?b", "see https://h/a?…"),
            ("see file:///c, d? e", "see file:///c, d? e"),
            ("https://h?sig=a/b@c", "https://h/?…"),
            ("https://a@b:c@h/x", "https://…@h/x"),
            ("https://h/a?", "https://h/a?"),
            ("https://h/a#b", "https://h/a#b"),
            ("what? a@b :// //", "what? a@b :// //"),
            ("to: bob@h", "to: bob@h"),
            ("is it on?yes", "is it on?yes"),
            ("select ?1, a.b?", "select ?1, a.b?"),
            ("", ""),
            ("https://", "https://"),
            ("sb://u:p@h?sig=S", "sb://…@h?…"),
        ] {
            assert_eq!(discreet(text), said, "{text}");
        }
        let request = json!({"fwPackageUri": "https://h/i?sig=S", "n": [1, "http://u:p@h"]});
        assert_eq!(
            discreet_value(&request),
            json!({"fwPackageUri": "https://h/i?…", "n": [1, "http://…@h/"]})
        );
        assert_eq!(
            discreet(&request.to_string()),
            r#"{"fwPackageUri":"https://h/i?…","n":[1,"http://…@h/"]}"#
        );
    }

    #[test]
    fn an_address_is_told_by_what_a_client_makes_of_it_and_not_by_how_it_is_written() {
        for (text, said) in [
            ("http://h/ok?name='x'&sig=SECRET", "http://h/ok?…"),
            ("http://h/ok?sig=<SECRET>", "http://h/ok?…"),
            ("http://h/ok?x=a b&sig=SECRET", "http://h/ok?…"),
            ("http://u:a'SECRET@h/ok", "http://…@h/ok"),
            ("http://u:a SECRET@h/ok", "http://…@h/ok"),
            ("http:/u:SECRET@h/ok?sig=SECRET", "http://…@h/ok?…"),
            ("http:u:SECRET@h:9000", "http://…@h:9000/"),
            (r"http:\\u:SECRET@h:9000\ok", "http://…@h:9000/ok"),
            ("\u{1} ht\ntp://u:SECRET@h/ok", "http://…@h/ok"),
            // Names that are only pretended, addresses that no client takes, and words around one.
            ("test.com/x?sig=SECRET", "test.com/x?…"),
            ("test.com/x?a b&sig=SECRET", "test.com/x?…"),
            ("test.com:80/x?sig=SECRET", "test.com:80/x?…"),
            ("u:SECRET@test.com/x", "u:…@test.com/x"),
            ("http://u:SECRET@h:99999/x?sig=SECRET", "http://…@h:99999/x?…"),
            ("http://u:SECRET/SECRET@h/x", "http://…@h/x"),
            ("http://h/x, http://u:SECRET@h/x", "http://h/x, http://…@h/x"),
            (r#"{"broken": "http:\/\/u:SECRET@h\/ok?sig=SECRET"#, r#"{"broken": "http:\/\/…@h\/ok?…"#),
        ] {
            assert_eq!(discreet(text), said, "{text}");
        }
    }

    #[test]
    fn json_is_read_before_it_is_told_however_deep_it_is_wrapped() {
        let wire = r#"{"fwPackageUri": "http:\/\/u:SECRET@h\/ok?sig=SECRET", "n": 1}"#;
        let told = r#"{"fwPackageUri":"http://…@h/ok?…","n":1}"#;
        assert_eq!(discreet(wire), told);
        assert_eq!(discreet_value(&json!(wire)), json!(told));
        let wrapped = json!({ "p": json!(wire).to_string() });
        assert!(!discreet_value(&wrapped).to_string().contains("SECRET"));
        // The first of two members of a name is not in the value that is read.
        assert!(!discreet(r#"{"a": "http://u:SECRET@h", "a": 1}"#).contains("SECRET"));
        assert_eq!(discreet(r#"{ "a":  1.50 }"#), r#"{ "a":  1.50 }"#);
    }
}

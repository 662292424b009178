//! Addresses as people may see them: without a user's name and password, and without the query,
//! where storage services have their signatures.

use serde_json::{Map, Value};

/// A text whose addresses hold nothing secret: `https://ann:pw@host/image?sig=…` becomes
/// `https://…@host/image?…`.
pub fn discreet(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>\\".contains(c)).unwrap_or(after.len());
        let (address, behind) = after.split_at(end);
        said.push_str(before);
        said.push_str("://");
        let host_ends = address.find(['/', '?', '#']).unwrap_or(address.len());
        let (authority, path) = address.split_at(host_ends);
        match authority.rsplit_once('@') {
            Some((_, host)) => said.extend(["…@", host]),
            None => said.push_str(authority),
        }
        match path.split_once('?') {
            Some((path, query)) if !query.is_empty() => said.extend([path, "?…"]),
            _ => said.push_str(path),
        }
        rest = behind;
    }
    said + rest
}

/// A value whose texts are all [`discreet`].
pub fn discreet_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(discreet(text)),
        Value::Array(items) => items.iter().map(discreet_value).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), discreet_value(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other.clone(),
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
            ("see https://h/a?b and file:///c d?e", "see https://h/a?… and file:///c d?e"),
            ("https://h?sig=a/b@c", "https://h?…"),
            ("https://a@b:c@h/x", "https://…@h/x"),
            ("https://h/a?", "https://h/a?"),
            ("what? a@b :// //", "what? a@b :// //"),
            ("", ""),
            ("https://", "https://"),
        ] {
            assert_eq!(discreet(text), said, "{text}");
        }
        let request = json!({"fwPackageUri": "https://h/i?sig=S", "n": [1, "http://u:p@h"]});
        assert_eq!(
            discreet_value(&request),
            json!({"fwPackageUri": "https://h/i?…", "n": [1, "http://…@h"]})
        );
        assert_eq!(
            discreet(&request.to_string()),
            r#"{"fwPackageUri":"https://h/i?…","n":[1,"http://…@h"]}"#
        );
    }
}

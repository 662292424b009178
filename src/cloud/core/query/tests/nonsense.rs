//! Anything at all is read or refused, and what is read can be written down and read again.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::super::ast::Dialect;
use super::super::{Condition, Query};
use super::fleet;

/// Reads, runs, writes, and reads again.
fn try_out(text: &str) {
    if let Ok(query) = Query::parse(text) {
        let again = Query::parse(&query.to_string());
        assert_eq!(again.as_ref(), Ok(&query), "{text}\n{query}");
        let all = query.run(fleet());
        let page = query.page(fleet(), 1, 2);
        assert!(page.items.len() <= all.items.len());
    }
    for dialect in [Dialect::Twins, Dialect::Messages] {
        if let Ok(condition) = Condition::parse_as(text, dialect) {
            let again = Condition::parse_as(&condition.to_string(), dialect);
            assert_eq!(again.as_ref(), Ok(&condition), "{text}\n{condition}");
            condition.selects(&json!({ "deviceId": "a", "tags": { "a": [1, { "b": null }] } }));
        }
    }
}

/// Words and signs of the language, and what looks like them.
fn soup() -> impl Strategy<Value = String> {
    let words = select(vec![
        "SELECT",
        "TOP",
        "*",
        "FROM",
        "devices",
        "devices.",
        ".modules",
        "jobs",
        "WHERE",
        "GROUP",
        "BY",
        "AS",
        "and",
        "OR",
        "NOT",
        "IN",
        "NIN",
        "(",
        ")",
        "[",
        "]",
        "[[",
        "]]",
        ",",
        ".",
        "=",
        "!=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "1",
        "0x1F",
        "1.5e-3",
        "00",
        "18446744073709551615",
        "1e400",
        "'a'",
        "\"b\"",
        "'\\u0041'",
        "'\\ud83d\\ude00'",
        "'",
        "true",
        "null",
        "undefined",
        "deviceId",
        "tags.a",
        "tags.[[a b]]",
        "tags.list[0]",
        "devices.[[and]]",
        "devices.devices.x",
        "devices[0]",
        "id",
        "Status",
        "IS_DEFINED(",
        "STARTSWITH(",
        "CONCAT(",
        "LENGTH(",
        "COUNT()",
        "SUM(",
        "MAX(version)",
        "AS n",
        "$body",
        "a-b",
        "1st",
        "-c",
        "it's",
        "!",
        "#",
        "/*",
        "*/",
        "into",
        "é",
        "😀",
        ";",
        "{",
        "|",
    ]);
    proptest::collection::vec((words, select(vec!["", " ", " ", "\n"])), 0..24)
        .prop_map(|words| words.into_iter().flat_map(|(word, space)| [word, space]).collect())
}

/// Conditions that are well written, and deep.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        soup_free(),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{:?}", if number.is_finite() { number.abs() } else { 0.5 })),
        "'[a-zé \u{1}\"]{0,6}'",
        "tags\\.\\[\\[[^\\]]{1,5}\\]\\]",
        "[a-z$_][a-z0-9$_]{7,9}(\\.[0-9a-zé]{1,3}){0,2}(\\[[0-9]\\])?",
    ];
    leaf.prop_recursive(6, 64, 4, |inner| {
        let operators =
            select(vec!["=", "!=", "<>", "<", "<=", ">", ">=", "AND", "OR", "+", "-", "*", "/", "%"]);
        prop_oneof![
            (inner.clone(), operators, inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            (inner.clone(), select(vec!["AND", "OR"]), inner.clone())
                .prop_map(|(a, operator, b)| format!("{a} {operator} {b}")),
            (inner.clone(), select(vec!["IN", "nin"]), inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} [{b}, 1])")),
            inner.clone().prop_map(|a| format!("(NOT {a})")),
            inner.clone().prop_map(|a| format!("(- ({a}))")),
            inner.clone().prop_map(|a| format!("IS_DEFINED({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("STARTS_WITH({a}, {b})")),
            proptest::collection::vec(inner, 0..4).prop_map(|all| format!("[{}]", all.join(", "))),
        ]
    })
}

fn soup_free() -> impl Strategy<Value = String> {
    select(vec!["true", "null", "undefined", "DeviceId", "tags.from", "devices.jobs.Status", "0x10"])
        .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        try_out(&text);
        try_out(&format!("SELECT * FROM devices WHERE {text}"));
        try_out(&format!("SELECT {text} FROM devices"));
    }

    #[test]
    fn any_soup_of_words_is_read_or_refused(text in soup()) {
        try_out(&text);
        try_out(&format!("SELECT * FROM devices WHERE {text}"));
        try_out(&format!("SELECT {text} FROM devices"));
        try_out(&format!("SELECT {text}"));
    }

    #[test]
    fn what_is_well_written_is_read_and_reads_the_same_when_written_down(text in condition()) {
        Condition::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        try_out(&text);
        try_out(&format!("SELECT deviceId, tags.a AS b FROM devices WHERE {text}"));
    }

    #[test]
    fn every_name_of_a_message_can_be_written(
        first in "[^\\[\\]][^\\]]{0,5}",
        more in proptest::collection::vec("[^\\]]{1,6}", 0..3),
    ) {
        let path: Vec<_> = [first].iter().chain(&more).map(|name| format!("[[{name}]]")).collect();
        let text = format!("NOT IS_DEFINED({}) AND - 1 = -1", path.join("."));
        let read = Condition::parse_as(&text, Dialect::Messages).unwrap_or_else(|error| panic!("{text}: {error}"));
        let written = read.to_string();
        let again = Condition::parse_as(&written, Dialect::Messages);
        prop_assert_eq!(again.as_ref(), Ok(&read), "{}", written);
    }

    #[test]
    fn a_name_of_a_message_goes_to_the_next_space(name in "[a-zA-Z_é][a-zA-Z0-9é_#$%&'*+~^|-]{0,8}[a-z0-9]") {
        let word = name.to_ascii_uppercase();
        prop_assume!(!["AND", "OR", "NOT", "IN", "NIN", "BY", "AS", "TOP"].contains(&word.as_str()));
        prop_assume!(!name.contains("||") && !name.contains("&&"));
        let text = format!("IS_DEFINED({name}) AND {name} = 'x'");
        let read = Condition::parse_as(&text, Dialect::Messages).unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(read.to_string(), text);
        let row = json!({ name: "x" });
        prop_assert!(read.selects(&row));
    }
}

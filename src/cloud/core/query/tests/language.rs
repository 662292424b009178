//! What conditions are worth, what answers are made of, and what is refused.

use std::cell::Cell;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::ast::Dialect;
use super::super::error::Kind;
use super::super::{Condition, ItemType, MAX_DEPTH, MAX_LENGTH, Query};
use super::{answer, devices, error, fleet, holds, query};

#[test]
fn only_true_selects() {
    let row =
        json!({ "tags": { "yes": true, "no": false, "text": "true", "one": 1, "none": null, "o": {} } });
    assert!(holds("tags.yes", &row));
    for condition in ["tags.no", "tags.text", "tags.one", "tags.none", "tags.o", "tags.missing", "undefined"]
    {
        assert!(!holds(condition, &row), "{condition}");
    }
    // What is no boolean is undefined, and so is its contrary.
    for condition in ["NOT tags.text", "NOT tags.missing", "NOT tags.none", "NOT undefined"] {
        assert!(!holds(condition, &row), "{condition}");
    }
    assert!(holds("NOT tags.no", &row));
}

#[test]
fn undefined_goes_through_logic_as_in_three_values() {
    let row = json!({});
    for (condition, expected) in [
        ("tags.x = 1", false),
        ("tags.x != 1", false),
        ("NOT tags.x = 1", false),
        ("tags.x = undefined", false),
        ("tags.x = tags.x", false),
        ("NOT (tags.x = 1 AND false)", true),
        ("tags.x = 1 OR true", true),
        ("true OR tags.x = 1", true),
        ("tags.x = 1 AND true", false),
        ("tags.x IN [1]", false),
        ("tags.x NIN [1]", false),
        ("tags.x < 1 OR tags.x >= 1", false),
    ] {
        assert_eq!(holds(condition, &row), expected, "{condition}");
    }
}

#[test]
fn values_are_compared_within_their_type() {
    let row =
        json!({ "tags": { "n": 9, "f": 9.0, "s": "9", "b": true, "z": null, "o": { "a": 1 }, "l": [1] } });
    for (condition, expected) in [
        ("tags.n = 9", true),
        ("tags.n = tags.f", true),
        ("tags.n = 0x9", true),
        ("tags.n = tags.s", false),
        ("tags.n != tags.s", true),
        ("tags.n <> tags.s", true),
        ("tags.s < 10", false),
        ("tags.s > '10'", true),
        ("tags.z = null", true),
        ("tags.z != 1", true),
        ("tags.z <= null", false),
        ("tags.b > false", true),
        ("tags.o = tags.o", false),
        ("tags.o != tags.o", false),
        ("tags.l = [1]", false),
        ("tags.l != [1]", false),
        ("1 IN tags.l", true),
        ("2 NIN tags.l", true),
        ("1 IN tags.n", false),
        ("9007199254740993 = 9007199254740992", false),
        ("tags.l[0] = 1", true),
        ("tags.l[1] = 1", false),
        ("'\\u00e9' = \"é\"", true),
        ("'\\ud83d\\ude00' = '😀'", true),
        ("'it\\'s \\\\' = \"it's \\\\\"", true),
    ] {
        assert_eq!(holds(condition, &row), expected, "{condition}");
    }
}

#[test]
fn operators_bind_as_in_sql() {
    for (condition, expected) in [
        ("1 + 2 * 3 = 7", true),
        ("(1 + 2) * 3 = 9", true),
        ("10 - 3 - 2 = 5", true),
        ("-2 * -3 = 6", true),
        ("7 % 4 = 3", true),
        ("1 / 2 = 0.5", true),
        ("1 / 0 > 0", false),
        ("1 % 0 = 0", false),
        ("1 + 'a' = 1", false),
        ("true OR true AND false", true),
        ("(true OR true) AND false", false),
        ("NOT false AND false", false),
        ("NOT 1 = 2", true),
        ("not not true", true),
        ("-9223372036854775808 < 0", true),
        ("9223372036854775807 + 1 > 9223372036854775807 ", true),
        ("1 < 2 = true", true),
        ("2 in [1, 1 + 1]", true),
        ("1 IN []", false),
    ] {
        assert_eq!(holds(condition, &json!({})), expected, "{condition}");
    }
}

#[test]
fn is_defined_is_true_for_null() {
    assert_eq!(devices("SELECT * FROM devices WHERE IS_DEFINED(tags.note)", &fleet()), ["d"]);
    assert_eq!(devices("SELECT * FROM devices WHERE NOT is_defined(tags.location)", &fleet()), ["d"]);
}

#[test]
fn functions_of_message_routes_give_what_they_are_documented_to() {
    let row = json!({ "n": -2.5, "s": "Grün", "l": [], "o": {}, "z": null, "b": false });
    for condition in [
        "AS_NUMBER('12.5') = 12.5",
        "AS_NUMBER(n) = -2.5",
        "NOT IS_DEFINED(AS_NUMBER('inf'))",
        "NOT IS_DEFINED(AS_NUMBER('x'))",
        "IS_ARRAY(l) AND NOT IS_ARRAY(o)",
        "IS_BOOL(b) AND NOT IS_BOOL(missing)",
        "IS_NULL(z) AND NOT IS_NULL(missing)",
        "IS_NUMBER(n) AND NOT IS_NUMBER(s)",
        "IS_OBJECT(o)",
        "IS_PRIMITIVE(z) AND IS_PRIMITIVE(s) AND NOT IS_PRIMITIVE(l) AND NOT IS_PRIMITIVE(missing)",
        "IS_STRING(s)",
        "ABS(n) = 2.5",
        "EXP(0) = 1",
        "POWER(2, 10) = 1024",
        "SQUARE(3) = 9",
        "CEILING(n) = -2",
        "FLOOR(n) = -3",
        "SIGN(n) = -1 AND SIGN(0) = 0 AND SIGN(7) = 1",
        "SQRT(9) = 3",
        "NOT IS_DEFINED(SQRT(-1))",
        "CONCAT('a', 'b', s) = 'abGrün'",
        "NOT IS_DEFINED(CONCAT('a', 1))",
        "LENGTH(s) = 4",
        "LOWER(s) = 'grün'",
        "UPPER(s) = 'GRÜN'",
        "SUBSTRING(s, 2) = 'ün'",
        "SUBSTRING(s, 1, 2) = 'rü'",
        "SUBSTRING(s, 4) = ''",
        "NOT IS_DEFINED(SUBSTRING(s, 5))",
        "NOT IS_DEFINED(SUBSTRING(s, -1))",
        "INDEX_OF(s, 'n') = 3",
        "INDEX_OF(s, 'x') = -1",
        "STARTS_WITH(s, 'Gr')",
        "ENDS_WITH(s, 'ün')",
        "CONTAINS(s, 'rü')",
    ] {
        let read = Condition::parse_as(condition, Dialect::Messages).expect(condition);
        assert!(read.selects(&row), "{condition}");
    }
}

#[test]
fn aggregates_take_what_they_can_and_leave_out_what_they_have_not() {
    let text = "SELECT SUM(version) AS sum, AVG(version) AS avg, MIN(deviceId) AS first, MAX(version) AS most, \
                SUM(tags.location) AS nothing, COUNT() AS n FROM devices";
    let expected = json!({ "sum": 8, "avg": 2.0, "first": "a", "most": 5, "n": 4 });
    assert_eq!(answer(text, &fleet()), [expected]);
    assert_eq!(answer(text, &[]), [json!({ "n": 0 })]);
    let grouped = "SELECT tags.location.region, MAX(version) AS v FROM devices WHERE status = 'enabled' GROUP BY \
                   tags.location.region";
    let expected = [json!({ "region": "US", "v": 2 }), json!({ "region": "DE", "v": 1 }), json!({ "v": 0 })];
    assert_eq!(answer(grouped, &fleet()), expected);
    assert_eq!(answer(grouped, &[]), [] as [Value; 0]);
}

#[test]
fn undefined_and_null_are_different_groups() {
    let rows = [json!({}), json!({ "tags": { "a": null } }), json!({ "tags": { "a": "null" } }), json!({})];
    let text = "SELECT tags.a, COUNT() AS n FROM devices GROUP BY tags.a";
    let expected = [json!({ "n": 2 }), json!({ "a": null, "n": 1 }), json!({ "a": "null", "n": 1 })];
    assert_eq!(answer(text, &rows), expected);
}

#[test]
fn top_stops_reading() {
    let read = Cell::new(0);
    let rows = fleet().into_iter().inspect(|_| read.set(read.get() + 1));
    let found = query("SELECT TOP 1 deviceId FROM devices WHERE status = 'disabled'").run(rows);
    assert_eq!(found.items, [json!({ "deviceId": "b" })]);
    assert_eq!(found.item_type, ItemType::Raw);
    assert_eq!(read.get(), 2);
}

#[test]
fn pages_put_together_are_the_whole_answer() {
    for text in [
        "SELECT * FROM devices",
        "SELECT TOP 3 deviceId FROM devices",
        "SELECT deviceId FROM devices WHERE status = 'enabled'",
        "SELECT TOP 3 deviceId, COUNT() AS n FROM devices GROUP BY deviceId",
        "SELECT deviceId FROM devices WHERE false",
    ] {
        let query = query(text);
        let whole = query.run(fleet()).items;
        for most in 1..=5 {
            let (mut items, mut next, mut pages) = (Vec::new(), Some(0), 0);
            while let Some(skip) = next {
                let page = query.page(fleet(), skip, most);
                assert!(page.items.len() <= most);
                items.extend(page.items);
                next = page.next;
                pages += 1;
            }
            assert_eq!(items, whole, "{text}");
            assert_eq!(pages, whole.len().div_ceil(most).max(1), "{text}: no empty page");
        }
    }
}

#[test]
fn names_that_are_no_words_stand_in_double_brackets() {
    let named = |text: &str| devices(&format!("SELECT * FROM devices WHERE {text}"), &fleet());
    assert_eq!(named("tags.[[odd name]] = 1"), ["b"]);
    assert_eq!(named("tags.[[battery-level]] = 7"), ["b"]);
    assert_eq!(named("TAGS.[[location]].[[region]] = 'DE'"), ["c"]);
    assert_eq!(
        answer("SELECT tags.[[odd name]] FROM devices WHERE deviceId = 'b'", &fleet()),
        [json!({ "odd name": 1 })]
    );
    // Keywords are names behind a dot.
    assert!(holds("tags.in IN [1] AND tags.from = 2", &json!({ "tags": { "in": 1, "from": 2 } })));
}

#[test]
fn what_is_not_the_language_is_refused_where_it_stands() {
    for (text, column, advice) in [
        ("", 1, "SELECT * FROM devices"),
        ("DELETE FROM devices", 1, "SELECT * FROM devices"),
        ("SELECT *", 9, "SELECT * FROM devices"),
        ("SELECT * FROM twins", 15, "devices.modules"),
        ("SELECT * FROM devices.twins", 23, "devices.modules"),
        ("SELECT * FROM devices d", 23, "does not belong"),
        ("SELECT * FROM devices WHERE", 28, "write a path"),
        ("SELECT * FROM devices WHERE status = enabled x", 46, "quotes"),
        ("SELECT * FROM devices WHERE status == 'a'", 37, "write a path"),
        ("SELECT * FROM devices WHERE status = 'a", 38, "close it"),
        ("SELECT * FROM devices WHERE status = 'a\\n'", 40, "twice"),
        ("SELECT * FROM devices WHERE (status = 'a'", 42, "close"),
        ("SELECT * FROM devices WHERE deviceId IN ('a')", 41, "brackets"),
        ("SELECT * FROM devices WHERE deviceId NOT IN ['a']", 38, "NIN"),
        ("SELECT * FROM devices WHERE tags['a'] = 1", 34, "tags.[[odd name]]"),
        ("SELECT * FROM devices WHERE tags.[[a] = 1", 34, "close it"),
        ("SELECT * FROM devices ORDER BY deviceId", 23, "sort"),
        ("SELECT DISTINCT deviceId FROM devices", 8, "GROUP BY"),
        ("SELECT * FROM devices WHERE deviceId LIKE 'a%'", 38, "LIKE"),
        ("SELECT * FROM devices;", 22, "leave it out"),
        ("SELECT TOP 0 * FROM devices", 12, "TOP 10"),
        ("SELECT deviceId, FROM devices", 18, "path"),
        ("SELECT COUNT() FROM devices", 16, "name"),
        ("SELECT COUNT(*) AS n FROM devices", 14, "COUNT()"),
        ("SELECT * FROM devices WHERE ü\u{1f600} = 1", 30, "quotes"),
        ("SELECT * FROM devices WHERE IS_DEFINED() = 1", 29, "takes"),
    ] {
        let error = error(text);
        assert_eq!((error.kind, error.column), (Kind::Syntax, column), "{text}: {error}");
        assert!(error.to_string().contains(advice), "{text}: {error}");
    }
}

#[test]
fn what_azure_does_not_allow_is_refused() {
    for text in [
        "SELECT deviceId FROM devices.jobs",
        "SELECT COUNT() AS n FROM devices.jobs",
        "SELECT * FROM devices GROUP BY status",
        "SELECT deviceId, COUNT() AS n FROM devices",
        "SELECT deviceId, COUNT() AS n FROM devices GROUP BY status",
        "SELECT tags.a, properties.reported.a FROM devices",
        "SELECT LENGTH(deviceId) AS n FROM devices",
        "SELECT * FROM devices WHERE LENGTH(deviceId) = 1",
        "SELECT * FROM devices WHERE COUNT() > 1",
        "SELECT * FROM devices WHERE NOW() > 1",
    ] {
        assert_eq!(error(text).kind, Kind::Refused, "{text}");
    }
}

#[test]
fn what_azure_has_and_this_cloud_has_not_is_named() {
    for (text, name) in [("'a' || 'b' = 'ab'", "||"), ("twin_change_includes(a)", "TWIN_CHANGE")] {
        let error = Condition::parse_as(text, Dialect::Messages).expect_err(text);
        assert_eq!(error.kind, Kind::Unsupported);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn system_properties_of_messages_may_stand_in_braces() {
    let read = |text| Condition::parse_as(text, Dialect::Messages);
    assert_eq!(read("{$to} = 'a'"), read("$to = 'a'"));
    assert_eq!(read("NOT IS_DEFINED( { $body.a[0] } )"), read("NOT IS_DEFINED($body.a[0])"));
    for (text, column) in [("{to} = 'a'", 2), ("{$to = 'a'", 6), ("$to} = 'a'", 4), ("{'a'}", 2), ("{", 2)] {
        assert_eq!(read(text).expect_err(text).column, column, "{text}");
    }
    assert_eq!(Condition::parse("{$to} = 'a'").expect_err("for twins").kind, Kind::Syntax);
}

#[test]
fn depth_and_length_are_bounded() {
    for (open, close) in [("(", ")"), ("NOT ", ""), ("-", ""), ("[", "]"), ("IS_DEFINED(", ")")] {
        let nested = |depth: usize| format!("{}true{}", open.repeat(depth), close.repeat(depth));
        assert!(Condition::parse(&nested(MAX_DEPTH)).is_ok(), "{open}");
        for depth in [MAX_DEPTH + 1, 10_000] {
            let error = Condition::parse(&nested(depth)).expect_err("too deep");
            assert_eq!(error.kind, Kind::TooLarge, "{open}");
        }
        assert!(Condition::parse(&open.repeat(10_000)).is_err());
    }
    let long = format!("deviceId IN [{}'a']", "'b', ".repeat(MAX_LENGTH / 5));
    assert_eq!(Condition::parse(&long).expect_err("too long").kind, Kind::TooLarge);
    // Long is not deep.
    let chain = format!("1{} > 0 {}", "+1".repeat(20_000), "AND true ".repeat(5_000));
    assert!(holds(&chain, &json!({})));
    assert!(!Condition::parse(&chain).expect("a condition").to_string().is_empty());
}

proptest! {
    #[test]
    fn whole_numbers_compare_as_numbers(left in any::<i64>(), right in any::<i64>()) {
        let row = json!({ "tags": { "n": left } });
        prop_assert_eq!(holds(&format!("tags.n < {right}"), &row), left < right);
        prop_assert_eq!(holds(&format!("tags.n = {right}"), &row), left == right);
        let itself = format!("tags.n = {left}");
        prop_assert!(holds(&itself, &row));
    }

    #[test]
    fn every_text_can_be_written(text in any::<String>()) {
        let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
        let read = holds(&format!("deviceId = '{escaped}'"), &json!({ "deviceId": text }));
        prop_assert!(read);
        prop_assert!(Query::parse(&text).is_err());
    }
}

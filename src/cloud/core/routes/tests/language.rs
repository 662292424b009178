//! Good and bad routes, each error with its column, and that printing and parsing agree.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{MAX_LENGTH, Origin, Route, Sink, Source};
use crate::cloud::core::query::MAX_DEPTH;
use crate::device::ModuleId;

fn module(name: &str) -> ModuleId {
    name.parse().expect("a module")
}

fn read(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_tutorial_s_routes_are_read() {
    let route = read(
        "FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO BrokeredEndpoint(\"/modules/filterModule/inputs/input1\")",
    );
    assert_eq!(route.source, Source::Output(module("tempSensor"), "temperatureOutput".to_owned()));
    assert_eq!(route.condition, None);
    assert_eq!(route.sink, Sink::Input { module: module("filterModule"), input: "input1".to_owned() });
    let route = read("FROM /messages/modules/filterModule/outputs/output1 INTO $upstream");
    assert_eq!(route.source, Source::Output(module("filterModule"), "output1".to_owned()));
    assert_eq!(route.sink, Sink::Upstream);
}

#[test]
fn good_routes_are_read_and_written_alike() {
    for (text, written) in [
        ("FROM /* INTO $upstream", "FROM /* INTO $upstream"),
        ("from /* into $UPSTREAM", "FROM /* INTO $upstream"),
        ("  FROM\t/messages/*\nINTO   $upstream  ", "FROM /messages/* INTO $upstream"),
        ("FROM /TwinChangeNotifications INTO $upstream", "FROM /twinChangeNotifications INTO $upstream"),
        ("FROM /messages/modules/* INTO $upstream", "FROM /messages/modules/* INTO $upstream"),
        ("FROM /messages/modules/a.b/* INTO $upstream", "FROM /messages/modules/a.b/* INTO $upstream"),
        (
            "FROM /messages/modules/m/outputs/* INTO $upstream",
            "FROM /messages/modules/m/outputs/* INTO $upstream",
        ),
        (
            "FROM /Messages/Modules/m/Outputs/o INTO $upstream",
            "FROM /messages/modules/m/outputs/o INTO $upstream",
        ),
        // Edge hub takes an endpoint without its first slash, with one more behind, and in any quotes.
        (
            "FROM /* INTO brokeredendpoint ( 'modules/m/inputs/i/' )",
            "FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/i\")",
        ),
        (
            "FROM /* WHERE MessageType = \"Alert\" INTO $upstream",
            "FROM /* WHERE MessageType = 'Alert' INTO $upstream",
        ),
        (
            "FROM /* WHERE $body.machine.temperature > 25 INTO $upstream",
            "FROM /* WHERE $body.machine.temperature > 25 INTO $upstream",
        ),
        // "Declare routes", condition.
        (
            "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO $upstream",
            "FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO $upstream",
        ),
        (
            "FROM /* WHERE {$contentType} = 'a' INTO $upstream",
            "FROM /* WHERE $contentType = 'a' INTO $upstream",
        ),
        // The word that ends a condition, where it does not.
        (
            "FROM /* WHERE a = ' into $upstream' INTO $upstream",
            "FROM /* WHERE a = ' into $upstream' INTO $upstream",
        ),
        ("FROM /* WHERE a = 'it\\'s INTO' INTO $upstream", "FROM /* WHERE a = 'it\\'s INTO' INTO $upstream"),
        (
            "FROM /* WHERE $body.into.[[a into b]] = intox INTO $upstream",
            "FROM /* WHERE $body.into.[[a into b]] = intox INTO $upstream",
        ),
        ("FROM /* WHERE (a)INTO $upstream", "FROM /* WHERE a INTO $upstream"),
        (
            "FROM /* WHERE a-into = $body.[[into]] INTO $upstream",
            "FROM /* WHERE a-into = $body.into INTO $upstream",
        ),
        ("FROM /* WHERE a /* INTO */ = 1 INTO $upstream", "FROM /* WHERE a = 1 INTO $upstream"),
        // `ID_CHARS` of Edge hub.
        (
            "FROM /* WHERE my-prop='x' AND $body.my-key>1 INTO $upstream",
            "FROM /* WHERE my-prop = 'x' AND $body.my-key > 1 INTO $upstream",
        ),
        (
            "FROM /* WHERE NOT IS_DEFINED($dt-subject) INTO $upstream",
            "FROM /* WHERE NOT IS_DEFINED($dt-subject) INTO $upstream",
        ),
        (
            "FROM /* WHERE 1st = a+b AND it's = a#b INTO $upstream",
            "FROM /* WHERE 1st = a+b AND it's = a#b INTO $upstream",
        ),
        (
            "FROM /* WHERE a.b-c IN [[[a-b]], [[a:b]], [[or]], [[1]], -1, .5] INTO $upstream",
            "FROM /* WHERE a.b-c IN [a-b, [[a:b]], [[or]], [[1]], -1, 0.5] INTO $upstream",
        ),
        ("FROM /* WHERE a - 1 > - $b-2 INTO $upstream", "FROM /* WHERE a - 1 > - $b-2 INTO $upstream"),
    ] {
        let route = read(text);
        assert_eq!(route.to_string(), written);
        assert_eq!(read(written), route);
    }
}

#[test]
fn every_error_names_its_column_and_what_was_expected() {
    for (text, column, words) in [
        ("", 1, "expected FROM, found the end"),
        ("SELECT * FROM /* INTO $upstream", 1, "expected FROM, found `SELECT`"),
        ("FROMX /* INTO $upstream", 1, "expected FROM"),
        ("FROM", 5, "expected a source, found the end"),
        ("FROM messages/* INTO $upstream", 6, "expected a source, found `messages/*`"),
        ("FROM / INTO $upstream", 7, "expected `*`, `messages` or `twinChangeNotifications`, found the end"),
        ("FROM /mesages/* INTO $upstream", 7, "found `mesages/*`"),
        ("FROM /messages INTO $upstream", 15, "expected `*` or `modules`, found the end of the source"),
        ("FROM /messages/devices/* INTO $upstream", 16, "expected `*` or `modules`, found `devices/*`"),
        ("FROM /messages/modules INTO $upstream", 23, "expected `/*` or `/` and a module"),
        ("FROM /messages/modules/ INTO $upstream", 24, "the module id is empty"),
        ("FROM /messages/modules/m\u{e4}/* INTO $upstream", 24, "expected a module"),
        ("FROM /messages/modules/m INTO $upstream", 25, "expected `*` or `outputs`, found the end"),
        (
            "FROM /messages/modules/m/inputs/i INTO $upstream",
            26,
            "expected `*` or `outputs`, found `inputs/i`",
        ),
        ("FROM /messages/modules/m/outputs INTO $upstream", 33, "expected `/*` or `/` and an output"),
        ("FROM /messages/modules/m/outputs/ INTO $upstream", 34, "expected the name of an output"),
        (
            "FROM /messages/modules/m/outputs/o/p INTO $upstream",
            36,
            "expected nothing behind the output, found `p`",
        ),
        ("FROM /messages/modules/*/outputs/o INTO $upstream", 26, "expected nothing behind `*`"),
        ("FROM /*/x INTO $upstream", 9, "expected nothing behind `*`, found `x`"),
        (
            "FROM /twinChangeNotifications/* INTO $upstream",
            31,
            "expected nothing behind `twinChangeNotifications`",
        ),
        ("FROM /*", 8, "expected WHERE or INTO, found the end"),
        ("FROM /* TO $upstream", 9, "expected WHERE or INTO, found `TO`"),
        ("FROM /* WHERE INTO $upstream", 15, "expected a condition, found `INTO`"),
        ("FROM /* WHERE * INTO $upstream", 15, "expected a condition, found `*`"),
        ("FROM /* WHERE FROM devices WHERE a INTO $upstream", 15, "expected a condition"),
        ("FROM /* WHERE a = 1", 20, "expected INTO, found the end"),
        ("FROM /* WHERE a = INTO $upstream", 19, "expected a path or a value, found `INTO`"),
        ("FROM /* WHERE a = 1 AND  into $upstream", 26, "expected a path or a value, found `into`"),
        ("FROM /* WHERE (a = 1 INTO $upstream", 22, "expected `)`, found `INTO`"),
        ("FROM /* WHERE a =", 18, "expected a path or a value, found the end"),
        ("FROM /* WHERE a = 1 b INTO $upstream", 21, "expected an operator or INTO, found `b`"),
        // The advice is for messages, which have no tags.
        ("FROM /* WHERE a = INTO $upstream", 19, "write $body.machine.temperature, the name of"),
        ("FROM /* WHERE a IN (1) INTO $upstream", 20, "$contentType IN ['a', 'b']"),
        ("FROM /* WHERE $body.a[x] INTO $upstream", 23, "names go behind a dot: $body.[[odd name]]"),
        ("FROM /* WHERE a@b INTO $upstream", 16, "double brackets: `[[a:b]]`, `$body.[[a:b]]`"),
        ("FROM /* WHERE a!='x' INTO $upstream", 16, "put a space in front of `!=`"),
        ("FROM /* WHERE $body.a!=1 INTO $upstream", 22, "put a space in front of `!=`"),
        ("FROM /* WHERE a = 'x'AND b INTO $upstream", 22, "put a space behind the text"),
        ("FROM /* WHERE !a INTO $upstream", 15, "write AND, OR, NOT as words"),
        ("FROM /* WHERE a && b INTO $upstream", 17, "write AND, OR, NOT as words"),
        ("FROM /* WHERE a||b INTO $upstream", 16, "`||` is not supported"),
        ("FROM /* WHERE a -1 > 0 INTO $upstream", 17, "expected an operator or INTO, found the number -1"),
        ("FROM /* WHERE $body['a'] = 1 INTO $upstream", 21, "names go behind a dot: $body.[[odd name]]"),
        ("FROM /* WHERE $twin.tags.a = 1 INTO $upstream", 15, "`$twin` is not supported in routes"),
        ("FROM /* WHERE a = \u{2018}x\u{2019} INTO $upstream", 19, "straight quotes"),
        ("FROM /* WHERE a = 'x INTO $upstream", 19, ""),
        ("FROM /* WHERE a = 'x' || 'y' INTO $upstream", 23, "`||` is not supported"),
        ("FROM /* WHERE \u{e4} = ? INTO $upstream", 19, "means nothing here"),
        ("FROM /* WHERE nothing(a) INTO $upstream", 15, "no function `NOTHING`"),
        ("FROM /* INTO", 13, "expected a sink, found the end"),
        ("FROM /* INTO $downstream", 14, "expected a sink, found `$downstream`"),
        ("FROM /* INTO $upstream $upstream", 24, "expected the end of the route"),
        ("FROM /* INTO $upstream;", 14, "expected a sink, found `$upstream;`"),
        ("FROM /* INTO BrokeredEndpoint", 30, "expected `(`, found the end"),
        ("FROM /* INTO BrokeredEndpoint(/modules/m/inputs/i)", 31, "expected a text in quotes"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/i)", 31, "expected `\"` at the end of the text"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/i\"", 52, "expected `)`, found the end"),
        ("FROM /* INTO BrokeredEndpoint(\"\")", 32, "expected `modules`"),
        ("FROM /* INTO BrokeredEndpoint(\"/devices/m/inputs/i\")", 33, "expected `modules`"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules//inputs/i\")", 41, "the module id is empty"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/outputs/i\")", 43, "expected `inputs`"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs\")", 49, "expected the name of an input"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/i/j\")", 51, "expected nothing behind the input"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/a b\")", 51, "cannot have the character ' '"),
        ("FROM /* INTO BrokeredEndpoint(\"/modules/m/inputs/a#\")", 51, "cannot have the character '#'"),
    ] {
        let error = text.parse::<Route>().expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let nested =
        |depth: usize| format!("FROM /* WHERE {}a{} INTO $upstream", "(".repeat(depth), ")".repeat(depth));
    assert!(nested(MAX_DEPTH).parse::<Route>().is_ok());
    let error = nested(MAX_DEPTH + 1).parse::<Route>().expect_err("too deep");
    assert_eq!(error.column, 16 + MAX_DEPTH, "{error}");
    let long = format!("FROM /* WHERE a = '{}' INTO $upstream", "x".repeat(MAX_LENGTH));
    assert_eq!(long.parse::<Route>().expect_err("too long").column, 1);
    let name = "n".repeat(129);
    let error = format!("FROM /messages/modules/m/outputs/{name} INTO $upstream").parse::<Route>();
    assert_eq!(error.expect_err("too long").column, 34);
}

#[test]
fn sources_take_what_the_documentation_says() {
    let message = |name: &str, output: Option<&str>| Origin::Message {
        module: module(name),
        output: output.map(str::to_owned),
    };
    let twin = Origin::TwinChange { module: module("a") };
    let origins = [message("a", None), message("a", Some("o")), message("b", Some("o")), twin];
    for (source, takes) in [
        ("/*", [true, true, true, true]),
        ("/twinChangeNotifications", [false, false, false, true]),
        ("/messages/*", [true, true, true, false]),
        ("/messages/modules/*", [true, true, true, false]),
        ("/messages/modules/A/*", [true, true, false, false]),
        ("/messages/modules/a/outputs/*", [false, true, false, false]),
        ("/messages/modules/a/outputs/O", [false, true, false, false]),
        ("/messages/modules/a/outputs/x", [false, false, false, false]),
    ] {
        let route = read(&format!("FROM {source} INTO $upstream"));
        assert_eq!(origins.each_ref().map(|origin| route.source.takes(origin)), takes, "{source}");
    }
}

fn name() -> impl Strategy<Value = ModuleId> {
    let text = "[a-zA-Z0-9$:.+%_#?!(),=@;'-]{1,12}";
    // Names that are a step in a path are none of a module.
    let is_name = |text: &String| text != "." && text != "..";
    text.prop_filter("a name", is_name).prop_map(|text| text.parse().expect("a module"))
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Everything),
        Just(Source::TwinChanges),
        Just(Source::Messages),
        Just(Source::Modules),
        name().prop_map(Source::Module),
        name().prop_map(Source::Outputs),
        (name(), "[a-z0-9:_é-]{1,9}").prop_map(|(module, output)| Source::Output(module, output)),
    ]
}

fn sink() -> impl Strategy<Value = Sink> {
    prop_oneof![
        Just(Sink::Upstream),
        (name(), "[a-z0-9:_é-]{1,9}").prop_map(|(module, input)| Sink::Input { module, input }),
    ]
}

/// Conditions as text, with what could be taken for the end of one.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["true", "into_", "$body.into", "{$contentType}", "$body.a[1].b", "-2.5", "x.[[ into ]]"])
            .prop_map(str::to_owned),
        select(vec![
            "a-into",
            "$dt-subject",
            "1st",
            "1.5x",
            "a+b",
            "-a",
            "- a",
            "[[into]]",
            "[[-]]",
            "[[1]].5"
        ])
        .prop_map(str::to_owned),
        "\\$body(\\.[a-z0-9#+%*'-]{0,3}[a-z]){1,3}",
        "'[a-z \"é]{0,4} into [a-z]{0,3}'",
        "[a-h]{1,5}",
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let operators = select(vec!["=", "!=", "<", ">=", "AND", "or", "+", "*"]);
        prop_oneof![
            (inner.clone(), operators, inner.clone())
                .prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            inner.clone().prop_map(|a| format!("(NOT {a})")),
            inner.clone().prop_map(|a| format!("is_defined({a})")),
            proptest::collection::vec(inner, 0..3).prop_map(|all| format!("(a IN [{}])", all.join(", "))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        source in source(),
        condition in proptest::option::of(condition()),
        sink in sink(),
        space in select(vec![" ", "  ", "\n\t"]),
    ) {
        let middle = condition.map(|text| format!("{space}where{space}{text}")).unwrap_or_default();
        let text = format!("from{space}{source}{middle}{space}into{space}{sink}");
        let route: Route = text.parse().expect("a route");
        prop_assert_eq!((&route.source, &route.sink), (&source, &sink));
        prop_assert_eq!(route.to_string().parse(), Ok(route));
    }

    #[test]
    fn anything_is_read_or_refused_within_its_length(
        text in prop_oneof![any::<String>(), "(FROM|WHERE|INTO|/|\\*|messages|modules|\\$upstream|\\(|'|\"| ){0,20}"],
    ) {
        for text in [text.clone(), format!("FROM /* WHERE {text} INTO $upstream"), format!("FROM /* INTO {text}")] {
            match text.parse::<Route>() {
                Ok(route) => prop_assert_eq!(route.to_string().parse(), Ok(route)),
                Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.column), "{}", error),
            }
        }
    }
}

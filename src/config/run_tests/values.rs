//! Values: their bounds, and which level of settings has the last word.

use super::*;

#[test]
fn values_are_taken_at_their_bounds_and_refused_beyond() {
    let good: &[(&str, &str)] = &[
        ("mqtt-port", "1"),
        ("mqtt-port", "65535"),
        ("interval", "10ms"),
        ("interval", "5"),
        ("keep-alive", "1s"),
        ("keep-alive", "1177s"),
        ("sas-ttl", "1s"),
        ("sas-ttl", "365d"),
        ("seed", "0"),
        ("seed", "18446744073709551615"),
        ("time-scale", "0.001"),
        ("time-scale", "1000000"),
        ("format", "quiet"),
        ("for", "1ms"),
        ("count", "1"),
        ("profile", "reboot, firmware"),
        ("device-id", "a, b,c"),
        ("ca", "ca.pem"),
        ("verbose", "2"),
    ];
    for (option, text) in good {
        resolve(&[(option, text)], &[], "").unwrap_or_else(|error| panic!("{option}={text}: {error}"));
    }
    let bad: &[(&str, &str, &str)] = &[
        ("mqtt-port", "0", "a whole number from 1 to 65535"),
        ("mqtt-port", "65536", "a whole number from 1 to 65535"),
        ("mqtt-port", "mqtt", "`mqtt` is not a port"),
        ("interval", "9ms", "too short, the least is 10ms"),
        ("interval", "0", "too short"),
        ("interval", "25h", "too long, the most is 1d"),
        ("interval", "soon", "`soon` is not a time: write it like `2s`"),
        ("keep-alive", "999ms", "too short, the least is 1s"),
        ("keep-alive", "1178s", "too long, the most is 1177s"),
        ("sas-ttl", "500ms", "too short"),
        ("seed", "-1", "a whole number from 0"),
        ("seed", "0x10", "not a seed"),
        ("time-scale", "0", "0.001"),
        ("time-scale", "NaN", "0.001"),
        ("reboot-style", "drop", "`drop` is no way to reboot: hold (keeps the link) or link (drops it)"),
        ("format", "yaml", "text, json or quiet"),
        ("for", "0s", "too short"),
        ("count", "0", "from 1"),
        ("profile", "enviroment", "did you mean `environment`?"),
        ("profile", "reboot,reboot", "twice"),
        ("profile", "reboot,,firmware", "empty name"),
        ("profile", "edge-filter,reboot", "goes with no other profile"),
        ("edge-forward", "some", "alerts or all"),
        ("device-id", "a,,b", "has an empty name between its commas"),
        ("device-id", "a,b,", "has an empty name between its commas"),
        ("device-id", "a,b,a", "names the device `a` twice"),
        (
            "device-id",
            "a,b,A",
            "names the devices `a` and `A`, which differ in case only: case does not matter",
        ),
        ("device-id", "a'b", r#"the registration id `a'b` has the character "'","#),
        ("device-id", "a\tb", r"the registration id `a\tb` has the character '\t',"),
        ("device-id", "a,b/c", "the registration id `b/c` has the character '/'"),
        ("ca", "none.pem", "cannot read none.pem: there is no such file"),
        ("ca", "k", "--ca: k holds no certificate in PEM form"),
        ("device-id", "a/b", "the registration id `a/b` has the character '/'"),
    ];
    for (option, text, expected) in bad {
        let error = resolve(&[(option, text)], &[], "").expect_err(text);
        assert!(error.starts_with(&format!("--{option}: ")) && error.contains(expected), "{error}");
    }
}

#[test]
fn the_higher_level_wins_for_every_value() {
    let file = "reboot-style = 'link'\ninterval = '3s'\nseed = 3\nformat = 'json'\nheadless = true\ncount = 3\nfor = '3s'";
    let config = resolve(&[("interval", "1s"), ("seed", "1")], &[], file).expect("a configuration");
    assert_eq!((config.interval, config.seed), (Duration::from_secs(1), Some(1)));
    assert_eq!((config.format, config.headless, config.count), (Format::Json, true, Some(3)));
    assert_eq!((config.run_for, config.reboot_style), (Some(Duration::from_secs(3)), RestartStyle::Link));
}

//! What `envsim run` is told to do, in tables: what is given, and what comes of it.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::*;
use crate::config::DeviceKey;
use crate::device::{DeviceId, ModuleId, RegistrationId};

const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const K2: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eDf3t3c29rZ2NfW1dTT0tHQz87NzMvKycjHxsXEw8LBwA==";
const DIRECT: &str = "HostName=h.azure-devices.net;DeviceId=dev-7;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SERVICE: &str =
    "HostName=h;SharedAccessKeyName=service;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PROFILES: &[&str] = &["environment", "reboot", "firmware", "module", "edge-filter"];

const SCOPE: &str = "IOTHUB_DEVICE_DPS_ID_SCOPE";
const DEVICE_ID: &str = "IOTHUB_DEVICE_DPS_DEVICE_ID";
const KEY: &str = "IOTHUB_DEVICE_DPS_DEVICE_KEY";
const GROUP: &str = "ENVSIM_GROUP_KEY";
const HOST: &str = "IOTHUB_DEVICE_DPS_ENDPOINT";
const STRING: &str = "IOTHUB_DEVICE_CONNECTION_STRING";

const OPERATOR: &str = "IOTHUB_CONNECTION_STRING";

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// Resolves what is given as options, variables and lines of a file.
fn resolve(options: Pairs<'_>, variables: Pairs<'_>, file: &str) -> Result<RunConfig, String> {
    let options = Layer::from_options(
        RUN,
        options.iter().map(|(name, text)| {
            let row = RUN.iter().find(|row| row.option == Some(name)).expect("an option");
            (row.setting, Some((*text).to_owned()))
        }),
    );
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let mut environment =
        Layer::from_environment(RUN, |name| variables.get(name).map(Into::into)).expect("text");
    if !file.is_empty() {
        let origin = Origin::Variable("ENVSIM_CONFIG");
        environment.insert(Setting::Config, Given { text: "envsim.toml".to_owned(), origin });
    }
    let read = |path: &Path| -> io::Result<Vec<u8>> {
        let text = match path.to_str() {
            Some("envsim.toml") => file,
            Some("k") => &format!("{K1}\r\n"),
            Some("c") => &format!("{DIRECT}\n"),
            Some("empty") => "\n",
            Some("ca.pem") => "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(text.as_bytes().to_vec())
    };
    let compose = |names: &[&str]| match names {
        ["module", ..] => Ok(Sitting::Module),
        ["edge-filter"] => Ok(Sitting::Edge),
        ["edge-filter", ..] => Err("`edge-filter` goes with no other profile".to_owned()),
        _ => Ok(Sitting::Device),
    };
    let profiles = Profiles { names: PROFILES, compose: &compose };
    RunConfig::read(options, environment, &profiles, &read).map_err(|error| error.to_string())
}

/// Where it goes, in one line: scope, device, kind of key; or hub and device.
fn target(config: &RunConfig) -> String {
    let list =
        |devices: &[RegistrationId]| devices.iter().map(RegistrationId::as_str).collect::<Vec<_>>().join("+");
    match &config.target {
        Target::Local { devices } => format!("local {}", list(devices)),
        Target::Dps { host, scope, devices, key } => {
            let registration = list(devices);
            let key = match key {
                DeviceKey::Device(key) => format!("key {}", key.fingerprint()),
                DeviceKey::Group(key) => format!("group {}", key.fingerprint()),
            };
            format!("{} {scope} {registration} {key}", host.url())
        }
        Target::Direct(string) => format!("direct {string:?}"),
        Target::Registry { hub, device, module } => {
            let hub = hub.as_ref().map_or("local".to_owned(), ToString::to_string);
            let device = device.as_ref().map_or("-", DeviceId::as_str);
            format!("registry of {hub} {device} {}", module.as_ref().map_or("-", ModuleId::as_str))
        }
    }
}

#[test]
fn nothing_given_is_the_local_cloud_with_the_documented_defaults() {
    let config = resolve(&[], &[], "").expect("a configuration");
    assert_eq!(target(&config), "local env-sensor-01");
    assert_eq!((config.mqtt_port, config.headless, config.format), (8883, false, Format::Text));
    assert_eq!(config.profiles, ["environment"]);
    assert_eq!(config.interval, Duration::from_secs(2));
    assert_eq!(config.keep_alive, Duration::from_secs(60));
    assert_eq!(config.sas_ttl, Duration::from_secs(3600));
    assert_eq!((config.time_scale, config.reboot_style), (TimeScale::ONE, RestartStyle::Held));
    assert_eq!((config.seed, config.run_for, config.count), (None, None, None));
    assert_eq!(config.logging, Logging::default());
}

#[test]
fn where_a_device_goes_follows_from_what_is_given() {
    const GLOBAL: &str = "https://global.azure-devices-provisioning.net";
    let k1 = format!("{GLOBAL} 0neA d key 630dcd29");
    let rows: &[(Pairs<'_>, Pairs<'_>, &str, &str)] = &[
        (&[("device-id", "d")], &[], "", "local d"),
        (&[], &[(DEVICE_ID, "e")], "", "local e"),
        (&[("device-id", "d")], &[(DEVICE_ID, "e")], "device-id = 'f'", "local d"),
        (&[], &[], "device-id = 'f'", "local f"),
        (&[("id-scope", "0neA"), ("device-id", "d"), ("key", K1)], &[], "", &k1),
        (&[], &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K1)], "", &k1),
        (&[], &[], &format!("id-scope='0neA'\ndevice-id='d'\nkey='{K1}'"), &k1),
        (&[("key-file", "k")], &[(SCOPE, "0neA"), (DEVICE_ID, "d")], "", &k1),
        // Across levels the higher one wins, group key and device key alike.
        (&[("key", K1)], &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (GROUP, K2)], "", &k1),
        (&[("key-file", "k")], &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K2)], "", &k1),
        (&[("device-id", "d")], &[(SCOPE, "0neA"), (KEY, K1)], &format!("group-key = '{K2}'"), &k1),
        (
            &[("group-key", K1)],
            &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K2)],
            "",
            &format!("{GLOBAL} 0neA d group 630dcd29"),
        ),
        (
            &[("provisioning-host", "https://localhost:8443")],
            &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K1), (HOST, "other")],
            "",
            "https://localhost:8443 0neA d key 630dcd29",
        ),
        (
            &[],
            &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K1), (HOST, "dps.example")],
            "",
            "https://dps.example 0neA d key 630dcd29",
        ),
        // Several devices.
        (&[("device-id", "a,b")], &[], "", "local a+b"),
        (&[], &[], "device-id = ['a', 'b']", "local a+b"),
        (
            &[("device-id", "a,b"), ("group-key", K1)],
            &[(SCOPE, "0neA")],
            "",
            &format!("{GLOBAL} 0neA a+b group 630dcd29"),
        ),
        // A scope above a connection string, and the other way round.
        (&[("id-scope", "0neA"), ("device-id", "d"), ("key", K1)], &[(STRING, DIRECT)], "", &k1),
    ];
    for (options, variables, file, expected) in rows {
        let config = resolve(options, variables, file).unwrap_or_else(|error| panic!("{expected}: {error}"));
        assert_eq!(&target(&config), expected);
    }
}

#[test]
fn a_connection_string_goes_straight_to_the_hub() {
    let usual: Pairs<'_> = &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K2)];
    let rows: &[(Pairs<'_>, Pairs<'_>, &str)] = &[
        (&[("connection-string", DIRECT)], &[], ""),
        (&[("connection-string-file", "c")], &[], ""),
        (&[], &[(STRING, DIRECT)], ""),
        (&[], &[], &format!("connection-string = '{DIRECT}'")),
        (&[("connection-string", DIRECT)], usual, ""),
        (&[("connection-string", DIRECT), ("device-id", "dev-7")], &[], ""),
        (&[], &[(STRING, DIRECT)], "id-scope = '0neA'"),
    ];
    for (options, variables, file) in rows {
        let config = resolve(options, variables, file).expect("a configuration");
        assert!(target(&config).contains("dev-7"), "{}", target(&config));
        assert!(!format!("{config:?}").contains(K1));
    }
}

#[test]
fn what_is_missing_is_named_with_every_way_to_give_it() {
    let rows: &[(Pairs<'_>, Pairs<'_>, &str, &[&str])] = &[
        (
            &[("id-scope", "0neA")],
            &[],
            "",
            &[
                "--id-scope is given",
                "--device-id",
                DEVICE_ID,
                "--key ",
                KEY,
                "--key-file",
                "--group-key",
                GROUP,
            ],
        ),
        (&[("id-scope", "0neA"), ("device-id", "d")], &[], "", &["no key", "--key ", KEY, GROUP]),
        (&[("id-scope", "0neA"), ("key", K1)], &[], "", &["no device id", "--device-id", DEVICE_ID]),
        (&[], &[(SCOPE, "0neA")], "", &["the variable IOTHUB_DEVICE_DPS_ID_SCOPE is given", "neither"]),
        (&[("key", K1)], &[], "", &["--key is given", "no ID scope", "--id-scope", SCOPE]),
        (&[("key-file", "k")], &[], "", &["--key-file is given", SCOPE]),
        (&[], &[(GROUP, K1)], "", &["ENVSIM_GROUP_KEY is given", "--id-scope"]),
        (&[], &[(KEY, K1), (DEVICE_ID, "d")], "", &[KEY, "--id-scope"]),
        (&[], &[(HOST, "h")], "", &[HOST, "--id-scope"]),
        (&[], &[], &format!("key = '{K1}'"), &["envsim.toml, line 1: `key` is given", SCOPE]),
    ];
    for (options, variables, file, expected) in rows {
        let error = resolve(options, variables, file).expect_err("an error");
        for part in *expected {
            assert!(error.contains(part), "{error}\nlacks {part}");
        }
    }
}

#[test]
fn what_excludes_each_other_is_an_error_on_one_level() {
    let scope = ("id-scope", "0neA");
    let rows: &[(Pairs<'_>, Pairs<'_>, &[&str])] = &[
        (&[scope, ("device-id", "d"), ("key", K1), ("group-key", K2)], &[], &["--key and --group-key"]),
        (&[scope, ("device-id", "d"), ("key", K1), ("key-file", "k")], &[], &["--key and --key-file"]),
        (&[], &[(SCOPE, "0neA"), (DEVICE_ID, "d"), (KEY, K1), (GROUP, K1)], &[KEY, GROUP, "exclude"]),
        (&[scope, ("connection-string", DIRECT)], &[], &["--id-scope and --connection-string"]),
        (&[], &[(SCOPE, "0neA"), (STRING, DIRECT)], &[SCOPE, STRING, "exclude"]),
        (&[("connection-string", DIRECT), ("connection-string-file", "c")], &[], &["-file exclude"]),
        (&[("connection-string", DIRECT), ("key", K1)], &[], &["--connection-string and --key"]),
        (&[("key", K1)], &[(STRING, DIRECT)], &[STRING, "--key exclude"]),
        (&[("connection-string", DIRECT), ("device-id", "x")], &[], &["another device's"]),
        (&[("connection-string", DIRECT), ("device-id", "dev-7,b")], &[], &["one device's"]),
        (&[scope, ("device-id", "a,b"), ("key", K1)], &[], &["--device-id and --key ", "enrolment group's"]),
        (&[("connection-string", SERVICE)], &[], &["back end's", "envsim hub"]),
    ];
    for (options, variables, expected) in rows {
        let error = resolve(options, variables, "").expect_err("an error");
        for part in *expected {
            assert!(error.contains(part), "{error}\nlacks {part}");
        }
        assert!(!error.contains(&K1[..12]) && !error.contains(&K2[..12]), "{error}");
    }
}

#[test]
fn modules_are_made_in_the_local_cloud_or_where_a_service_points() {
    const LOCAL_SERVICE: &str = "HostName=localhost:8443;SharedAccessKeyName=s;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let module = ("profile", "module");
    // What `envsim cloud --env` sets.
    let cloud: Pairs<'_> = &[(SCOPE, "0neA"), (HOST, "h"), (GROUP, K1), (OPERATOR, LOCAL_SERVICE)];
    let rows: &[(Pairs<'_>, Pairs<'_>, &str)] = &[
        (&[module], &[], "registry of local - -"),
        (&[module, ("device-id", "d"), ("module-id", "m")], &[], "registry of local d m"),
        (&[module], &[(OPERATOR, SERVICE)], "registry of h - -"),
        (&[module], cloud, "registry of localhost:8443 - -"),
        (&[("profile", "edge-filter")], &[], "registry of local - -"),
        (&[("profile", "edge-filter"), ("device-id", "e")], cloud, "registry of localhost:8443 e -"),
    ];
    for (options, variables, expected) in rows {
        let config = resolve(options, variables, "").unwrap_or_else(|error| panic!("{expected}: {error}"));
        assert_eq!(&target(&config), expected);
        assert_eq!(config.service.is_some(), !expected.contains("local -") && !expected.contains("local d"));
    }
    let direct = &format!("{DIRECT};ModuleId=m");
    for options in [&[module, ("connection-string", direct)][..], &[("connection-string", direct)]] {
        assert!(target(&resolve(options, &[], "").expect("a configuration")).contains("dev-7"));
    }
}

#[test]
fn what_modules_cannot_be_given_is_refused_in_words() {
    const AZURE: &str = "HostName=h.azure-devices.net;SharedAccessKeyName=s;SharedAccessKey=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let (module, edge) = (("profile", "module"), ("profile", "edge-filter"));
    let direct = &format!("{DIRECT};ModuleId=m");
    let rows: &[(Pairs<'_>, Pairs<'_>, &[&str])] = &[
        (&[("module-id", "m")], &[], &["--module-id is given", "add `module` to --profile"]),
        (&[edge, ("module-id", "m")], &[], &["--module-id: ", "named by its deployment"]),
        (&[module, ("connection-string", DIRECT)], &[], &["is a device's", "ModuleId"]),
        (&[module, ("connection-string", direct), ("module-id", "n")], &[], &["another module's"]),
        (&[module, ("connection-string", direct), ("connection-string-file", "c")], &[], &["-file exclude"]),
        (&[module, ("id-scope", "0neA")], &[(OPERATOR, SERVICE)], &["--id-scope: is for devices"]),
        (&[module], &[(SCOPE, "0neA")], &[SCOPE, "registry", "IOTHUB_CONNECTION_STRING"]),
        (&[module], &[(GROUP, K1)], &[GROUP, "registry"]),
        (&[edge, ("connection-string", direct)], &[], &["--connection-string: is for devices"]),
        (&[edge, ("device-id", "a,b")], &[], &["--device-id: names several devices"]),
        (&[module], &[(OPERATOR, DIRECT)], &["IOTHUB_CONNECTION_STRING", "is a device's"]),
        (&[edge], &[(OPERATOR, AZURE)], &["IOTHUB_CONNECTION_STRING", "does not route", "Edge runtime"]),
    ];
    for (options, variables, expected) in rows {
        let error = resolve(options, variables, "").expect_err("an error");
        for part in *expected {
            assert!(error.contains(part), "{error}\nlacks {part}");
        }
        assert!(!error.contains(&K1[..12]), "{error}");
    }
    assert!(resolve(&[module], &[(OPERATOR, AZURE)], "").is_ok());
}

#[test]
fn whatever_is_given_but_empty_is_an_error() {
    for row in RUN {
        if let Some(option) = row.option {
            let error = resolve(&[(option, "")], &[], "").expect_err(option);
            assert_eq!(error, format!("--{option} is empty; give it a value or leave it out"));
        }
        if let Some(variable) = row.variable {
            for text in ["", "  "] {
                let error = resolve(&[], &[(variable, text)], "").expect_err(variable);
                assert_eq!(
                    error,
                    format!("the variable {variable} is empty; give it a value or leave it out")
                );
            }
        }
    }
    let error = resolve(&[], &[], "seed = 1\nid-scope = ''").expect_err("an error");
    assert!(error.starts_with("envsim.toml, line 2: `id-scope` is empty"), "{error}");
    // Even where a higher level would have won: the script that left it empty meant something.
    assert!(resolve(&[("device-id", "d")], &[(DEVICE_ID, "")], "").is_err());
}

#[test]
fn an_option_that_no_profile_makes_use_of_is_refused_and_a_line_of_a_shared_file_is_not() {
    for (option, text, wanted, users) in [
        ("edge-forward", "all", "edge-filter", "edge-filter"),
        ("reboot-style", "link", "reboot", "reboot or firmware"),
        ("reboot-style", "hold", "environment,firmware", "reboot or firmware"),
        ("firmware-dir", "images", "firmware", "firmware"),
    ] {
        assert_eq!(
            resolve(&[(option, text)], &[], "").expect_err(option),
            format!(
                "--{option} is given, but no profile that makes use of it: choose {users} with --profile, or \
                 leave it out"
            )
        );
        resolve(&[(option, text), ("profile", wanted)], &[], "").expect(option);
        resolve(&[], &[], &format!("{option} = '{text}'")).expect(option);
        resolve(&[(option, text)], &[], &format!("profile = '{wanted}'")).expect(option);
    }
}

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
        ("device-id", "a,b,A", "names the device `A` twice"),
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
fn a_secret_in_the_wrong_place_is_not_repeated() {
    let token = "SharedAccessSignature sr=h&sig=AAECAwQFBgcICQoL&se=1";
    for option in RUN.iter().filter_map(|row| row.option).filter(|option| *option != "headless") {
        for secret in [K1, K2, DIRECT, token] {
            let with_scope: Pairs<'_> =
                &[("id-scope", "0neA"), ("device-id", "d"), ("key", K1), (option, secret)];
            for options in [&with_scope[3..], with_scope] {
                if let Err(error) = resolve(options, &[], "") {
                    for part in [&K1[..12], &K2[..12], "sig="] {
                        assert!(!error.contains(part), "--{option}: {error}");
                    }
                }
            }
        }
    }
}

#[test]
fn bad_keys_and_their_files_are_explained() {
    let rows: &[(Pairs<'_>, &str)] = &[
        (&[("key", "not base64!")], "--key: is not base64"),
        (&[("key", "AAEC")], "--key: holds 3 bytes, a key has 16 to 64"),
        (&[("key", DIRECT)], "a whole connection string, not a key"),
        (&[("group-key", "x")], "--group-key: is not base64"),
        (&[("key-file", "none")], "--key-file: cannot read none: there is no such file"),
        (&[("key-file", "empty")], "--key-file: the file is empty"),
        (&[("key-file", K1)], "looks like a key itself"),
    ];
    for (options, expected) in rows {
        let all: Vec<_> =
            [("id-scope", "0neA"), ("device-id", "d")].into_iter().chain(options.iter().copied()).collect();
        let error = resolve(&all, &[], "").expect_err(expected);
        assert!(error.contains(expected), "{error}\nlacks {expected}");
    }
    let error = resolve(&[("connection-string", "HostName=h;DeviceId=d")], &[], "").expect_err("an error");
    assert_eq!(error, "--connection-string: has no `SharedAccessKey`");
}

#[test]
fn the_higher_level_wins_for_every_value() {
    let file = "reboot-style = 'link'\ninterval = '3s'\nseed = 3\nformat = 'json'\nheadless = true\ncount = 3\nfor = '3s'";
    let config = resolve(&[("interval", "1s"), ("seed", "1")], &[], file).expect("a configuration");
    assert_eq!((config.interval, config.seed), (Duration::from_secs(1), Some(1)));
    assert_eq!((config.format, config.headless, config.count), (Format::Json, true, Some(3)));
    assert_eq!((config.run_for, config.reboot_style), (Some(Duration::from_secs(3)), RestartStyle::Link));
}

#[test]
fn a_missing_or_broken_file_is_an_error() {
    let error = resolve(&[("config", "none.toml")], &[], "").expect_err("an error");
    assert_eq!(error, "--config: cannot read none.toml: there is no such file");
    let error = resolve(&[], &[], "seed = 1\nintervall = '2s'").expect_err("an error");
    assert_eq!(error, "envsim.toml, line 2: unknown option `intervall`, did you mean `interval`?");
}

//! What is missing, excludes each other, or cannot be read, in words that help.

use super::*;

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
fn a_missing_or_broken_file_is_an_error() {
    let error = resolve(&[("config", "none.toml")], &[], "").expect_err("an error");
    assert_eq!(error, "--config: cannot read none.toml: there is no such file");
    let error = resolve(&[], &[], "seed = 1\nintervall = '2s'").expect_err("an error");
    assert_eq!(error, "envsim.toml, line 2: unknown option `intervall`, did you mean `interval`?");
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
    // The default profile makes use of this one.
    let count = |profile| resolve(&[("count", "3"), ("profile", profile)], &[], "");
    let error = count("reboot,firmware").expect_err("nothing would ever be acknowledged");
    assert!(error.contains("choose environment or module or edge-filter with --profile"), "{error}");
    count("reboot,environment").expect("one of them has telemetry");
}

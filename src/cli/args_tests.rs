//! The command line against its contract.

use std::time::Duration;

use clap::CommandFactory as _;

use super::*;
use crate::cli::cloud_args::OutputFormat;
use crate::cli::hub::Verb;
use crate::cli::hub::faults::{DropArgs, FaultsVerb};
use crate::cli::hub::twin::TwinVerb;
use crate::config::Setting;
use crate::config::setting::{HUB, RUN, Row};
use crate::profiles::CATALOG;

fn words(line: &str) -> impl Iterator<Item = OsString> {
    std::iter::once("envsim")
        .chain(line.split_whitespace())
        .map(OsString::from)
        .collect::<Vec<_>>()
        .into_iter()
}

#[track_caller]
fn command(line: &str) -> Command {
    read(words(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[track_caller]
fn refused(line: &str) -> String {
    let error = read(words(line)).expect_err(line);
    assert!(error.use_stderr(), "{line}");
    error.to_string()
}

fn help(line: &str) -> String {
    let error = read(words(line)).expect_err("help");
    assert!(!error.use_stderr());
    error.to_string()
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_option_of_run_is_taken_with_and_without_the_word() {
    for row in RUN {
        let Some(option) = row.option else { continue };
        let line = match row.setting {
            Setting::Headless | Setting::Verbose => format!("--{option}"),
            _ => format!("--{option} x"),
        };
        for line in [line.clone(), format!("run {line}")] {
            let Command::Run(args) = command(&line) else { panic!("{line}") };
            let layer = args.into_layer();
            assert!(layer.get(row.setting).is_some(), "{line}");
        }
    }
    let Command::Run(args) = command("-vv") else { panic!("run") };
    assert_eq!(args.into_layer().get(Setting::Verbose).map(|given| given.text.as_str()), Some("2"));
    let Command::Run(args) = command("") else { panic!("run") };
    assert_eq!(args.into_layer(), crate::config::Layer::new());
}

#[test]
fn the_help_names_every_variable_and_default() {
    let check = |line: &str, rows: &[Row]| {
        let help: String = help(line).split_whitespace().collect::<Vec<_>>().join(" ");
        for row in rows {
            if let Some(option) = row.option {
                assert!(help.contains(&format!("--{option}")), "{line}: --{option}");
            }
            if let Some(variable) = row.variable {
                assert!(help.contains(&format!("[env: {variable}")), "{line}: {variable}");
            }
            if let Some(default) = row.default {
                assert!(help.contains(&format!("[default: {default}]")), "{line}: {default}");
            }
        }
        assert!(help.contains("Exit codes:") && help.contains("Examples:"), "{line}");
    };
    check("--help", RUN);
    check("run --help", RUN);
    check("run -h", RUN);
    check("hub --help", HUB);
    check("cloud --help", &[]);
}

#[test]
fn the_local_cloud_listens_as_documented() {
    let Command::Cloud(args) = command("cloud") else { panic!("cloud") };
    assert_eq!((args.bind.to_string().as_str(), args.mqtt_port, args.https_port), ("127.0.0.1", 8883, 8443));
    assert_eq!((args.hostname.as_deref(), args.env, args.format), (None, false, OutputFormat::Text));
    assert_eq!((args.device.len(), args.devices, args.id_pattern.name(1)), (0, None, "dev000001".to_owned()));
    let Command::Cloud(args) = command(
        "cloud --bind 0.0.0.0 --mqtt-port 0 --https-port 443 --hostname box --device a b --device c \
         --devices 10 --id-pattern s{} --format json",
    ) else {
        panic!("cloud")
    };
    assert_eq!((args.device.len(), args.devices, args.id_pattern.name(1)), (3, Some(10), "s1".to_owned()));
    assert_eq!((args.mqtt_port, args.https_port, args.format), (0, 443, OutputFormat::Json));
    let Command::Cloud(args) = command("cloud --env") else { panic!("cloud") };
    assert!(args.env);
}

#[test]
fn the_local_cloud_is_difficult_on_request() {
    let Command::Cloud(args) = command(
        "cloud --sku S1 --units 2 --latency 50ms --refuse 2 --dps-busy 1 --elsewhere h:1 --device-ca a.pem b.pem",
    ) else {
        panic!("cloud")
    };
    assert_eq!(args.difficult.quota().map(|quota| quota.map(|(_, units)| units)), Ok(Some(2)));
    assert_eq!(args.difficult.trouble().latency, 50);
    let made = rcgen::generate_simple_self_signed(vec!["ca".to_owned()]).expect("a certificate");
    let pem = made.cert.pem().into_bytes();
    let authorities = args.authorities(&|_| Ok(pem.clone())).expect("authorities");
    assert_eq!(authorities, [("a".to_owned(), pem.clone()), ("b".to_owned(), pem.clone())]);
    let said = |line: &str, text: &[u8]| {
        let Command::Cloud(args) = command(line) else { panic!("cloud") };
        args.authorities(&|_| Ok(text.to_vec())).expect_err(line).to_string()
    };
    assert!(said("cloud --device-ca a.pem", b"x").starts_with("--device-ca: a.pem holds no certificate"));
    let cut = said("cloud --device-ca x/a.pem", &pem[..60]);
    assert_eq!(
        cut,
        "--device-ca: x/a.pem: the certificate of `a` cannot be read: the line `-----END CERTIFICATE-----` is \
         missing: it was cut off"
    );
    let other =
        said("cloud --device-ca x/a.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert!(
        other.starts_with("--device-ca: x/a.pem: the certificate of `a` cannot be read: its bytes"),
        "{other}"
    );
    let twice = said("cloud --device-ca a.pem x/a.crt", &pem);
    assert!(twice.starts_with("--device-ca: two files are called `a`"), "{twice}");
    let Command::Cloud(args) = command("cloud --device-ca nowhere.pem") else { panic!("cloud") };
    let error = args.authorities(&|_| Err(std::io::ErrorKind::NotFound.into())).expect_err("no file");
    assert!(error.to_string().starts_with("--device-ca: cannot read nowhere.pem"), "{error}");

    for (line, verb) in [
        ("hub faults show", Verb::Faults(FaultsVerb::Show)),
        ("hub faults set {}", Verb::Faults(FaultsVerb::Set { faults: "{}".to_owned() })),
        ("hub faults clear", Verb::Faults(FaultsVerb::Clear)),
        ("hub drop", Verb::Drop(DropArgs { device: None })),
        ("hub drop d", Verb::Drop(DropArgs { device: "d".parse().ok() })),
    ] {
        let Command::Hub(args) = command(line) else { panic!("{line}") };
        assert_eq!(args.verb, verb, "{line}");
    }
}

#[test]
fn the_verbs_of_hub_are_taken() {
    let verb = |line: &str| match command(line) {
        Command::Hub(args) => (args.verb, args.format),
        other => panic!("{line}: {other:?}"),
    };
    let (Verb::Invoke(invoke), OutputFormat::Json) = verb(
        "hub invoke dev-1 reboot --payload {\"a\":1} --response-timeout 60s --connect-timeout 5 \
         --wait-for rebootTime --timeout 90s --format json",
    ) else {
        panic!("invoke")
    };
    assert_eq!((invoke.target.to_string().as_str(), invoke.command.as_str()), ("dev-1", "reboot"));
    assert_eq!(invoke.payload.as_deref(), Some("{\"a\":1}"));
    assert_eq!(
        [invoke.response_timeout, invoke.connect_timeout, invoke.timeout],
        [60, 5, 90].map(Duration::from_secs)
    );
    assert_eq!(invoke.wait_for.map(|wanted| wanted.to_string()).as_deref(), Some("rebootTime"));
    let (Verb::Twin(TwinVerb::Show { target }), OutputFormat::Text) = verb("hub twin show d --module m")
    else {
        panic!("show")
    };
    assert_eq!(target.to_string(), "d/m");
    assert!(matches!(verb("hub twin update d --desired {} --tags {}"), (Verb::Twin(TwinVerb::Update(_)), _)));
    let (Verb::Monitor(monitor), _) = verb("hub --format json monitor --device d --count 3") else {
        panic!("monitor")
    };
    assert_eq!((monitor.device.map(|id| id.to_string()).as_deref(), monitor.count), (Some("d"), Some(3)));
    let Command::Hub(args) = command("hub twin show d --connection-string x --ca y") else { panic!("hub") };
    assert!(args.layer().get(Setting::ConnectionString).is_some() && args.layer().get(Setting::Ca).is_some());
}

#[test]
fn every_family_of_hub_s_verbs_is_taken() {
    for line in [
        "hub device create d",
        "hub device create d --edge --disabled --or-show --primary-key-file k --secondary-key-file l",
        "hub device create d --x509-ca",
        "hub device create d --save-connection-string f --force",
        "hub device show d --save-connection-string f",
        "hub device list --top 3 --hub localhost:8443",
        "hub device delete d --etag e",
        "hub module create d m --or-show --save-connection-string f",
        "hub module show d m",
        "hub module list d",
        "hub module delete d $edgeHub --etag e",
        "hub twin show d --module m",
        "hub twin update d --module m --tags {} --etag e",
        "hub twin replace d - --etag e",
        "hub twin replace d --desired {}",
        "hub twin watch d --module m --interval 2s --count 3 --for 1m",
        "hub invoke d c --module m --payload-file -",
        "hub monitor --device d --module m --property a --property b=c --for 1m",
        "hub deploy d -",
        "hub deploy d --show",
        "hub query SELECT --top 5",
        "hub --hub localhost twin show d",
    ] {
        let Command::Hub(args) = command(line) else { panic!("{line}") };
        assert!(!args.names_connection(), "{line}");
    }
    let Command::Hub(args) = command("hub device list --connection-string-file f") else { panic!("hub") };
    assert!(args.names_connection());
    let print = "ab".repeat(20);
    assert!(matches!(
        command(&format!("hub device create d --x509-thumbprint {print},{print}")),
        Command::Hub(_)
    ));
}

#[test]
fn the_help_of_every_verb_says_what_it_does_and_which_hub() {
    let hub = Cli::command().find_subcommand("hub").expect("hub").clone();
    for verb in hub.get_subcommands() {
        let below: Vec<_> = verb.get_subcommands().map(|it| format!(" {}", it.get_name())).collect();
        let below = if below.is_empty() { vec![String::new()] } else { below };
        for name in below {
            let line = format!("hub {}{name} --help", verb.get_name());
            let help = help(&line);
            assert!(help.contains("--hub <NAME[:PORT]>") && help.contains("--format"), "{line}: {help}");
            // What an option's group is for is not what the verb does.
            let first = help.lines().next().unwrap_or_default();
            assert!(!first.contains("is about") && first.split(' ').count() > 2, "{line}: {first}");
        }
    }
}

#[test]
fn completions_and_man_pages_are_asked_for() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(matches!(command(&format!("completions {shell}")), Command::Completions(_)));
    }
    assert!(matches!(command("man"), Command::Man(args) if args.folder.is_none()));
    assert!(matches!(command("man pages"), Command::Man(args) if args.folder.is_some()));
}

#[test]
fn bad_usage_is_refused_with_code_2() {
    for line in [
        "--nonsense",
        "nonsense",
        "run nonsense",
        "--headless run",
        "--key",
        "--key a --key b",
        "cloud --mqtt-port 70000",
        "cloud --bind somewhere",
        "cloud --hostname a:1",
        "cloud --device a/b",
        "cloud --devices 0",
        "cloud --id-pattern dev{}",
        "cloud --devices 1 --id-pattern dev",
        "cloud --env --format json",
        "cloud --data-dir",
        "cloud --units 2",
        "cloud --sku B1",
        "cloud --refuse-code 5",
        "cloud --latency 2m",
        "cloud --device-ca",
        "hub faults",
        "hub faults set",
        "hub drop a/b",
        "hub",
        "hub invoke d",
        "hub invoke d c --response-timeout 4s",
        "hub invoke d c --connect-timeout 301s",
        "hub invoke d c --timeout 5s",
        "hub invoke d c --wait-for =x",
        "hub twin",
        "hub twin update d",
        "hub monitor --count 0",
        "hub monitor --module m",
        "hub monitor --for 0s",
        "hub --hub a:b device list",
        "hub device",
        "hub device create",
        "hub device create d --x509-thumbprint xyz",
        "hub device create d --x509-ca --primary-key-file k",
        "hub device create d --secondary-key-file k",
        "hub device create d --force",
        "hub device list --top 0",
        "hub device delete d --etag=",
        "hub module show d",
        "hub module list",
        "hub twin replace d",
        "hub twin replace d f --tags {}",
        "hub twin watch d --interval 50ms",
        "hub invoke d c --payload 1 --payload-file f",
        "hub deploy d",
        "hub deploy d f --show",
        "hub query",
        "completions",
        "completions tcsh",
        "man a b",
    ] {
        refused(line);
    }
    assert_eq!(parse(words("--nonsense")).err(), Some(Exit::Usage));
}

#[test]
fn no_error_repeats_a_key() {
    const K1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for line in [
        K1.to_owned(),
        format!("run {K1}"),
        format!("hub {K1}"),
        format!("--key x {K1}"),
        format!("--kee={K1}"),
        format!("--headless={K1}"),
        format!("-k{K1}"),
        format!("--key {K1} --key {K1}"),
        format!("cloud --key {K1}"),
        format!("cloud --device {K1}/"),
        format!("cloud --mqtt-port {K1}"),
        format!("cloud --bind {K1}"),
        format!("cloud --hostname {K1}"),
        format!("cloud --format {K1}"),
        format!("cloud --devices 1 --id-pattern {K1}"),
        format!("hub invoke d c --timeout {K1}"),
        format!("hub monitor SharedAccessKey={K1}"),
        format!("hub device create d --x509-thumbprint {K1}"),
        format!("hub device create d {K1}"),
        format!("hub device list --hub {K1}"),
        format!("hub twin watch d --interval {K1}"),
        format!("completions {K1}"),
    ] {
        let said = refused(&line);
        assert!(!said.contains(&K1[..12]), "{line}: {said}");
    }
}

#[test]
fn the_options_of_a_profile_are_options_and_it_counts_what_it_sends() {
    for entry in CATALOG {
        for option in entry.options {
            assert!(RUN.iter().any(|row| row.option == Some(*option)), "{}: {option}", entry.name);
        }
        let sends = entry.parts.iter().any(|part| !part.model.telemetry.is_empty());
        assert_eq!(entry.options.contains(&"count"), sends, "{}", entry.name);
    }
}

#[test]
fn a_value_that_is_not_shown_is_refused_with_its_reason() {
    let long = "x".repeat(129);
    let said = refused(&format!("hub device create {long}"));
    assert!(said.contains("for '<DEVICE>' (not shown, it may be a key)"), "{said}");
    assert!(said.contains("the device id has 129 characters, the most is 128"), "{said}");
    assert!(!said.contains("xxx") && !said.contains("Usage: envsim [OPTIONS]"), "{said}");
    // A reason that repeats the value goes without it.
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8/=";
    let said = refused(&format!("hub device create {key}"));
    assert!(said.contains("has the character '/'") && !said.contains("AAEC"), "{said}");
    let said = refused(&format!("hub device create d --x509-thumbprint {}", &key[..40]));
    assert!(said.contains("a thumbprint has 40 or 64 hexadecimal digits"), "{said}");
    assert!(!said.contains("AAEC"), "{said}");
}

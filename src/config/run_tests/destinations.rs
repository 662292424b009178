//! Where a device goes, or its modules: the local cloud, a provisioning service, a hub.

use super::*;

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
    let reserved = resolve(&[module, ("module-id", "$edgeHub")], &[], "").expect_err("reserved");
    assert!(reserved.contains("--module-id") && reserved.contains("begins with `$`"), "{reserved}");
    let direct = &format!("{DIRECT};ModuleId=m");
    for options in [&[module, ("connection-string", direct)][..], &[("connection-string", direct)]] {
        assert!(target(&resolve(options, &[], "").expect("a configuration")).contains("dev-7"));
    }
}

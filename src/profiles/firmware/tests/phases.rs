//! An update that goes well, and what is told of it.

use serde_json::json;

use super::{Bench, DIGEST, URI, failed, fetched};
use crate::device::{ImageNews, ImageOrder, ImageUri, Millis, Reply, RestartStyle};

#[test]
fn at_the_start_it_stands_by_and_says_its_version() {
    let bench = Bench::new(RestartStyle::Held);
    assert_eq!(
        bench.patches,
        [
            json!({"firmwareStatus": "standBy", "logTime": "2030-01-01 00:00:00.000000"}),
            json!({"firmwareVersion": "1.0.0"}),
        ]
    );
    assert_eq!(bench.device.figures()[0].value, "1.0.0");
    assert!(bench.device.jobs().is_empty());
}

#[test]
fn a_name_is_pretended_in_three_times_fifteen_seconds() {
    let mut bench = Bench::new(RestartStyle::Held);
    let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
    assert_eq!(reply, Reply::ok(json!({"Response": "Firmware update started"})));
    bench.patches.clear();
    bench.pass(14);
    assert_eq!((bench.patches.len(), bench.status()), (0, "standBy"));
    assert_eq!(bench.device.jobs()[0].until, Some(Millis(45_000)));
    bench.pass(1);
    assert_eq!(
        bench.patches,
        [json!({"firmwareStatus": "downloading", "downloadComplete": "2030-01-01 00:00:15.000000"})]
    );
    assert_eq!(bench.job(), "2/3 downloading");
    bench.pass(15);
    assert_eq!(
        bench.patches[1..],
        [json!({"firmwareStatus": "applying", "startedApplyingImage": "2030-01-01 00:00:30.000000"})]
    );
    bench.pass(15);
    let mut last = bench.patches[2..].to_vec();
    assert_eq!(last[0]["firmwareVersion"].take(), "1.0.0", "nothing was installed");
    assert_eq!(
        last,
        [
            json!({"firmwareStatus": "completed", "lastFirmwareUpdate": "2030-01-01 00:00:45.000000", "firmwareVersion": null})
        ]
    );
    assert!(bench.orders.is_empty() && bench.device.jobs().is_empty());
}

#[test]
fn a_pretended_version_stands_until_something_real_is_confirmed() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.ask(json!({"fwPackageUri": "test.com", "version": "9"}));
    bench.pass(45);
    assert_eq!(bench.version(), "9");
    bench.reach(2, "downloading");
    bench.news(failed(2));
    assert_eq!(bench.version(), "9", "what was there before");
    bench.reach(3, "confirming");
    bench.news(ImageNews::Confirmed { run: 3 });
    assert_eq!(bench.version(), "1.1.0");
}

#[test]
fn the_log_and_the_twin_agree_about_what_the_firmware_is() {
    let installed = || ImageNews::Installed { version: "1.0.0".to_owned(), on_trial: false };
    let mut bench = Bench::new(RestartStyle::Held);
    assert_eq!(
        (bench.notes.last().map(String::as_str), bench.version()),
        (Some("the firmware is 1.0.0"), "1.0.0")
    );
    bench.ask(json!({"fwPackageUri": "test.com", "version": "9"}));
    bench.pass(45);
    // As after a restart.
    bench.news(installed());
    let said = "the firmware is 9, pretended; 1.0.0 is installed";
    assert_eq!((bench.notes.last().map(String::as_str), bench.version()), (Some(said), "9"));
    // In another run of the program nothing is left of what was pretended.
    let mut bench = Bench::fresh(RestartStyle::Held);
    bench.news(installed());
    assert_eq!(
        (bench.notes.last().map(String::as_str), bench.version()),
        (Some("the firmware is 1.0.0"), "1.0.0")
    );
}

#[test]
fn an_image_is_fetched_placed_restarted_with_and_confirmed() {
    for style in [RestartStyle::Held, RestartStyle::Link] {
        let mut bench = Bench::new(style);
        bench.links.clear();
        bench.begin();
        assert_eq!(
            bench.ordered(),
            [ImageOrder::Fetch { run: 1, uri: ImageUri::new(URI), sha256: Some(DIGEST.to_owned()) }]
        );
        assert_eq!((bench.status(), bench.job().as_str()), ("downloading", "downloading 0 bytes"));
        bench.news(ImageNews::Progress { run: 1, received: 262_144, total: Some(1_048_576) });
        assert_eq!(bench.job(), "downloading 0.2 of 1.0 MiB");
        assert_eq!((bench.device.jobs()[0].done, bench.device.jobs()[0].steps), (25, 100));
        assert_eq!(
            bench.twin["downloadProgress"],
            json!({"received": 262_144, "total": 1_048_576, "percent": 25})
        );
        bench.news(fetched(1));
        assert_eq!(bench.ordered(), [ImageOrder::Install { run: 1, version: "1.1.0".to_owned() }]);
        assert_eq!(
            (bench.status(), &bench.twin["downloadProgress"]["percent"]),
            ("downloading", &json!(100))
        );
        assert!(bench.twin.contains_key("downloadComplete"));
        bench.news(ImageNews::Placed { run: 1 });
        assert_eq!(bench.status(), "applying");
        assert!(bench.twin.contains_key("startedApplyingImage") && bench.device.away().is_some());
        assert_eq!(bench.device.jobs()[0].until, Some(Millis(15_000)));
        assert_eq!(bench.ordered(), []);
        bench.pass(15);
        if style == RestartStyle::Link {
            assert_eq!(bench.links, ["disconnect", "connect"]);
            assert_eq!(bench.ordered(), [], "it is not back yet");
            bench.connected();
        }
        assert_eq!(bench.ordered(), [ImageOrder::Confirm { run: 1 }]);
        assert_eq!((bench.status(), bench.version()), ("applying", "1.0.0"));
        bench.news(ImageNews::Confirmed { run: 1 });
        assert_eq!((bench.status(), bench.version()), ("completed", "1.1.0"));
        assert_eq!(bench.twin["lastFirmwareUpdate"], "2030-01-01 00:00:15.000000");
        assert_eq!((bench.ordered(), bench.job()), (vec![], String::new()));
    }
}

#[test]
fn progress_is_reported_every_five_seconds_at_most() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.begin();
    bench.patches.clear();
    for tenth in 0..=100_u64 {
        bench.news(ImageNews::Progress { run: 1, received: tenth * 10, total: None });
        bench.at += 100;
    }
    let received: Vec<_> =
        bench.patches.iter().map(|patch| patch["downloadProgress"]["received"].as_u64()).collect();
    assert_eq!(received, [Some(0), Some(500), Some(1_000)]);
    assert_eq!(
        bench.patches[2]["downloadProgress"],
        json!({"received": 1_000, "total": null, "percent": null})
    );
    assert_eq!(bench.job(), "downloading 1000 bytes");
    bench.news(fetched(1));
    let whole = json!({"received": 1_048_576, "total": 1_048_576, "percent": 100});
    assert_eq!(bench.patches[3]["downloadProgress"], whole, "the last is told whenever it comes");
}

#[test]
fn an_interrupted_download_says_so_until_it_goes_on() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.begin();
    bench.news(ImageNews::Progress { run: 1, received: 5, total: Some(10) });
    bench.news(ImageNews::Interrupted { run: 1, reason: "the connection broke".to_owned() });
    assert_eq!(bench.job(), "downloading again: the connection broke");
    assert_eq!(bench.status(), "downloading");
    bench.news(ImageNews::Progress { run: 1, received: 6, total: Some(10) });
    assert_eq!(bench.job(), "downloading 6 of 10 bytes");
}

#[test]
fn a_lost_link_delays_what_is_told_and_nothing_else() {
    for phase in ["downloading", "applying", "restarting", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.lose_link();
        bench.patches.clear();
        // Far behind the moment of every phase; the device tries to connect and nobody answers.
        if phase == "downloading" {
            bench.news(fetched(1));
        }
        if phase == "downloading" || phase == "applying" {
            bench.news(ImageNews::Placed { run: 1 });
        }
        bench.pass(60);
        assert!(bench.patches.is_empty(), "{phase}");
        bench.connected();
        bench.news(ImageNews::Confirmed { run: 1 });
        assert_eq!((bench.status(), bench.version()), ("completed", "1.1.0"), "{phase}");
        assert!(bench.twin.contains_key("downloadComplete"), "{phase}");
        assert!(bench.twin.contains_key("startedApplyingImage"), "{phase}");
    }
}

#[test]
fn a_new_update_takes_away_what_the_last_one_reported() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "confirming");
    bench.news(failed(1));
    bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
    for name in ["downloadProgress", "downloadComplete", "startedApplyingImage", "firmwareError"] {
        assert!(bench.twin.contains_key(name), "{name}");
    }
    bench.begin();
    for name in ["downloadProgress", "downloadComplete", "startedApplyingImage", "firmwareError"] {
        assert!(!bench.twin.contains_key(name), "{name}");
    }
    assert_eq!(bench.status(), "downloading");
}

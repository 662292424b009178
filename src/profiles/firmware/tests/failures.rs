//! What is refused, what fails, and what comes too late.

use serde_json::json;

use super::{Bench, URI, failed, fetched};
use crate::device::{ImageNews, ImageOrder, Reply, RestartStyle};

#[test]
fn a_failure_in_any_phase_is_reported_with_its_reason_and_the_old_version_stays() {
    for (phase, news, goes_back) in [
        ("downloading", failed(1), false),
        ("applying", failed(1), true),
        ("confirming", failed(1), true),
        // Found out too late that an image of an earlier life is on trial.
        ("downloading", ImageNews::Installed { version: "0.9".to_owned(), on_trial: true }, true),
    ] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.ordered();
        bench.news(news.clone());
        if goes_back {
            assert_eq!(bench.ordered(), [ImageOrder::RollBack { run: 1 }], "{phase}");
            assert_ne!(bench.status(), "failed", "not before it has gone back");
            assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 409);
            bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
        }
        assert_eq!(bench.ordered(), [], "{phase}");
        assert_eq!((bench.status(), bench.version()), ("failed", "1.0.0"), "{phase}");
        let error = &bench.twin["firmwareError"];
        assert_eq!(error["phase"], phase);
        let reason = error["reason"].as_str().expect("a reason");
        let is_late = matches!(news, ImageNews::Installed { .. });
        assert!(
            reason.starts_with(if is_late { "the device was switched off" } else { "no luck" }),
            "{reason}"
        );
        assert!(error["time"].is_string());
        // And it is ready for the next.
        bench.reach(2, "confirming");
        bench.news(ImageNews::Confirmed { run: 2 });
        assert_eq!(bench.status(), "completed");
    }
}

#[test]
fn how_far_a_download_came_stands_beside_why_it_failed() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "downloading");
    for received in [0, 400] {
        bench.news(ImageNews::Progress { run: 1, received, total: Some(1_000) });
    }
    assert_eq!(bench.twin["downloadProgress"]["received"], 0, "told every 5 s at most");
    bench.news(failed(1));
    assert_eq!(bench.twin["downloadProgress"], json!({"received": 400, "total": 1_000, "percent": 40}));
    bench.reach(2, "downloading");
    bench.news(failed(2));
    assert!(!bench.twin.contains_key("downloadProgress"), "nothing has come");
}

#[test]
fn a_member_that_is_null_is_not_there() {
    let mut bench = Bench::new(RestartStyle::Held);
    let reply = bench.ask(json!({"fwPackageUri": URI, "sha256": null, "version": null}));
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn a_long_reason_is_cut_so_that_a_hub_takes_it() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "downloading");
    bench.news(ImageNews::Failed { run: 1, reason: "😀".repeat(2_000) });
    let reason = bench.twin["firmwareError"]["reason"].as_str().expect("a reason");
    assert!(reason.len() < 4_096 && reason.ends_with('…'), "{}", reason.len());
}

#[test]
fn when_going_back_fails_as_well_both_reasons_are_told() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "confirming");
    bench.news(failed(1));
    bench.news(ImageNews::Failed { run: 1, reason: "the disk is gone".to_owned() });
    assert_eq!(
        bench.twin["firmwareError"]["reason"],
        "no luck; going back to the image before failed as well: the disk is gone"
    );
    assert_eq!((bench.status(), bench.job()), ("failed", String::new()));
}

#[test]
fn an_image_on_trial_at_the_start_is_gone_back_from_and_told() {
    let mut bench = Bench::fresh(RestartStyle::Held);
    bench.ordered();
    bench.news(ImageNews::Installed { version: "1.1.0".to_owned(), on_trial: true });
    assert_eq!(bench.ordered(), [ImageOrder::RollBack { run: 1 }]);
    let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
    let why =
        "the firmware update of an earlier run is still going back: wait until it is completed or has failed";
    assert_eq!(reply, Reply::refused(409, why.to_owned()));
    bench.news(ImageNews::RolledBack { run: 1, version: "1.0.0".to_owned() });
    assert_eq!((bench.status(), bench.version()), ("failed", "1.0.0"));
    let error = &bench.twin["firmwareError"];
    assert_eq!(error["phase"], "confirming");
    assert_eq!(
        error["reason"],
        "the device was switched off after 1.1.0 had been applied and before it was confirmed"
    );
}

#[test]
fn a_download_that_was_cut_short_by_the_end_of_a_run_has_failed() {
    let cut_short = |received| ImageNews::CutShort { from: "https://host/x?…".to_owned(), received };
    for (received, advice) in [
        (400, "ask for it again to go on behind the 400 bytes that are here"),
        (0, "ask for the update again"),
    ] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.news(cut_short(received));
        assert_eq!((bench.status(), bench.version()), ("failed", "1.0.0"));
        assert_eq!(bench.twin["firmwareError"]["phase"], "downloading");
        let reason = format!("the device was switched off during the download of https://host/x?…; {advice}");
        assert_eq!(bench.twin["firmwareError"]["reason"], reason);
        assert_eq!(bench.ordered(), [], "there is nothing to go back from");
        assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 200);
    }
    // Whoever has asked again already knows.
    let mut bench = Bench::new(RestartStyle::Held);
    bench.begin();
    bench.news(cut_short(400));
    assert_eq!(bench.status(), "downloading");
}

#[test]
fn another_request_while_one_runs_is_refused_in_every_phase() {
    for phase in ["downloading", "applying", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, phase);
        bench.ordered();
        let reply = bench.ask(json!({"fwPackageUri": "test.com"}));
        let why = format!(
            "the firmware update to version 1.1.0 is still {phase}: wait until it is completed or has failed"
        );
        assert_eq!(reply, Reply::refused(409, why));
        assert_eq!(bench.ordered(), []);
    }
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "restarting");
    assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 409, "by the device, which is away");
    let mut bench = Bench::new(RestartStyle::Held);
    bench.ask(json!({"fwPackageUri": "test.com"}));
    for wait in ["waiting", "downloading", "applying"] {
        let reply = bench.ask(json!({"fwPackageUri": URI}));
        let why = format!(
            "the pretended firmware update is still {wait}: wait until it is completed or has failed"
        );
        assert_eq!(reply, Reply::refused(409, why));
        bench.pass(15);
    }
    assert_eq!(bench.ask(json!({"fwPackageUri": URI})).status, 200);
    let called = |bench: &mut Bench| {
        let reply = bench.ask(json!({"fwPackageUri": URI}));
        reply.payload["error"].as_str().unwrap_or_default().split(" is still ").next().map(str::to_owned)
    };
    assert_eq!(called(&mut bench).as_deref(), Some("the firmware update to a new image"));
    let mut bench = Bench::new(RestartStyle::Held);
    bench.ask(json!({"fwPackageUri": "test.com", "version": "2"}));
    assert_eq!(called(&mut bench).as_deref(), Some("the pretended firmware update to version 2"));
}

#[test]
fn a_request_that_cannot_be_is_refused_and_changes_nothing() {
    let mut bench = Bench::new(RestartStyle::Held);
    bench.patches.clear();
    for request in [
        json!(null),
        json!("test.com"),
        json!({}),
        json!({"fwPackageUri": 1}),
        json!({"fwPackageUri": ""}),
        json!({"fwPackageUri": "ftp://host/x"}),
        json!({"fwPackageUri": "x".repeat(2_049)}),
        json!({"fwPackageUri": URI, "sha256": "abc"}),
        json!({"fwPackageUri": URI, "version": ""}),
    ] {
        let reply = bench.ask(request.clone());
        assert_eq!(reply.status, 400, "{request}");
        assert!(reply.payload["error"].as_str().is_some_and(|why| why.len() > 20), "{reply:?}");
    }
    assert!(bench.patches.is_empty() && bench.orders.is_empty() && bench.device.jobs().is_empty());
}

#[test]
fn news_of_an_update_that_is_over_or_of_another_phase_changes_nothing() {
    let late = |run| {
        [
            ImageNews::Progress { run, received: 1, total: None },
            ImageNews::Interrupted { run, reason: String::new() },
            fetched(run),
            ImageNews::Placed { run },
            ImageNews::Confirmed { run },
            ImageNews::RolledBack { run, version: "0".to_owned() },
            failed(run),
        ]
    };
    for phase in ["downloading", "applying", "restarting", "confirming"] {
        let mut bench = Bench::new(RestartStyle::Held);
        bench.reach(1, "downloading");
        bench.news(failed(1));
        bench.reach(2, phase);
        bench.ordered();
        bench.patches.clear();
        for news in late(1).into_iter().chain(late(7)) {
            bench.news(news);
        }
        assert!(bench.patches.is_empty() && bench.orders.is_empty(), "{phase}");
        assert_eq!(bench.device.jobs().len(), 1);
    }
    let mut bench = Bench::new(RestartStyle::Held);
    bench.reach(1, "restarting");
    bench.ordered();
    for news in late(1) {
        bench.news(news);
    }
    assert_eq!(bench.ordered(), [], "only the restart leads on");
    assert_eq!(bench.status(), "applying");
}

#[test]
fn without_a_place_for_images_a_name_is_pretended_and_an_image_fails() {
    let mut bench = Bench::fresh(RestartStyle::Held);
    bench.news(failed(0));
    assert_eq!(bench.device.figures()[0].value, "not known");
    bench.ask(json!({"fwPackageUri": "test.com"}));
    bench.news(failed(0));
    bench.pass(45);
    assert_eq!(bench.status(), "completed");
    bench.reach(2, "downloading");
    bench.news(failed(2));
    assert_eq!(bench.status(), "failed");
    assert!(!bench.twin.contains_key("firmwareVersion"));
}

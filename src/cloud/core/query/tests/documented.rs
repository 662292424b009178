//! Queries as Microsoft writes them: its documentation, samples, and tools.

use serde_json::json;

use super::super::ast::Dialect;
use super::super::{Condition, ItemType, Source};
use super::{answer, devices, fleet, query};

#[test]
fn all_devices_are_whole_twins() {
    let all = query("SELECT * FROM devices").run(fleet());
    assert_eq!(all.item_type, ItemType::Twin);
    assert_eq!(all.items, fleet());
}

#[test]
fn the_examples_with_where_select_the_devices_they_describe() {
    for (text, expected) in [
        ("SELECT * FROM devices\nWHERE tags.location.region = 'US'", vec!["a", "b"]),
        (
            "SELECT * FROM devices\n  WHERE tags.location.region = 'US'\n    \
             AND properties.reported.telemetryConfig.sendFrequencyInSecs >= 60",
            vec!["a"],
        ),
        (
            "SELECT * FROM devices\n  WHERE properties.reported.connectivity IN ['wired', 'wifi']",
            vec!["a", "b"],
        ),
        (
            "SELECT * FROM devices WHERE tags.location.region = 'US' \
             AND properties.reported.connectivity IN ['wired', 'wifi']",
            vec!["a", "b"],
        ),
        ("SELECT * FROM devices\n  WHERE is_defined(properties.reported.connectivity)", vec!["a", "b", "c"]),
        ("select * from devices where properties.desired.limit = properties.reported.limit", vec!["a"]),
        ("SELECT * FROM devices WHERE capabilities.iotEdge = true", vec!["b"]),
        ("SELECT * FROM devices WHERE configurations.[[roll-out.1]].status = 'Applied'", vec!["b"]),
        ("SELECT * FROM devices WHERE lastActivityTime < '2030-01-01T00:00:00'", vec!["a", "b"]),
        ("SELECT * FROM devices WHERE lastActivityTime > '2030-01-01T00:00:00Z'", vec!["c"]),
        // Azure IoT Explorer and the samples of the .NET SDK.
        ("SELECT * FROM devices WHERE STARTSWITH(devices.deviceId, 'a')", vec!["a"]),
        ("SELECT * FROM devices WHERE STARTSWITH(id, 'c')", vec!["c"]),
        ("SELECT * FROM devices WHERE devices.deviceId = 'd'", vec!["d"]),
    ] {
        assert_eq!(devices(text, &fleet()), expected, "{text}");
    }
}

#[test]
fn devices_are_counted_by_the_status_of_their_configuration() {
    let text = "SELECT properties.reported.telemetryConfig.status AS status,\n    COUNT() AS \
                numberOfDevices\n  FROM devices\n  GROUP BY properties.reported.telemetryConfig.status";
    let counted = query(text).run(fleet());
    assert_eq!(counted.item_type, ItemType::Raw);
    let expected = [
        json!({ "status": "Success", "numberOfDevices": 2 }),
        json!({ "status": "Pending", "numberOfDevices": 1 }),
        json!({ "numberOfDevices": 1 }),
    ];
    assert_eq!(counted.items, expected);
}

#[test]
fn devices_are_counted() {
    let text = "SELECT COUNT() as totalNumberOfDevices FROM devices";
    assert_eq!(answer(text, &fleet()), [json!({ "totalNumberOfDevices": 4 })]);
    assert_eq!(answer(text, &[]), [json!({ "totalNumberOfDevices": 0 })]);
}

#[test]
fn a_system_name_is_found_whatever_its_case() {
    let text = "SELECT LastActivityTime FROM devices WHERE Status = 'enabled' AND DEVICEID != 'd'";
    let expected = [
        json!({ "LastActivityTime": "2026-01-01T00:00:00Z" }),
        json!({ "LastActivityTime": "2031-01-01T00:00:00Z" }),
    ];
    assert_eq!(answer(text, &fleet()), expected);
    let tags = "SELECT * FROM devices WHERE TAGS.location.region = 'DE' AND IS_DEFINED(Properties.Reported)";
    assert_eq!(devices(tags, &fleet()), ["c"]);
    assert!(devices("SELECT * FROM devices WHERE tags.Location.region = 'DE'", &fleet()).is_empty());
}

#[test]
fn the_columns_of_azure_iot_explorer_are_made() {
    let text = "SELECT deviceId as DeviceId,\n    status as Status,\n    capabilities.iotEdge as IotEdge\n    \
                FROM devices WHERE connectionState = 'Disconnected'";
    let expected = [
        json!({ "DeviceId": "b", "Status": "disabled", "IotEdge": true }),
        json!({ "DeviceId": "c", "Status": "enabled" }),
    ];
    assert_eq!(answer(text, &fleet()), expected);
}

#[test]
fn modules_are_asked_for_their_deployment() {
    let module = |name: &str, code: u16| {
        json!({
            "deviceId": "edge", "moduleId": name,
            "configurations": { "aaas-rpi": { "status": "Applied" } },
            "properties": {
                "desired": { "$version": 3 },
                "reported": { "lastDesiredVersion": 3, "lastDesiredStatus": { "code": code },
                    "status": "scanning" },
            },
        })
    };
    let rows = [module("$edgeAgent", 400), module("$edgeHub", 200)];
    for (text, expected) in [
        ("SELECT * FROM devices.modules", 2),
        ("SELECT * FROM devices.modules WHERE moduleId = '$edgeAgent'", 1),
        ("Select * from devices.modules where properties.reported.status = 'scanning'", 2),
        (
            "Select * from devices.modules\n  where properties.reported.status = 'scanning'\n  \
             and deviceId IN ['device1', 'edge']",
            2,
        ),
        ("SELECT * FROM devices.modules WHERE is_defined(properties.reported)", 2),
        ("SELECT deviceId FROM devices.modules WHERE properties.reported.lastDesiredStatus.code != 200", 1),
        (
            "select deviceId from devices.modules where moduleId = '$edgeAgent' and \
             configurations.[[aaas-rpi]].status = 'Applied' and properties.desired.$version = \
             properties.reported.lastDesiredVersion and properties.reported.lastDesiredStatus.code != 200",
            1,
        ),
        ("SELECT * FROM devices.modules WHERE devices.modules.moduleId = '$edgeHub'", 1),
        (
            "select properties.reported.State from devices.modules where devices.modules.moduleId = \
             '$edgeHub' and devices.deviceId = 'edge'",
            1,
        ),
    ] {
        assert_eq!(query(text).source, Source::Modules);
        assert_eq!(answer(text, &rows).len(), expected, "{text}");
    }
}

#[test]
fn what_jobs_did_is_asked_by_device_and_by_job() {
    let row = |job: &str, status: &str| {
        json!({
            "deviceId": "myDeviceId", "jobId": job, "jobType": "scheduleTwinUpdate", "status": status,
            "createdDateTimeUtc": "2016-09-29T18:18:56.7787107Z",
        })
    };
    let rows = [row("myJobId", "completed"), row("other", "failed")];
    for (text, expected) in [
        ("SELECT * FROM devices.jobs\n  WHERE devices.jobs.deviceId = 'myDeviceId'", 2),
        (
            "SELECT * FROM devices.jobs\n  WHERE devices.jobs.deviceId = 'myDeviceId'\n    \
             AND devices.jobs.jobType = 'scheduleTwinUpdate'\n    AND devices.jobs.status = 'completed'\n    \
             AND devices.jobs.createdTimeUtc > '2016-09-01'",
            1,
        ),
        ("SELECT * FROM devices.jobs\n  WHERE devices.jobs.jobId = 'myJobId'", 1),
    ] {
        let found = query(text).run(&rows);
        assert_eq!((found.item_type, found.items.len()), (ItemType::DeviceJob, expected), "{text}");
    }
}

#[test]
fn conditions_of_jobs_and_configurations_stand_alone() {
    let rows = fleet();
    let selected = |text: &str| {
        let condition = Condition::parse(text).expect("a condition");
        rows.iter().filter(|row| condition.selects(row)).count()
    };
    assert_eq!(selected("*"), 4);
    assert_eq!(selected(" * "), 4);
    assert_eq!(selected("deviceId IN ['a', 'b', 'nobody']"), 2);
    assert_eq!(selected("tags.location.region='US' and properties.reported.connectivity='wifi'"), 1);
    assert_eq!(selected(""), 0);
    assert!(Condition::parse(" ").expect("nothing").is_empty());
    assert!(!Condition::parse("*").expect("all").is_empty());
}

#[test]
fn a_configuration_of_modules_says_so() {
    let condition = Condition::parse("from devices.modules where tags.building=9").expect("a condition");
    assert_eq!(condition.source, Some(Source::Modules));
    assert!(condition.selects(&json!({ "tags": { "building": 9 } })));
    assert!(!condition.selects(&json!({ "tags": { "building": "9" } })));
    let all = Condition::parse("FROM devices.modules").expect("a condition");
    assert!(all.selects(&json!({})));
}

#[test]
fn conditions_of_message_routes_are_read() {
    let message = json!({
        "Status": "Active", "processingPath": "hot", "severity": "2",
        "$contentType": "application/json",
        "$body": { "Weather": {
            "Temperature": 50, "IsEnabled": true, "Location": { "State": "WA" },
            "HistoricalData": [{ "Month": "Feb" }, { "Month": "Jan" }],
        } },
    });
    for text in [
        "$body.Weather.HistoricalData[0].Month = 'Feb'",
        "$body.Weather.Temperature = 50 AND $body.Weather.IsEnabled",
        "length($body.Weather.Location.State) = 2",
        "$body.Weather.Temperature = 50 AND processingPath = 'hot'",
        "$body.Weather.Temperature = 50 AND Status = 'Active'",
        "processingPath = 'hot' AND as_number(severity) <= 2",
        "$contentType = 'application/json'",
    ] {
        let condition = Condition::parse_as(text, Dialect::Messages).expect(text);
        assert!(condition.selects(&message), "{text}");
    }
}

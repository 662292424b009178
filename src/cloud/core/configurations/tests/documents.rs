//! Configurations as documents: their metrics, etags and queries, what is refused, what is kept.

use super::*;

#[test]
fn custom_metrics_count_rows() {
    let mut core = with_devices(&["a", "b", "c"]);
    write(&mut core, &device("a"), json!({"x": 1}), json!({}));
    let mut request = simple("tags.x = 1", 0, json!({"properties.desired.k": 1}));
    let queries = json!({
        "pending": "SELECT deviceId FROM devices WHERE configurations.[[c]].status = 'Applied' AND NOT IS_DEFINED(properties.reported.k)",
        "all": "SELECT * FROM devices",
    });
    request.insert("metrics".to_owned(), json!({"queries": queries}));
    put(&mut core, 0, "c", &request).expect("taken");
    let told = core.configuration("c").expect("a configuration").told();
    assert_eq!(told["metrics"]["results"], json!({}), "nothing has been counted yet");
    run(&mut core, 1);
    assert_eq!(
        (metric(&core, "c", "/metrics/results/pending"), metric(&core, "c", "/metrics/results/all")),
        (1, 3)
    );
    core.report(now(2), &device("a"), br#"{"k":1}"#, None, &mut Vec::new()).expect("reported");
    run(&mut core, 2);
    assert_eq!(metric(&core, "c", "/metrics/results/pending"), 1, "counting pauses");
    run(&mut core, 2_000);
    assert_eq!(metric(&core, "c", "/metrics/results/pending"), 0);
    for query in
        ["SELECT COUNT() AS n FROM devices", "SELECT TOP 1 * FROM devices", "SELECT * FROM devices.jobs", "x"]
    {
        request.insert("metrics".to_owned(), json!({"queries": {"q": query}}));
        assert!(put(&mut core, 0, "d", &request).is_err(), "{query}");
    }
}

#[test]
fn etags_guard_changes_and_content_stays() {
    let mut core = with_devices(&["a"]);
    let mut request = simple("*", 0, json!({"properties.desired.k": 1}));
    let etag = put(&mut core, 0, "c", &request).expect("taken");
    assert_eq!(put(&mut core, 0, "c", &request), Err((409, 409_401)));
    let mut change = |request: &Map<String, Value>, etag: &str, id: &str| {
        let condition = Precondition::Etag(etag.to_owned());
        let put = core.put_configuration(now(5), id, request, Some(&condition));
        put.map(|one| (one.etag.clone(), one.priority)).map_err(|fault| fault.code)
    };
    request.insert("priority".to_owned(), json!(7));
    assert_eq!(change(&request, "other", "c"), Err(412_001));
    assert_eq!(change(&request, "other", "unknown"), Err(404_301));
    let (second, priority) = change(&request, &etag, "c").expect("changed");
    assert_eq!((second != etag, priority), (true, 7));
    let other = simple("*", 0, json!({"properties.desired.k": 2}));
    assert_eq!(change(&other, &second, "c"), Err(400_004));
    let told = core.configuration("c").expect("a configuration").told();
    assert_eq!(
        (&told["createdTimeUtc"], &told["lastUpdatedTimeUtc"]),
        (&json!("2030-01-01T00:00:00Z"), &json!("2030-01-01T00:00:00.005Z"))
    );
    let stale = core.delete_configuration("c", &Precondition::Etag(etag)).map_err(|fault| fault.status);
    assert_eq!(stale, Err(412));
}

#[test]
fn what_means_nothing_is_refused() {
    let mut core = with_devices(&["a"]);
    let with = |content: Value| body(json!({"content": content, "targetCondition": "*"}));
    for content in [
        json!({"deviceContent": {"properties.reported.k": 1}}),
        json!({"deviceContent": {"properties.desiredk": 1}}),
        json!({"deviceContent": {"properties.desired.": 1}}),
        json!({"deviceContent": {"properties.desired.$k": 1}}),
        json!({"deviceContent": {"properties.desired": 1}}),
        json!({"deviceContent": {"properties.desired.k": null}}),
        json!({"deviceContent": {"properties.desired.k": 1}, "modulesContent": {"m": {"properties.desired.k": 1}}}),
        json!({"deviceContent": 5}),
        json!({"modulesContent": {"m": 5}}),
        json!({"modulesContent": {"a b": {}}}),
        json!({"something": {}}),
    ] {
        assert_eq!(put(&mut core, 0, "c", &with(content.clone())), Err((400, 400_004)), "{content}");
    }
    let plain = || simple("*", 0, json!({"properties.desired.k": 1}));
    for (name, value) in [
        ("targetCondition", json!("tags.x =")),
        ("targetCondition", json!("FROM devices.modules WHERE moduleId = 'm'")),
        ("priority", json!(-1)),
        ("labels", json!({"x": 1})),
        ("id", json!("other")),
    ] {
        let mut request = plain();
        request.insert(name.to_owned(), value);
        assert_eq!(put(&mut core, 0, "c", &request), Err((400, 400_004)), "{name}");
    }
    assert!(put(&mut core, 0, "Capital", &plain()).is_err());
    for number in 0..CAPACITY {
        put(&mut core, 0, &format!("c{number}"), &plain()).expect("taken");
    }
    assert_eq!(put(&mut core, 0, "more", &plain()).map_err(|(status, _)| status), Err(429));
}

#[test]
fn queries_are_tested_without_being_kept() {
    let request = json!({
        "targetCondition": "tags.x = ",
        "customMetricQueries": {"good": "SELECT deviceId FROM devices", "bad": "SELECT"},
    });
    let told = test_queries(&body(request)).expect("an answer");
    assert_ne!(told["targetConditionError"], "");
    let errors = told["customMetricQueryErrors"].as_object().expect("errors");
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["bad"]);
    let told = test_queries(&body(json!({"targetCondition": "deviceId = 'd'"}))).expect("an answer");
    assert_eq!(told, json!({"targetConditionError": "", "customMetricQueryErrors": {}}));
}

#[test]
fn a_configuration_that_a_store_has_kept_goes_on() {
    let mut core = with_devices(&["a"]);
    core.changes.begin();
    put(&mut core, 0, "c", &simple("*", 4, json!({"properties.desired.k": 1}))).expect("taken");
    assert!(core.changes.take().contains(&Record::Configuration("c".to_owned())));
    let record = core.configuration_record("c").expect("a record");
    let mut second = with_devices(&["b"]);
    second.restore_configuration(&record).expect("restored");
    run(&mut second, 1);
    assert_eq!(desired(&second, &device("b")), json!({"k": 1}));
    let (mut was, mut is) = (record, second.configuration_record("c").expect("a record"));
    for told in [&mut was, &mut is] {
        told["systemMetrics"]["results"] = Value::Null;
    }
    assert_eq!(was, is);
    assert_eq!(core.configuration_record("d"), None);
    assert!(second.restore_configuration(&json!({"id": "x"})).is_err());
}

use super::*;

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(1_893_456_000 + second).expect("a moment")
}

fn twin() -> Twin {
    Twin::new(moment(0))
}

fn desired(value: Value) -> TwinUpdate {
    TwinUpdate { tags: None, desired: value.as_object().cloned() }
}

#[test]
fn a_fresh_twin_is_what_the_documentation_shows() {
    assert_eq!(twin().for_device(), json!({"desired": {"$version": 1}, "reported": {"$version": 1}}));
}

#[test]
fn a_report_merges_and_counts_up() {
    let mut twin = twin();
    let patch = json!({"a": {"x": 1, "y": null}, "b": [1], "gone": null});
    assert_eq!(twin.report(&patch, None, moment(1)), Ok(2));
    assert_eq!(twin.report(&json!({"a": {"x": null, "z": 2}}), None, moment(2)), Ok(3));
    assert_eq!(
        twin.for_device(),
        json!({"desired": {"$version": 1}, "reported": {"a": {"z": 2}, "b": [1], "$version": 3}})
    );
    assert_eq!(
        Value::Object(twin.reported.metadata),
        json!({
            "$lastUpdated": "2030-01-01T00:00:02Z",
            "a": {"$lastUpdated": "2030-01-01T00:00:02Z", "z": {"$lastUpdated": "2030-01-01T00:00:02Z"}},
            "b": {"$lastUpdated": "2030-01-01T00:00:01Z"}
        })
    );
}

#[test]
fn a_report_for_another_version_is_refused() {
    let mut twin = twin();
    assert_eq!(twin.report(&json!({}), Some(7), moment(1)).map_err(|fault| fault.status), Err(412));
    assert_eq!(twin.report(&json!({}), Some(1), moment(1)), Ok(2));
}

#[test]
fn desired_properties_carry_their_version_in_the_metadata() {
    let mut twin = twin();
    let push = twin.update(&desired(json!({"interval": 60, "$version": 9})), moment(5)).expect("taken");
    assert_eq!(push, Some(json!({"interval": 60})));
    assert_eq!(
        twin.desired.for_service(),
        json!({
            "interval": 60,
            "$metadata": {
                "$lastUpdated": "2030-01-01T00:00:05Z", "$lastUpdatedVersion": 2,
                "interval": {"$lastUpdated": "2030-01-01T00:00:05Z", "$lastUpdatedVersion": 2}
            },
            "$version": 2
        })
    );
}

#[test]
fn tags_alone_leave_the_desired_version_and_push_nothing() {
    let mut twin = twin();
    let etag = twin.etag();
    let update = TwinUpdate { tags: json!({"site": "a"}).as_object().cloned(), desired: None };
    assert_eq!(twin.update(&update, moment(1)), Ok(None));
    assert_eq!(twin.desired.version, 1);
    assert_ne!(twin.etag(), etag);
}

#[test]
fn a_replacement_pushes_the_whole_section() {
    let mut twin = twin();
    twin.update(&desired(json!({"a": 1, "b": 2})), moment(1)).expect("taken");
    assert_eq!(twin.replace(&desired(json!({"c": 3})), moment(2)), Ok(Some(json!({"c": 3}))));
    assert_eq!(twin.desired.for_device(), json!({"c": 3, "$version": 3}));
}

#[test]
fn an_etag_is_eight_bytes_of_a_counter() {
    let mut twin = twin();
    twin.revision = 4;
    assert_eq!(twin.etag(), "AAAAAAAAAAQ=");
}

#[test]
fn what_breaks_a_limit_is_refused_and_changes_nothing() {
    let deep = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"k": inner}));
    let mut twin = twin();
    for bad in [
        json!(7),
        json!([1]),
        json!({"a.b": 1}),
        json!({"$a": 1}),
        json!({"a b": 1}),
        json!({"a#b": 1}),
        json!({"": 1}),
        json!({"a\u{1}": 1}),
        json!({"k".repeat(1025): 1}),
        json!({"a": [1, null]}),
        json!({"a": [{"b": [null]}]}),
        json!({"a": "x".repeat(4097)}),
        json!({"a": 4_503_599_627_370_496_i64}),
        json!({"a": -4_503_599_627_370_497_i64}),
        json!({"a": u64::MAX}),
        deep(12),
        json!({"a": [deep(12)]}),
        json!({"a": (0..9).map(|_| "x".repeat(4000)).collect::<Vec<_>>()}),
    ] {
        let before = twin.clone();
        assert_eq!(twin.report(&bad, None, moment(1)).map_err(|fault| fault.status), Err(400), "{bad}");
        assert_eq!(twin, before);
    }
    for good in [
        json!({"a": 4_503_599_627_370_495_i64, "b": -4_503_599_627_370_496_i64, "c": 1e300}),
        json!({"a": "x".repeat(4096), "b": true}),
        deep(11),
    ] {
        assert!(twin.report(&good, None, moment(1)).is_ok(), "{good}");
    }
}

#[test]
fn the_section_as_a_whole_counts_not_the_patch() {
    let mut twin = twin();
    for part in 0..8 {
        let patch = json!({format!("k{part}"): "x".repeat(4000)});
        assert!(twin.report(&patch, None, moment(1)).is_ok());
    }
    let patch = json!({"k8": "x".repeat(4000)});
    assert!(twin.report(&patch, None, moment(1)).is_err());
    assert_eq!(twin.reported.version, 9);
}

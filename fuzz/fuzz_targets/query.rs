//! Queries, the conditions of jobs and configurations, and routes.
#![no_main]

use envsim::cloud::core::query::{Condition, Query};
use envsim::cloud::core::routes::Route;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let rows = [
        json!({"deviceId": "a", "tags": {"n": 1, "s": "x"}, "properties": {"reported": {"l": [1, 2]}}}),
        json!({"deviceId": "b", "tags": {"n": -2.5, "s": null}, "status": "enabled"}),
    ];
    if let Ok(query) = Query::parse(text) {
        let _ = query.run(rows.iter());
        assert_eq!(Query::parse(&query.to_string()).as_ref(), Ok(&query), "{query}");
    }
    if let Ok(condition) = Condition::parse(text) {
        for row in &rows {
            let _ = condition.selects(row);
        }
    }
    if let Ok(route) = text.parse::<Route>() {
        assert_eq!(route.to_string().parse().as_ref(), Ok(&route), "{route}");
    }
});

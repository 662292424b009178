//! Microsoft's examples first, then what they leave open, then anything at all.

mod documented;
mod language;
mod nonsense;

use serde_json::{Value, json};

use super::{Condition, Query, QueryError};

fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> QueryError {
    match Query::parse(text) {
        Ok(query) => panic!("{text} was read as {query}"),
        Err(error) => error,
    }
}

/// What the query gives for these rows.
fn answer(text: &str, rows: &[Value]) -> Vec<Value> {
    query(text).run(rows).items
}

/// Whether the condition holds for the row.
fn holds(condition: &str, row: &Value) -> bool {
    let read = Condition::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    read.selects(row)
}

/// The names of the devices that the query selects.
fn devices(text: &str, rows: &[Value]) -> Vec<String> {
    let name = |item: &Value| item["deviceId"].as_str().unwrap_or("?").to_owned();
    answer(text, rows).iter().map(name).collect()
}

/// Four twins, like the one in "Queries for IoT Hub device and module twins".
fn fleet() -> Vec<Value> {
    vec![
        json!({
            "deviceId": "a", "etag": "AAAAAAAAAAc=", "status": "enabled", "connectionState": "Connected",
            "lastActivityTime": "2026-01-01T00:00:00Z", "version": 2,
            "capabilities": { "iotEdge": false },
            "tags": { "location": { "region": "US", "plant": "Redmond43" }, "floors": [1, 2] },
            "properties": {
                "desired": { "limit": 20, "$version": 4 },
                "reported": {
                    "connectivity": "wired", "limit": 20, "$version": 7,
                    "telemetryConfig": { "sendFrequencyInSecs": 300, "status": "Success" },
                },
            },
        }),
        json!({
            "deviceId": "b", "status": "disabled", "connectionState": "Disconnected",
            "lastActivityTime": "0001-01-01T00:00:00Z", "version": 5,
            "capabilities": { "iotEdge": true },
            "tags": { "location": { "region": "US" }, "odd name": 1, "battery-level": 7 },
            "properties": {
                "desired": { "$version": 1 },
                "reported": {
                    "connectivity": "wifi", "$version": 1,
                    "telemetryConfig": { "sendFrequencyInSecs": 30, "status": "Success" },
                },
            },
            "configurations": { "roll-out.1": { "status": "Applied" } },
        }),
        json!({
            "deviceId": "c", "status": "enabled", "connectionState": "Disconnected",
            "lastActivityTime": "2031-01-01T00:00:00Z", "version": 1,
            "tags": { "location": { "region": "DE" } },
            "properties": {
                "desired": { "limit": 20 },
                "reported": { "connectivity": { "type": "cellular" }, "limit": 21,
                    "telemetryConfig": { "sendFrequencyInSecs": 60, "status": "Pending" } },
            },
        }),
        json!({
            "deviceId": "d", "status": "enabled", "version": 0,
            "tags": { "note": null },
            "properties": { "desired": {}, "reported": {} },
        }),
    ]
}

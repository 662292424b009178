//! What waits behind the routes of an IoT Edge device.

use super::*;

const INPUTS: &str = "devices/edge/modules/filter/inputs/#";

/// The device `edge`, with routes from its module `sensor` to its module `filter`.
fn deploy(cloud: &CloudProcess) {
    let into = "INTO BrokeredEndpoint(\"/modules/filter/inputs/i\")";
    let routes = json!({
        "calm": format!("FROM /messages/modules/sensor/* WHERE NOT urgent = 'yes' {into}"),
        "urgent": {"route": format!("FROM /messages/* WHERE urgent = 'yes' {into}"), "priority": 0},
    });
    let module = json!({"type": "docker", "status": "running"});
    let content = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {
            "schemaVersion": "1.1", "modules": {"sensor": module, "filter": module},
        }},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": routes}},
    }});
    let mut service = Service::open(cloud).expect("a connection");
    let edge = json!({"deviceId": "edge", "capabilities": {"iotEdge": true}});
    for (method, path, body) in
        [("PUT", "/devices/edge", edge), ("POST", "/devices/edge/applyConfigurationContent", content)]
    {
        let (status, answer) = service.ask(method, path, &body).expect("an answer");
        assert!(status < 300, "{path}: {status} {answer}");
    }
}

/// How many messages wait by each route.
fn queued(cloud: &CloudProcess) -> [u64; 2] {
    let mut service = Service::open(cloud).expect("a connection");
    let (status, seen) = service.ask("GET", "/envsim/edge/edge", &Value::Null).expect("an answer");
    assert_eq!(status, 200, "{seen}");
    [0, 1].map(|route| seen["routes"][route]["queued"].as_u64().expect("a number"))
}

#[test]
fn what_waits_for_a_module_of_an_edge_device_is_there_after_kill_9_in_its_order() {
    let folder = TempDir::new().expect("a folder");
    let cloud = start(folder.path());
    deploy(&cloud);
    let mut sensor = Device::open_module(&cloud, "edge", "sensor");
    for (urgent, body) in [("no", "1"), ("no", "2"), ("yes", "3")] {
        let topic = format!("devices/edge/modules/sensor/messages/events/urgent={urgent}");
        sensor.send(&topic, body).expect("taken");
    }
    cloud.stop("KILL");

    let cloud = start(folder.path());
    assert_eq!(queued(&cloud), [2, 1]);
    let mut filter = Device::open_module(&cloud, "edge", "filter");
    filter.subscribe(INPUTS, QoS::AtLeastOnce).expect("granted");
    let handed = [filter.next(), filter.next(), filter.next()];
    assert_eq!(handed.each_ref().map(|(_, body)| body.as_str()), ["3", "1", "2"]);
    filter.acknowledge(handed[1].0).expect("heard");
    cloud.stop("TERM").expect(0);

    // Two were in its hands: it has them again, unasked.
    let cloud = start(folder.path());
    let mut filter = Device::open_module(&cloud, "edge", "filter");
    let handed = [filter.next(), filter.next()];
    assert_eq!(handed.each_ref().map(|(_, body)| body.as_str()), ["3", "2"]);
    for (packet, _) in handed {
        filter.acknowledge(packet).expect("heard");
    }
    cloud.stop("KILL");
    assert_eq!(queued(&start(folder.path())), [0, 0]);
}

"""Routes of an IoT Edge device: deployed by the service SDK, tried by modules with the device SDK."""

import json

from azure.iot.device import Message
from azure.iot.device.aio import IoTHubModuleClient as AsyncModuleClient
from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import ConfigurationContent

from harness import SERVICE, Events, Identity, case, connected, equal, main, new_module, registry, rest, unique, wait
from harness import wait_async

INPUT = 'BrokeredEndpoint("/modules/filterModule/inputs/input1")'
# The two of the Edge filter tutorial.
SENSOR_TO_FILTER = f"FROM /messages/modules/tempSensor/outputs/temperatureOutput INTO {INPUT}"
FILTER_TO_HUB = "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream"


class Edge:
    """An IoT Edge device with the tutorial's two modules, and these routes."""

    def __init__(self, routes, store=None):
        made = registry().create_device_with_sas(unique("edge"), None, None, "enabled", iot_edge=True)
        self.device = made.device_id
        self.deploy(routes, store)

    def deploy(self, routes, store=None):
        modules = {name: {"type": "docker", "status": "running"} for name in ("tempSensor", "filterModule")}
        hub = {"schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": store or {}}
        content = ConfigurationContent(
            modules_content={
                "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": modules}},
                "$edgeHub": {"properties.desired": hub},
                "filterModule": {"properties.desired": {"TemperatureThreshold": 25}},
            }
        )
        manager = IoTHubConfigurationManager.from_connection_string(SERVICE)
        manager.apply_configuration_on_edge_device(self.device, content)

    def module(self, name):
        made = registry().get_module(self.device, name)
        return Identity(self.device, made.authentication.symmetric_key.primary_key, name)

    def reported(self):
        return registry().get_module_twin(self.device, "$edgeHub").properties.reported

    def status(self):
        response = rest("GET", f"/envsim/edge/{self.device}")
        equal(response.status_code, 200, f"the status ({response.text})")
        return response.json()

    def route(self, name):
        return next(route for route in self.status()["routes"] if route["name"] == name)


def reading(temperature, properties=None):
    """What the tutorial's sensor sends."""
    message = Message(
        json.dumps({"machine": {"temperature": temperature, "pressure": 2}, "timeCreated": "2030-01-01T00:00:00Z"}),
        content_encoding="utf-8",
        content_type="application/json",
    )
    message.custom_properties.update(properties or {})
    return message


def temperatures(messages):
    return sorted(json.loads(message.data)["machine"]["temperature"] for message in messages)


def heard(client):
    """A list that everything on the client's inputs is added to. The SDK has several threads for it, and no order."""
    messages = []
    client.on_message_received = messages.append
    return messages


def filtering(client, threshold=25):
    """The tutorial's filter module."""

    def handle(message):
        temperature = json.loads(message.data)["machine"]["temperature"]
        if temperature > threshold:
            alert = Message(message.data)
            alert.custom_properties["MessageType"] = "Alert"
            client.send_message_to_output(alert, "output1")

    client.on_message_received = handle


@case
def the_tutorial_s_modules_filter_what_reaches_the_hub():
    edge = Edge({"sensorToFilter": SENSOR_TO_FILTER, "filterToIoTHub": FILTER_TO_HUB})
    equal(edge.reported()["lastDesiredStatus"], {"code": 200, "description": ""})
    with connected(edge.module("filterModule")) as filter_client, connected(edge.module("tempSensor")) as sensor:
        equal(filter_client.get_twin()["desired"]["TemperatureThreshold"], 25)
        filtering(filter_client)
        with Events(edge.device) as events:
            for temperature in (20, 30, 25, 40):
                sensor.send_message_to_output(reading(temperature), "temperatureOutput")
            seen = [events.telemetry() for _ in range(2)]
            equal(sorted(event["body"]["machine"]["temperature"] for event in seen), [30, 40])
            for event in seen:
                equal((event["moduleId"], event["properties"]["MessageType"]), ("filterModule", "Alert"))
        wait("acknowledgements", lambda: edge.route("sensorToFilter")["passed"] == 4)
        equal(edge.route("filterToIoTHub")["passed"], 2)
        equal(edge.status()["unrouted"], 0)


@case
def an_input_tells_who_sent_and_with_which_properties():
    edge = Edge({"in": SENSOR_TO_FILTER})
    with connected(edge.module("filterModule")) as client, connected(edge.module("tempSensor")) as sensor:
        messages = heard(client)
        message = reading(21, {"a b": "c/d&e=f"})
        message.message_id, message.correlation_id = "id/1", "c"
        sensor.send_message_to_output(message, "temperatureOutput")
        wait("message", lambda: messages)
        seen = messages[0]
        equal((seen.input_name, seen.message_id, seen.correlation_id), ("input1", "id/1", "c"))
        equal((seen.content_type, seen.content_encoding), ("application/json", "utf-8"))
        equal(seen.custom_properties["a b"], "c/d&e=f")
        assert "$.on" not in seen.custom_properties, seen.custom_properties


@case
async def an_asynchronous_module_hears_its_inputs():
    edge = Edge({"in": SENSOR_TO_FILTER})
    client = AsyncModuleClient.create_from_connection_string(edge.module("filterModule").connection_string())
    messages = []
    client.on_message_received = messages.append
    await client.connect()
    try:
        with connected(edge.module("tempSensor")) as sensor:
            sensor.send_message_to_output(reading(22), "temperatureOutput")
            await wait_async("message", lambda: messages)
            equal((messages[0].input_name, temperatures(messages)), ("input1", [22]))
    finally:
        await client.shutdown()


@case
def a_wildcard_takes_messages_with_and_without_an_output():
    edge = Edge({"all": f"FROM /messages/modules/tempSensor/* INTO {INPUT}", "up": "FROM /messages/* INTO $upstream"})
    with connected(edge.module("filterModule")) as client, connected(edge.module("tempSensor")) as sensor:
        messages = heard(client)
        with Events(edge.device) as events:
            sensor.send_message(reading(1))
            sensor.send_message_to_output(reading(2), "anything")
            wait("both", lambda: len(messages) == 2)
            equal(temperatures(messages), [1, 2])
            equal([events.telemetry()["body"]["machine"]["temperature"] for _ in range(2)], [1, 2])


@case
def a_condition_on_a_property_selects():
    edge = Edge({"alerts": "FROM /messages/* WHERE MessageType = 'Alert' INTO $upstream"})
    with connected(edge.module("tempSensor")) as sensor, Events(edge.device) as events:
        sensor.send_message_to_output(reading(1), "out")
        sensor.send_message_to_output(reading(2, {"MessageType": "Warning"}), "out")
        sensor.send_message_to_output(reading(3, {"MessageType": "Alert"}), "out")
        equal(events.telemetry()["body"]["machine"]["temperature"], 3)
        equal(edge.status()["unrouted"], 2)


@case
def a_condition_on_the_body_selects():
    edge = Edge({"hot": f"FROM /messages/* WHERE $body.machine.temperature > 25 INTO {INPUT}"})
    with connected(edge.module("filterModule")) as client, connected(edge.module("tempSensor")) as sensor:
        messages = heard(client)
        for temperature in (20, 26, 25, 30):
            sensor.send_message_to_output(reading(temperature), "out")
        # A body that does not say what it is is not looked into.
        sensor.send_message_to_output(Message('{"machine": {"temperature": 99}}'), "out")
        sensor.send_message_to_output(reading(31), "out")
        wait("the hot ones", lambda: len(messages) == 3)
        equal(temperatures(messages), [26, 30, 31])
        equal(edge.status()["unrouted"], 3)


@case
async def a_module_that_was_away_has_its_messages_later_the_urgent_first():
    routes = {
        "calm": SENSOR_TO_FILTER,
        "urgent": {"route": f"FROM /messages/* WHERE urgent = 'yes' INTO {INPUT}", "priority": 0},
    }
    edge = Edge(routes)
    with connected(edge.module("tempSensor")) as sensor:
        for temperature in (1, 2):
            sensor.send_message_to_output(reading(temperature), "temperatureOutput")
        sensor.send_message_to_output(reading(3, {"urgent": "yes"}), "temperatureOutput")
    equal((edge.route("calm")["queued"], edge.route("urgent")["queued"]), (2, 1))
    messages = []

    # The SDK keeps the order of messages for coroutines only.
    async def handle(message):
        messages.append(message)

    client = AsyncModuleClient.create_from_connection_string(edge.module("filterModule").connection_string())
    client.on_message_received = handle
    await client.connect()
    try:
        await wait_async("what waited", lambda: len(messages) == 3)
        equal([temperatures([message]) for message in messages], [[3], [1], [2]])
        await wait_async("acknowledgements", lambda: edge.route("calm")["passed"] == 2)
    finally:
        await client.shutdown()


@case
def messages_for_a_module_that_stays_away_expire():
    edge = Edge({"in": {"route": SENSOR_TO_FILTER, "timeToLiveSecs": 1}})
    with connected(edge.module("tempSensor")) as sensor:
        sensor.send_message_to_output(reading(1), "temperatureOutput")
        wait("the end of its life", lambda: edge.route("in")["expired"] == 1)
        with connected(edge.module("filterModule")) as client:
            messages = heard(client)
            # Its life is longer than the way to a module that listens.
            edge.deploy({"in": SENSOR_TO_FILTER})
            sensor.send_message_to_output(reading(2), "temperatureOutput")
            wait("message", lambda: messages)
            equal(temperatures(messages), [2])


@case
def a_bad_route_is_reported_and_the_routes_before_go_on():
    edge = Edge({"up": "FROM /messages/* INTO $upstream"})
    edge.deploy({"up": "FROM /messages/* TO $upstream"})
    reported = edge.reported()
    equal(reported["lastDesiredStatus"]["code"], 400)
    assert "column 18" in reported["lastDesiredStatus"]["description"], reported
    with connected(edge.module("tempSensor")) as sensor, Events(edge.device) as events:
        sensor.send_message(reading(1))
        equal(events.telemetry()["moduleId"], "tempSensor")


@case
def modules_of_other_devices_and_of_edge_devices_without_a_deployment_speak_to_the_hub():
    edge = registry().create_device_with_sas(unique("edge"), None, None, "enabled", iot_edge=True).device_id
    made = registry().create_module_with_sas(edge, "sensor", "", "", "")
    bare = Identity(edge, made.authentication.symmetric_key.primary_key, "sensor")
    for module in (bare, new_module()):
        with connected(module) as client, Events(module.device) as events:
            client.send_message_to_output(reading(1), "out")
            equal(events.telemetry()["properties"]["$.on"], "out")


@case
def twin_changes_of_modules_are_routed():
    edge = Edge({"twins": f"FROM /twinChangeNotifications INTO {INPUT}"})
    with connected(edge.module("filterModule")) as client, connected(edge.module("tempSensor")) as sensor:
        messages = heard(client)
        sensor.patch_twin_reported_properties({"level": 2})
        wait("notification", lambda: messages)
        equal(json.loads(messages[0].data), {"level": 2})


main()

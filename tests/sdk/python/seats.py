"""envsim's own modules, with programs on the service SDK as their back ends: module twin, Edge filter."""

import contextlib
import json
import os
import subprocess
import threading

from azure.iot.hub import IoTHubConfigurationManager
from azure.iot.hub.models import CloudToDeviceMethod, ConfigurationContent, Twin, TwinProperties

from harness import READY, SERVICE, Events, case, equal, http_error, main, registry, unique, wait


class Run:
    """`envsim run` with modules of this cloud's registry."""

    def __init__(self, *options):
        variables = {"IOTHUB_CONNECTION_STRING": SERVICE, "ENVSIM_CA": READY["caFile"]}
        port = str(READY["mqttPort"])
        self.events = []
        self.process = subprocess.Popen(
            [os.environ["CLOUD_PROGRAM"], "run", "--headless", "--format", "json", "--mqtt-port", port, *options],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def told(self, name, device=None):
        """The events of this name so far."""
        return [event for event in self.events if event["event"] == name and device in (None, event["device"])]

    def end(self):
        self.process.terminate()
        code = self.process.wait()
        self.reader.join()
        return code


@contextlib.contextmanager
def running(*options):
    run = Run(*options)
    try:
        yield run
        equal(run.end(), 0, "the exit code")
    finally:
        run.process.kill()


def module_twin(device, module):
    return registry().get_module_twin(device, module)


def desire(device, module, desired, etag):
    patch = Twin(properties=TwinProperties(desired=desired))
    return registry().update_module_twin(device, module, patch, etag)


def deploy(device, threshold):
    """The tutorial's deployment, with this threshold."""
    names = ("tempSensor", "filterModule")
    modules = {name: {"type": "docker", "status": "running", "restartPolicy": "always"} for name in names}
    routes = {
        "sensorToFilter": "FROM /messages/modules/tempSensor/outputs/temperatureOutput "
        'INTO BrokeredEndpoint("/modules/filterModule/inputs/input1")',
        "filterToIoTHub": "FROM /messages/modules/filterModule/outputs/output1 INTO $upstream",
    }
    store = {"timeToLiveSecs": 7200}
    hub = {"schemaVersion": "1.0", "routes": routes, "storeAndForwardConfiguration": store}
    content = {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.0", "modules": modules}},
        "$edgeHub": {"properties.desired": hub},
        "filterModule": {"properties.desired": {"TemperatureThreshold": threshold}},
    }
    manager = IoTHubConfigurationManager.from_connection_string(SERVICE)
    manager.apply_configuration_on_edge_device(device, ConfigurationContent(modules_content=content))


def threshold(device):
    """What the filter of an IoT Edge device holds."""
    return module_twin(device, "filterModule").properties.reported.get("TemperatureThreshold", {}).get("value")


@case
def a_module_takes_its_interval_from_its_twin():
    device, module = unique("machine"), "myFirstModule"
    with running("--profile", "module", "--device-id", device, "--interval", "1s") as run:
        wait("telemetry", lambda: len(run.told("sent")) >= 3)
        # What the tutorial's first program does: both are there, so both are read.
        http_error(409, registry().create_device_with_sas, device, "", "", "enabled")
        made = registry().get_module(device, module)
        assert made.authentication.symmetric_key.primary_key, made
        # The second one.
        before = module_twin(device, module)
        assert "telemetryInterval" not in before.properties.desired, before
        after = desire(device, module, {"telemetryInterval": 122}, before.etag)
        equal(after.properties.desired["telemetryInterval"], 122)
        version = after.properties.desired["$version"]
        acknowledged = wait("the answer", lambda: module_twin(device, module).properties.reported.get("telemetryInterval"))
        equal(acknowledged, {"value": 122, "ac": 200, "av": version, "ad": "completed"})
        # The period is the new one from the message after next.
        sent = len(run.told("sent"))
        after = desire(device, module, {"telemetryInterval": "often"}, "*")
        refused = wait(
            "the refusal",
            lambda: [
                said
                for said in [module_twin(device, module).properties.reported["telemetryInterval"]]
                if said["av"] == after.properties.desired["$version"]
            ],
        )[0]
        equal((refused["value"], refused["ac"]), (122, 400))
        assert "a whole number from 1 to 86400" in refused["ad"], refused
        assert len(run.told("sent")) <= sent + 1, run.told("sent")
        desire(device, module, {"telemetryInterval": 1}, "*")
        wait("telemetry again", lambda: len(run.told("sent")) >= sent + 3)
    # A module that is there is found, and holds what it was told before.
    desire(device, module, {"telemetryInterval": 86400}, "*")
    with running("--profile", "module", "--device-id", device, "--interval", "1s") as run:
        found = wait("the module", lambda: [note for note in run.told("note") if "found the module" in note["text"]])
        assert made.authentication.symmetric_key.primary_key not in json.dumps(found)
        wait("the interval", lambda: [note for note in run.told("note") if "telemetry every 86400 s" in note["text"]])


@case
def a_module_answers_direct_methods():
    device, module = unique("machine"), unique("module")
    with running("--profile", "module", "--device-id", device, "--module-id", module) as run:
        wait("telemetry", lambda: run.told("acknowledged"))

        def call(name):
            method = CloudToDeviceMethod(method_name=name, payload=None)
            return registry().invoke_device_module_method(device, module, method)

        equal(call("ping").status, 200)
        assert call("ping").payload["messages"] >= 1
        equal(call("resetCounter").status, 200)
        equal(call("blink").status, 404)


@case
def an_edge_filter_s_threshold_comes_with_a_deployment():
    device = unique("edge")
    modules = (f"{device}/tempSensor", f"{device}/filterModule")
    with Events(device) as events, running(
        "--profile", "edge-filter", "--device-id", device, "--interval", "100ms", "--seed", "1"
    ) as run:
        wait("the filter", lambda: run.told("connected", modules[1]))
        wait("the threshold", lambda: threshold(device) == 25)
        wait("readings", lambda: len(run.told("received", modules[1])) >= 3)
        # Higher than any machine gets: nothing goes on any more.
        deploy(device, 200)
        wait("the higher threshold", lambda: threshold(device) == 200)
        sent = len(run.told("sent", modules[1]))
        received = len(run.told("received", modules[1]))
        wait("more readings", lambda: len(run.told("received", modules[1])) >= received + 5)
        equal(len(run.told("sent", modules[1])), sent, "alerts")
        # Lower than any: everything does.
        deploy(device, 20)
        wait("the lower threshold", lambda: threshold(device) == 20)
        wait("alerts", lambda: len(run.told("acknowledged", modules[1])) >= sent + 3)
        for _ in range(sent + 3):
            alert = events.telemetry()
            equal(alert["moduleId"], "filterModule")
            equal(alert["properties"]["MessageType"], "Alert")
            assert alert["body"]["machine"]["temperature"] > 20, alert
            equal(sorted(alert["body"]), ["ambient", "machine", "timeCreated"])


@case
def an_edge_filter_can_send_on_everything():
    device = unique("edge")
    with Events(device) as events, running(
        "--profile", "edge-filter", "--device-id", device, "--interval", "200ms", "--edge-forward", "all"
    ):
        first = events.telemetry()
        # The machine is cold at first, so that this is no alert.
        assert "MessageType" not in first["properties"], first


@case
def a_deployment_that_is_there_stays():
    device = unique("edge")
    registry().create_device_with_sas(device, None, None, "enabled", iot_edge=True)
    deploy(device, 77)
    with running("--profile", "edge-filter", "--device-id", device):
        wait("the threshold", lambda: threshold(device) == 77)


main()

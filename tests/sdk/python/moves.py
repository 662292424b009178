"""Sending a device to another ID scope, by the service SDK: the device is `envsim run`."""

import contextlib
import json
import os
import subprocess

from azure.iot.hub.models import CloudToDeviceMethod

from harness import DEADLINE, READY, case, equal, main, registry, unique, wait


@contextlib.contextmanager
def sensor():
    """A device by way of the provisioning service, connected, and what it has said so far."""
    device = unique("mover")
    where = ["--provisioning-host", READY["provisioningEndpoint"], "--id-scope", READY["idScope"]]
    who = ["--device-id", device, "--group-key", READY["groupKey"], "--ca", READY["caFile"]]
    process = subprocess.Popen(
        [os.environ["CLOUD_PROGRAM"], "run", "--headless", "--format", "json", "--interval", "50ms", *where, *who],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )

    def heard(name):
        """The next event of this name. A device that ends says no more."""
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == name:
                return event
        raise AssertionError(f"no `{name}`, exit code {process.wait()}")

    try:
        heard("twin")
        yield device, heard
        process.terminate()
        process.stdout.read()
        equal(process.wait(DEADLINE), 0, "the exit code of the device")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def ordered(device, scope):
    """Orders it away, and returns what it reports of it."""
    before = registry().get_twin(device).properties.reported.get("DeviceMove")
    request = CloudToDeviceMethod(method_name="DeviceMove", payload=scope, response_timeout_in_seconds=30)
    equal(registry().invoke_device_method(device, request).status, 202)

    def outcome():
        reported = registry().get_twin(device).properties.reported.get("DeviceMove")
        return reported if reported != before else None

    return wait("outcome", outcome)["value"]


@case
def a_device_moves_where_the_back_end_sends_it():
    (other, *_) = READY["otherScopes"]
    with sensor() as (device, heard):
        for scope in (other, READY["idScope"]):
            said = ordered(device, scope)
            assert said.startswith(f"Moved to the ID scope {scope} at "), said
            heard("registering")
            heard("connected")
            heard("acknowledged")
            request = CloudToDeviceMethod(method_name="blink", payload=3)
            equal(registry().invoke_device_method(device, request).status, 200)


@case
def a_device_comes_back_from_a_scope_that_does_not_know_it():
    with sensor() as (device, heard):
        said = ordered(device, "0neNOWHERE")
        assert said.startswith("Not moved to the ID scope 0neNOWHERE, back at "), said
        heard("failed")
        heard("connected")
        heard("acknowledged")


main()

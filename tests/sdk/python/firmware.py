"""The firmware tutorial's back end on the service SDK, with `envsim run --profile firmware` as the device."""

import contextlib
import os
import subprocess
import time

import requests
from azure.iot.hub.models import CloudToDeviceMethod

from harness import DEADLINE, READY, case, equal, main, new_device, registry

# The tutorial's words for what stands in the twin.
WORDS = {
    "standBy": "Waiting on device...",
    "downloading": "Downloading firmware...",
    "applying": "Download complete, applying firmware...",
    "completed": "Firmware applied",
    "failed": "Unknown status",
}


@contextlib.contextmanager
def device():
    """A simulated device whose fifteen seconds are three quarters of one."""
    made = new_device()
    what = ["--profile", "firmware", "--time-scale", "20", "--headless", "--format", "quiet"]
    process = subprocess.Popen(
        [os.environ["CLOUD_PROGRAM"], "run", "--ca", READY["caFile"], *what],
        env={**os.environ, "IOTHUB_DEVICE_CONNECTION_STRING": made.connection_string()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield made.device
        process.terminate()
        equal(process.wait(DEADLINE), 0, "the exit code of the device")
    finally:
        process.kill()
        process.wait()


def update(name, **payload):
    """Invokes as the tutorial does, with a time-out of a minute, also for the device to connect."""
    request = CloudToDeviceMethod(
        method_name="firmwareUpdate",
        payload=payload,
        response_timeout_in_seconds=60,
        connect_timeout_in_seconds=60,
    )
    return registry().invoke_device_method(name, request)


def back_end(name):
    """Polls until the update is over, and returns what it said on the way and the reported section."""
    said, end = [], time.monotonic() + 2 * DEADLINE
    while True:
        reported = registry().get_twin(name).properties.reported
        status = reported["firmwareStatus"]
        if said[-1:] != [WORDS[status]]:
            said.append(WORDS[status])
        if status in ("completed", "failed"):
            return said, reported
        assert time.monotonic() < end, f"it does not end: {said}"
        time.sleep(0.1)


@case
def the_tutorial_s_back_end_sees_every_phase():
    with device() as name:
        result = update(name, fwPackageUri="test.com")
        equal((result.status, result.payload), (200, {"Response": "Firmware update started"}))
        again = update(name, fwPackageUri="test.com")
        equal(again.status, 409)
        assert again.payload["error"].startswith("the pretended firmware update is still "), again.payload
        said, reported = back_end(name)
        # On a busy machine a phase may be over before anybody has looked; none comes out of turn.
        turns = [WORDS[status] for status in ("standBy", "downloading", "applying", "completed")]
        equal(said, [words for words in turns if words in said])
        equal(said[-1], "Firmware applied")
        for time_of in ("logTime", "downloadComplete", "startedApplyingImage", "lastFirmwareUpdate"):
            assert reported[time_of], reported
        equal(reported["firmwareVersion"], "1.0.0")


@case
def an_image_of_the_local_cloud_is_installed():
    cloud = READY["provisioningEndpoint"]
    images = requests.get(f"{cloud}/envsim/firmware", timeout=DEADLINE, verify=READY["caFile"]).json()
    image = next(image for image in images if image["version"] == "1.1.0")
    uri = cloud + image["path"]
    with device() as name:
        result = update(name, fwPackageUri=uri, sha256=image["sha256"], version="1.1.0")
        equal(result.status, 200)
        said, reported = back_end(name)
        equal(said[-1], "Firmware applied")
        equal(reported["firmwareVersion"], "1.1.0")
        equal(reported["downloadProgress"]["received"], image["size"])
        # What fails leaves what was there.
        result = update(name, fwPackageUri=uri, sha256="0" * 64, version="1.2.0")
        equal(result.status, 200)
        _, reported = back_end(name)
        equal((reported["firmwareStatus"], reported["firmwareVersion"]), ("failed", "1.1.0"))
        assert "is not the image that was asked for" in reported["firmwareError"]["reason"], reported
        assert "startedApplyingImage" not in reported, reported


main()

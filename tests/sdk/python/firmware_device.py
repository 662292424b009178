"""The firmware tutorial's device program on Microsoft's device SDK of today.

It does what the tutorial's does, a third of a second where that waits fifteen, and tells it on standard
output, one JSON object a line. Settings come from the variables that the SDK's own samples use. It ends
when its standard input is closed.
"""

import datetime
import json
import os
import sys
import threading
import time

from azure.iot.device import IoTHubDeviceClient, MethodResponse

STEP = 0.33
TELLING = threading.Lock()

client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])


def tell(event, **fields):
    with TELLING:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def report(status, **times):
    now = str(datetime.datetime.now())
    # Told first: who waits for the twin may be faster than what comes after it.
    tell("reporting", status=status)
    client.patch_twin_reported_properties({"firmwareStatus": status, **{name: now for name in times}})


def simulate_download_image():
    time.sleep(STEP)
    report("downloading", downloadComplete=True)
    time.sleep(STEP)
    report("applying", startedApplyingImage=True)
    time.sleep(STEP)
    report("completed", lastFirmwareUpdate=True)


def device_method(request):
    tell("command", name=request.name, payload=request.payload)
    if request.name == "firmwareUpdate":
        threading.Thread(target=simulate_download_image, daemon=True).start()
        response = MethodResponse.create_from_method_request(request, 200, {"Response": "Firmware update started"})
        client.send_method_response(response)


client.connect()
client.on_method_request_received = device_method
report("standBy", logTime=True)
tell("ready")
sys.stdin.read()
client.shutdown()

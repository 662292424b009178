"""The device of the reboot tutorial on Microsoft's device SDK, as its users write one.

What it does is told on standard output, one JSON object a line, for the test that runs it. It ends
when its standard input is closed.
"""

import datetime
import json
import os
import sys
import time

from azure.iot.device import IoTHubDeviceClient, MethodResponse

# The tutorial's 20 s, ten times as fast.
REBOOT = 2


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def main():
    client = IoTHubDeviceClient.create_from_connection_string(os.environ["IOTHUB_DEVICE_CONNECTION_STRING"])

    def reboot(request):
        tell("command", name=request.name, payload=request.payload)
        time.sleep(REBOOT)
        now = str(datetime.datetime.now())
        client.patch_twin_reported_properties({"rebootTime": now})
        tell("rebooted", rebootTime=now)
        payload = {"Response": "This is the response from the device"}
        client.send_method_response(MethodResponse(request.request_id, 200, payload))

    client.on_method_request_received = reboot
    client.connect()
    tell("connected")
    sys.stdin.read()
    client.shutdown()


main()

"""The back end of the reboot tutorial on Microsoft's service SDK, as its users write one.

Everything that it sees is told on standard output, one JSON object a line, for the test that runs
it.
"""

import json
import os
import time

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod

DEVICE = os.environ["DEVICE"]
# As the tutorial has it: a text that holds JSON, which the SDK sends as a text.
PAYLOAD = '{"method_number":"42"}'
LOOKS = 11


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def main():
    registry = IoTHubRegistryManager(os.environ["IOTHUB_CONNECTION_STRING"])
    before = registry.get_twin(DEVICE).properties.reported
    tell("before", rebootTime=before.get("rebootTime"))

    method = CloudToDeviceMethod(method_name="rebootDevice", payload=PAYLOAD, response_timeout_in_seconds=60)
    answer = registry.invoke_device_method(DEVICE, method)
    tell("answer", status=answer.status, payload=answer.payload)

    for look in range(LOOKS):
        reported = registry.get_twin(DEVICE).properties.reported
        tell("looked", rebootTime=reported.get("rebootTime"), look=look)
        if reported.get("rebootTime") is not None:
            return
        time.sleep(1)


main()

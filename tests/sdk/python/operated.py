"""A device or module on Microsoft's device SDK that does what `envsim hub` asks of it.

Everything that reaches it is told on standard output, one JSON object a line. Its connection string
stands in a file, which is the argument. Commands: `report` reports its payload and answers 200,
`silence` is not answered, anything else is answered 404. It ends when its standard input is closed.
"""

import json
import sys
import threading

from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient, MethodResponse

TELLING = threading.Lock()


def tell(event, **fields):
    # The SDK calls back from threads of its own; a line must not be torn by another.
    with TELLING:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        connection_string = file.read().strip()
    is_module = "ModuleId=" in connection_string
    kind = IoTHubModuleClient if is_module else IoTHubDeviceClient
    client = kind.create_from_connection_string(connection_string)

    def command(request):
        tell("command", name=request.name, payload=request.payload)
        if request.name == "silence":
            return
        status = 404
        if request.name == "report":
            status = 200
            client.patch_twin_reported_properties(request.payload)
        client.send_method_response(MethodResponse.create_from_method_request(request, status, {"done": status == 200}))

    def message(it):
        properties = dict(it.custom_properties)
        system = {"id": it.message_id, "type": it.content_type, "ack": it.ack, "expiry": it.expiry_time_utc}
        tell("message", body=it.data.decode(), properties=properties, **system)

    client.on_method_request_received = command
    client.on_twin_desired_properties_patch_received = lambda patch: tell("desired", patch=patch)
    if not is_module:
        client.on_message_received = message
    client.connect()
    tell("connected")
    sys.stdin.read()
    client.shutdown()
    tell("disconnected")


main()

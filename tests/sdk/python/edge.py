"""A module of an IoT Edge device that asks its Edge hub, as the runtime's environment names it.

SDKs ask an Edge hub over HTTPS for what MQTT has not, and know no port for it but 443.
"""

import contextlib
import os

from azure.iot.device import IoTHubModuleClient, MethodResponse
from azure.iot.device.exceptions import ClientError

from harness import HUB, READY, Identity, case, connected, ended, equal, main, new_module, refused, registry

CALL = {"methodName": "reset", "payload": {"now": True}, "responseTimeoutInSeconds": 20, "connectTimeoutInSeconds": 5}


@contextlib.contextmanager
def on_edge(module):
    """The module's client, made of what stands in the environment."""
    os.environ["EdgeHubConnectionString"] = f"{module.connection_string()};GatewayHostName={HUB}"
    os.environ["EdgeModuleCACertificateFile"] = READY["caFile"]
    with ended(IoTHubModuleClient.create_from_edge_environment()) as client:
        client.connect()
        yield client


@case
def a_module_calls_a_module_beside_it_and_the_device():
    caller = new_module("caller")
    made = registry().create_module_with_sas(caller.device, "called", "", "", "")
    called = Identity(caller.device, made.authentication.symmetric_key.primary_key, "called")
    device = Identity(caller.device, registry().get_device(caller.device).authentication.symmetric_key.primary_key)

    def answer(client):
        def with_its_payload(request):
            response = MethodResponse.create_from_method_request(request, 200, {"seen": request.payload})
            client.send_method_response(response)

        client.on_method_request_received = with_its_payload

    with connected(called) as module, connected(device) as whole, on_edge(caller) as client:
        answer(module)
        answer(whole)
        wanted = {"status": 200, "payload": {"seen": {"now": True}}}
        equal(client.invoke_method(CALL, caller.device, "called"), wanted)
        equal(client.invoke_method(CALL, caller.device), wanted)


@case
def a_module_calls_no_other_device():
    other, caller = new_module("other"), new_module("caller")
    with connected(other), on_edge(caller) as client:
        refused(ClientError, client.invoke_method, CALL, other.device, "other")


main()

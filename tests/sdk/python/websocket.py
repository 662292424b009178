"""Devices and modules over WebSocket, on port 443."""

from azure.iot.device import IoTHubDeviceClient, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient as AsyncDeviceClient
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import OTHER_KEY, Events, case, connected, drop, ended, equal, main, new_device, new_module, refused, registry
from harness import send_to_device, wait, wait_async


@case
def telemetry_arrives_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client, Events(device.device) as events:
        client.send_message("over websocket")
        equal(events.telemetry()["body"], "over websocket")


@case
def a_body_near_the_limit_arrives_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client, Events(device.device) as events:
        client.send_message("x" * 260_000)
        equal(len(events.telemetry()["body"]), 260_000)


@case
def the_twin_works_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client:
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        client.patch_twin_reported_properties({"a": 1})
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"b": 2})))
        wait("patch", lambda: patches)
        equal(client.get_twin(), {"desired": {"b": 2, "$version": 2}, "reported": {"a": 1, "$version": 2}})


@case
def methods_work_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client:

        def handle(request):
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

        client.on_method_request_received = handle
        request = CloudToDeviceMethod(method_name="echo", payload={"a": "x" * 10_000})
        equal(registry().invoke_device_method(device.device, request).payload, {"a": "x" * 10_000})


@case
def messages_from_the_cloud_arrive_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client:
        messages = []
        client.on_message_received = messages.append
        send_to_device(device.device, "hello", {"level": "3"})
        wait("message", lambda: messages)
        equal((messages[0].data, messages[0].custom_properties["level"]), (b"hello", "3"))


@case
def a_wrong_key_is_a_credential_error_over_websocket():
    device = new_device()
    client = IoTHubDeviceClient.create_from_connection_string(device.connection_string(OTHER_KEY), websockets=True)
    with ended(client):
        refused(CredentialError, client.connect)


@case
def a_token_is_renewed_over_websocket():
    device = new_device()
    client = IoTHubDeviceClient.create_from_connection_string(
        device.connection_string(), websockets=True, sastoken_ttl=121
    )
    with ended(client), Events(device.device) as events:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        client.connect()
        wait("renewal", lambda: len(changes) >= 3 and client.connected)
        client.send_message("with the new token")
        equal(events.telemetry()["body"], "with the new token")


@case
def a_dropped_connection_is_made_again_over_websocket():
    device = new_device()
    with connected(device, websockets=True) as client, Events(device.device) as events:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        equal(drop(device), 1, "what was dropped")
        wait("the link again", lambda: len(changes) >= 2 and client.connected)
        client.send_message("again")
        equal(events.telemetry()["body"], "again")


@case
async def the_asynchronous_client_works_over_websocket():
    device = new_device()
    client = AsyncDeviceClient.create_from_connection_string(device.connection_string(), websockets=True)
    try:
        await client.connect()
        patches, messages = [], []
        client.on_twin_desired_properties_patch_received = patches.append
        client.on_message_received = messages.append
        await client.patch_twin_reported_properties({"a": 1})
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"b": 2})))
        send_to_device(device.device, "hello")
        await wait_async("patch", lambda: patches)
        await wait_async("message", lambda: messages)
        equal(await client.get_twin(), {"desired": {"b": 2, "$version": 2}, "reported": {"a": 1, "$version": 2}})
        await client.send_message("over websocket")
    finally:
        await client.shutdown()
    with Events(device.device) as events:
        equal(events.telemetry()["body"], "over websocket")


@case
def a_newer_connection_over_mqtt_takes_over_from_websocket():
    device = new_device()
    with connected(device, websockets=True, connection_retry=False) as older:
        with connected(device, connection_retry=False) as newer:
            wait("the end of the older one", lambda: not older.connected)
            assert newer.connected


@case
def a_module_works_over_websocket():
    module = new_module()
    with connected(module, websockets=True) as client, Events(module.device) as events:
        client.send_message_to_output("x", "out")
        equal(events.telemetry()["properties"]["$.on"], "out")
        equal(client.get_twin()["desired"], {"$version": 1})


main()

"""Modules as clients: the synchronous and the asynchronous one."""

from azure.iot.device import IoTHubModuleClient, Message, MethodResponse
from azure.iot.device.aio import IoTHubModuleClient as AsyncModuleClient
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import OTHER_KEY, Events, Identity, case, connected, drop, ended, equal, main, new_module, refused
from harness import registry, wait, wait_async


def desire(module, desired):
    twin = Twin(properties=TwinProperties(desired=desired))
    return registry().update_module_twin(module.device, module.module, twin)


@case
def a_module_connects():
    module = new_module()
    with connected(module) as client:
        assert client.connected
        state = registry().get_module(module.device, module.module).connection_state
        equal(state, "Connected", "the state in the registry")


@case
def a_module_sends_telemetry():
    module = new_module()
    with connected(module) as client, Events(module.device) as events:
        client.send_message("from a module")
        event = events.telemetry()
        equal((event["body"], event["deviceId"], event["moduleId"]), ("from a module", module.device, module.module))


@case
def a_module_sends_to_an_output():
    module = new_module()
    with connected(module) as client, Events(module.device) as events:
        message = Message("hot")
        message.custom_properties["MessageType"] = "Alert"
        client.send_message_to_output(message, "alert/1")
        event = events.telemetry()
        equal(event["body"], "hot")
        equal((event["properties"]["$.on"], event["properties"]["MessageType"]), ("alert/1", "Alert"))


@case
def a_module_has_a_twin():
    module = new_module()
    with connected(module) as client:
        equal(client.get_twin(), {"desired": {"$version": 1}, "reported": {"$version": 1}})
        client.patch_twin_reported_properties({"threshold": 25})
        twin = registry().get_module_twin(module.device, module.module)
        equal(twin.properties.reported["threshold"], 25)
        equal(registry().get_twin(module.device).properties.reported["$version"], 1, "the device's own version")


@case
def a_desired_patch_reaches_the_module_and_not_the_device():
    module = new_module()
    device = registry().get_device(module.device)
    key = device.authentication.symmetric_key.primary_key
    with connected(module) as client, connected(Identity(module.device, key)) as device_client:
        patches, device_patches = [], []
        client.on_twin_desired_properties_patch_received = patches.append
        device_client.on_twin_desired_properties_patch_received = device_patches.append
        desire(module, {"telemetryInterval": 122})
        wait("patch", lambda: patches)
        equal(patches[0], {"telemetryInterval": 122, "$version": 2})
        registry().update_twin(module.device, Twin(properties=TwinProperties(desired={"own": 1})))
        wait("the device's patch", lambda: device_patches)
        equal(device_patches, [{"own": 1, "$version": 2}])


@case
def a_module_answers_methods():
    module = new_module()
    with connected(module) as client:

        def handle(request):
            client.send_method_response(MethodResponse.create_from_method_request(request, 202, request.payload))

        client.on_method_request_received = handle
        request = CloudToDeviceMethod(method_name="reset", payload={"hard": True})
        result = registry().invoke_device_module_method(module.device, module.module, request)
        equal((result.status, result.payload), (202, {"hard": True}))


@case
def a_module_with_a_wrong_key_is_refused():
    module = new_module()
    client = IoTHubModuleClient.create_from_connection_string(module.connection_string(OTHER_KEY))
    with ended(client):
        refused(CredentialError, client.connect)


@case
def an_unknown_module_is_refused():
    module = new_module()
    module.module = "nobody"
    client = IoTHubModuleClient.create_from_connection_string(module.connection_string())
    with ended(client):
        refused(CredentialError, client.connect)


@case
def a_deleted_module_loses_its_link():
    module = new_module()
    with connected(module, connection_retry=False) as client:
        registry().delete_module(module.device, module.module)
        wait("the end of the link", lambda: not client.connected)


@case
def a_module_s_token_is_renewed_before_it_ends():
    module = new_module()
    # The SDK renews two minutes before the end: here one second after it has connected.
    client = IoTHubModuleClient.create_from_connection_string(module.connection_string(), sastoken_ttl=121)
    with ended(client), Events(module.device) as events:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        client.connect()
        wait("renewal", lambda: len(changes) >= 3 and client.connected)
        client.send_message("with the new token")
        equal(events.telemetry()["body"], "with the new token")


@case
def a_module_s_dropped_connection_is_made_again():
    module = new_module()
    with connected(module) as client:
        changes, patches = [], []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        client.on_twin_desired_properties_patch_received = patches.append
        equal(drop(module), 1, "what was dropped")
        wait("the link again", lambda: len(changes) >= 2 and client.connected)
        desire(module, {"a": 1})
        wait("patch", lambda: patches)


@case
def two_modules_and_their_device_are_connected_at_once():
    one = new_module("one")
    made = registry().create_module_with_sas(one.device, "two", "", "", "")
    two = Identity(one.device, made.authentication.symmetric_key.primary_key, "two")
    device = Identity(one.device, registry().get_device(one.device).authentication.symmetric_key.primary_key)
    with connected(one) as first, connected(two) as second, connected(device) as third:
        with Events(one.device) as events:
            for client, text in ((first, "1"), (second, "2"), (third, "3")):
                client.send_message(text)
            heard = {(event["body"], event.get("moduleId")) for event in (events.telemetry() for _ in range(3))}
            # A number in JSON is a number.
            equal({(str(body), module) for body, module in heard}, {("1", "one"), ("2", "two"), ("3", None)})


@case
async def the_asynchronous_client_does_it_as_well():
    module = new_module()
    client = AsyncModuleClient.create_from_connection_string(module.connection_string())
    try:
        await client.connect()
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        await client.patch_twin_reported_properties({"a": 1})
        await client.send_message_to_output("x", "out")
        desire(module, {"b": 2})
        await wait_async("patch", lambda: patches)
        twin = await client.get_twin()
        equal(twin, {"desired": {"b": 2, "$version": 2}, "reported": {"a": 1, "$version": 2}})
    finally:
        await client.shutdown()


main()

"""The asynchronous device client, as most of its users write."""

import asyncio
import json

from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import OTHER_KEY, Events, case, drop, equal, main, new_device, registry, send_to_device, wait_async


class connected:
    """An asynchronous client, connected, and shut down whatever happens."""

    def __init__(self, device, **options):
        self.client = IoTHubDeviceClient.create_from_connection_string(device.connection_string(), **options)

    async def __aenter__(self):
        await self.client.connect()
        return self.client

    async def __aexit__(self, *_):
        await self.client.shutdown()


async def elsewhere(function, *args):
    """A call of the service SDK, which knows no other way than to block."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)


@case
async def telemetry_sent_at_once_all_arrives():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        await asyncio.gather(*(client.send_message(Message(str(number))) for number in range(20)))

    def heard():
        with Events(device.device) as events:
            return sorted(int(events.telemetry()["body"]) for _ in range(20))

    equal(await elsewhere(heard), list(range(20)))


@case
async def the_twin_is_read_and_reported():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        await client.patch_twin_reported_properties({"state": "on"})
        equal((await client.get_twin())["reported"], {"state": "on", "$version": 2})


@case
async def a_desired_patch_is_awaited():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        await client.get_twin()
        twin = Twin(properties=TwinProperties(desired={"name": {"value": "x"}}))
        await elsewhere(registry().update_twin, device.device, twin)
        await wait_async("patch", lambda: patches)
        equal(patches[0], {"name": {"value": "x"}, "$version": 2})


@case
async def a_method_is_answered_by_a_coroutine():
    device = await elsewhere(new_device)
    async with connected(device) as client:

        async def handle(request):
            response = MethodResponse.create_from_method_request(request, 200, {"got": request.payload})
            await client.send_method_response(response)

        client.on_method_request_received = handle
        request = CloudToDeviceMethod(method_name="go", payload=[1], connect_timeout_in_seconds=10)
        result = await elsewhere(registry().invoke_device_method, device.device, request)
        equal((result.status, result.payload), (200, {"got": [1]}))


@case
async def a_method_is_awaited_in_the_older_way():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        request = CloudToDeviceMethod(method_name="go", payload=1, connect_timeout_in_seconds=10)
        calling = asyncio.ensure_future(elsewhere(registry().invoke_device_method, device.device, request))
        received = await client.receive_method_request()
        await client.send_method_response(MethodResponse.create_from_method_request(received, 200, None))
        equal((await calling).status, 200)


@case
async def a_message_from_the_cloud_is_received():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        await elsewhere(send_to_device, device.device, json.dumps({"a": 1}), {"level": "1"})
        await wait_async("message", lambda: messages)
        equal((json.loads(messages[0].data), messages[0].custom_properties["level"]), ({"a": 1}, "1"))


@case
async def a_wrong_key_is_a_credential_error():
    device = await elsewhere(new_device)
    client = IoTHubDeviceClient.create_from_connection_string(device.connection_string(OTHER_KEY))
    try:
        await client.connect()
    except CredentialError:
        return
    finally:
        await client.shutdown()
    raise AssertionError("it has connected")


@case
async def a_token_is_renewed_before_it_ends():
    device = await elsewhere(new_device)
    # The SDK renews two minutes before the end: here one second after it has connected.
    async with connected(device, sastoken_ttl=121) as client:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        await wait_async("renewal", lambda: changes[-2:] == [False, True])
        await client.send_message("with the new token")


@case
async def a_dropped_connection_is_made_again_and_hears_what_it_heard():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        changes, patches = [], []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        client.on_twin_desired_properties_patch_received = patches.append
        await client.get_twin()
        equal(await elsewhere(drop, device), 1, "what was dropped")
        await wait_async("the link again", lambda: changes[-2:] == [False, True])
        twin = Twin(properties=TwinProperties(desired={"a": 1}))
        await elsewhere(registry().update_twin, device.device, twin)
        # The SDK may have asked for the whole twin in between, which is a patch to it as well.
        await wait_async("patch", lambda: any("a" in patch for patch in patches))


@case
async def a_client_connects_and_disconnects_again_and_again():
    device = await elsewhere(new_device)
    async with connected(device) as client:
        for _ in range(5):
            await client.disconnect()
            assert not client.connected
            await client.connect()
            assert client.connected


main()

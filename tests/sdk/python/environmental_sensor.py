"""An environmental sensor on Microsoft's device SDK, as its users write one.

Everything that it does is told on standard output, one JSON object a line, for the test that runs
it. Settings come from the variables that the SDK's own samples use. It ends when its standard input
is closed.
"""

import asyncio
import json
import os
import sys
import threading
import time

from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient
from azure.iot.device.exceptions import ClientError, CredentialError

STEP = float(os.environ.get("DIAGNOSTICS_STEP", "0.2"))


TELLING = threading.Lock()


def tell(event, **fields):
    # The SDK calls back from threads of its own; a line must not be torn by another.
    with TELLING:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


async def provision():
    client = ProvisioningDeviceClient.create_from_symmetric_key(
        provisioning_host=os.environ["IOTHUB_DEVICE_DPS_ENDPOINT"],
        registration_id=os.environ["IOTHUB_DEVICE_DPS_DEVICE_ID"],
        id_scope=os.environ["IOTHUB_DEVICE_DPS_ID_SCOPE"],
        symmetric_key=os.environ["IOTHUB_DEVICE_DPS_DEVICE_KEY"],
    )
    client.provisioning_payload = {"modelId": "dtmi:envsim:EnvironmentalSensor;1"}
    result = await client.register()
    state = result.registration_state
    tell("registered", status=result.status, hub=state.assigned_hub, device=state.device_id)
    return state


async def answer_commands(client):
    running = set()
    while True:
        request = await client.receive_method_request()
        tell("command", name=request.name, payload=request.payload)
        status, payload = 200, None
        if request.name == "blink":
            payload = {"description": f"Blinking LED every {request.payload} seconds"}
        elif request.name == "rundiagnostics":
            status = 202
            running.add(asyncio.create_task(run_diagnostics(client)))
        elif request.name == "silence":
            continue
        elif request.name not in ("turnon", "turnoff"):
            status, payload = 404, {"error": "unknown command"}
        await client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))
        tell("answered", name=request.name, status=status)


async def run_diagnostics(client):
    for _ in range(3):
        await asyncio.sleep(STEP)
    value = f"Diagnostics run complete at {time.ctime()}."
    await client.patch_twin_reported_properties({"rundiagnostics": {"value": value}})
    tell("diagnosed")


async def follow_properties(client):
    while True:
        patch = await client.receive_twin_desired_properties_patch()
        tell("desired", patch=patch)
        version = patch["$version"]
        await asyncio.gather(*(acknowledge(client, name, patch[name], version) for name in patch if name[0] != "$"))


async def acknowledge(client, name, wanted, version):
    if name in ("name", "brightness"):
        done = {"value": wanted["value"], "status": "completed", "desiredVersion": version}
        await client.patch_twin_reported_properties({name: done})
        tell("acknowledged", name=name, version=version)


async def send_telemetry(client):
    count = 0
    while True:
        message = Message(json.dumps({"temp": 20 + count % 50, "humid": 40}))
        # Every other one says what it is, as the SDK's samples do; the others say nothing.
        if count % 2 == 0:
            message.content_type = "application/json"
            message.content_encoding = "utf-8"
            message.custom_properties["alert"] = "no, not yet"
        await client.send_message(message)
        tell("sent", count=count)
        count += 1
        await asyncio.sleep(0.1)


def watch_connection(client):
    def changed():
        tell("connection", connected=client.connected)

    def failed(error):
        tell("background-error", error=repr(error))

    client.on_connection_state_change = changed
    client.on_background_exception = failed


async def main():
    try:
        state = await provision()
    except (ClientError, CredentialError) as error:
        tell("refused", by="dps", kind=type(error).__name__)
        return 3
    options = {}
    if "SAS_TTL" in os.environ:
        options["sastoken_ttl"] = int(os.environ["SAS_TTL"])
    client = IoTHubDeviceClient.create_from_symmetric_key(
        symmetric_key=os.environ.get("HUB_KEY", os.environ["IOTHUB_DEVICE_DPS_DEVICE_KEY"]),
        hostname=state.assigned_hub,
        device_id=state.device_id,
        product_info="dtmi:envsim:EnvironmentalSensor;1",
        **options,
    )
    watch_connection(client)
    try:
        await client.connect()
    except (ClientError, CredentialError) as error:
        tell("refused", by="hub", kind=type(error).__name__)
        await client.shutdown()
        return 4
    tell("connected")
    twin = await client.get_twin()
    tell("twin", twin=twin)
    await client.patch_twin_reported_properties({"state": "true"})
    tell("reported")

    tasks = [asyncio.create_task(work(client)) for work in (answer_commands, follow_properties, send_telemetry)]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end():
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    end = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait([end, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {end}:
        tell("broken", error=repr(task.exception()))
        return 1
    tell("twin", twin=await client.get_twin())
    await client.disconnect()
    await client.shutdown()
    tell("disconnected")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""Clouds that end and come back with what they have kept."""

import os
import tempfile

from azure.iot.device import IoTHubDeviceClient, MethodResponse
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import Cloud, case, ended, equal, main, unique, wait


def device_client(cloud, name, key):
    with open(cloud.ready["caFile"], encoding="ascii") as file:
        authority = file.read()
    text = f"HostName={cloud.ready['hub']};DeviceId={name};SharedAccessKey={key}"
    return ended(IoTHubDeviceClient.create_from_connection_string(text, server_verification_cert=authority))


def new_device(cloud):
    made = cloud.registry().create_device_with_sas(unique(), None, None, "enabled")
    return made.device_id, made.authentication.symmetric_key.primary_key


@case
def what_was_acknowledged_survives_a_kill():
    with tempfile.TemporaryDirectory() as folder, Cloud("--data-dir", os.path.join(folder, "data")) as cloud:
        name, key = new_device(cloud)
        cloud.registry().update_twin(name, Twin(tags={"a": 1}, properties=TwinProperties(desired={"b": 2})))
        with device_client(cloud, name, key) as client:
            client.connect()
            client.patch_twin_reported_properties({"c": 3})
        cloud.kill()
        cloud.start()
        twin = cloud.registry().get_twin(name)
        equal((twin.tags, twin.properties.desired["b"], twin.properties.reported["c"]), ({"a": 1}, 2, 3))
        equal(cloud.registry().get_device(name).authentication.symmetric_key.primary_key, key)


@case
def a_connected_device_comes_back_after_a_restart_and_still_hears():
    with tempfile.TemporaryDirectory() as folder, Cloud("--data-dir", os.path.join(folder, "data")) as cloud:
        name, key = new_device(cloud)
        with device_client(cloud, name, key) as client:
            client.connect()

            def echo(request):
                client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

            client.on_method_request_received = echo
            cloud.stop()
            wait("the end of the link", lambda: not client.connected)
            cloud.start()
            # The SDK tries again at once, and then every ten seconds. It does not subscribe again.
            wait("the link again", lambda: client.connected)
            request = CloudToDeviceMethod(method_name="echo", payload=1, connect_timeout_in_seconds=20)
            equal(cloud.registry().invoke_device_method(name, request).payload, 1)


@case
def without_a_folder_nothing_is_kept():
    with Cloud() as cloud:
        name, _ = new_device(cloud)
        cloud.stop()
        cloud.start()
        names = [device.device_id for device in cloud.registry().get_devices(1000)]
        assert name not in names, names


main()

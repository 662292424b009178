"""Clouds that end and come back with what they have kept."""

import os
import tempfile

from azure.iot.device import MethodResponse
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import Cloud, case, equal, main, wait


@case
def what_was_acknowledged_survives_a_kill():
    with tempfile.TemporaryDirectory() as folder, Cloud("--data-dir", os.path.join(folder, "data")) as cloud:
        name, text = cloud.new_device()
        cloud.registry().update_twin(name, Twin(tags={"a": 1}, properties=TwinProperties(desired={"b": 2})))
        with cloud.client(text) as client:
            client.connect()
            client.patch_twin_reported_properties({"c": 3})
        cloud.kill()
        cloud.start()
        twin = cloud.registry().get_twin(name)
        equal((twin.tags, twin.properties.desired["b"], twin.properties.reported["c"]), ({"a": 1}, 2, 3))
        key = cloud.registry().get_device(name).authentication.symmetric_key.primary_key
        equal(key, text.split("SharedAccessKey=")[1], "the key")


@case
def a_connected_device_comes_back_after_a_restart_and_still_hears():
    with tempfile.TemporaryDirectory() as folder, Cloud("--data-dir", os.path.join(folder, "data")) as cloud:
        name, text = cloud.new_device()
        with cloud.client(text) as client:
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
def a_message_that_waits_survives_a_kill():
    with tempfile.TemporaryDirectory() as folder, Cloud("--data-dir", os.path.join(folder, "data")) as cloud:
        name, text = cloud.new_device()
        cloud.send_to_device(name, "kept")
        cloud.kill()
        cloud.start()
        with cloud.client(text) as client:
            messages = []
            client.on_message_received = messages.append
            client.connect()
            equal(wait("message", lambda: messages)[0].data, b"kept")


@case
def without_a_folder_nothing_is_kept():
    with Cloud() as cloud:
        name, _ = cloud.new_device()
        cloud.stop()
        cloud.start()
        names = [device.device_id for device in cloud.registry().get_devices(1000)]
        assert name not in names, names


main()

"""The service's side of direct methods, by the service SDK."""

import json
import threading

from azure.iot.device import MethodResponse
from azure.iot.hub.models import CloudToDeviceMethod

from harness import Identity, case, connected, equal, http_error, main, new_device, new_module, registry, unique


def method(name="go", **options):
    return CloudToDeviceMethod(method_name=name, **options)


def answering(client, status=200):
    def handle(request):
        client.send_method_response(MethodResponse.create_from_method_request(request, status, request.payload))

    client.on_method_request_received = handle


@case
def a_method_that_fails_on_the_device_is_an_answer():
    device = new_device()
    with connected(device) as client:
        answering(client, 500)
        result = registry().invoke_device_method(device.device, method(payload={"a": 1}))
        equal((result.status, result.payload), (500, {"a": 1}))


@case
def a_device_that_is_not_there_is_404103():
    text = http_error(404, registry().invoke_device_method, new_device().device, method(payload=1))
    inner = json.loads(json.loads(text)["Message"])
    equal(inner["errorCode"], 404103)


@case
def a_device_that_has_not_subscribed_is_404103():
    device = new_device()
    with connected(device):
        http_error(404, registry().invoke_device_method, device.device, method(payload=1), code=404103)


@case
def a_device_that_does_not_answer_is_504101():
    device = new_device()
    with connected(device) as client:
        client.on_method_request_received = lambda request: None
        # The shortest time that a hub takes.
        request = method(payload=1, response_timeout_in_seconds=5)
        text = http_error(504, registry().invoke_device_method, device.device, request)
        equal(json.loads(json.loads(text)["Message"])["errorCode"], 504101)


@case
def an_unknown_device_is_404001():
    text = http_error(404, registry().invoke_device_method, unique(), method(payload=1))
    assert "DeviceNotFound" in text or "404001" in text, text


@case
def a_method_waits_for_the_device_to_connect():
    device = new_device()
    results = []
    request = method(payload="waited", connect_timeout_in_seconds=20)
    calling = threading.Thread(
        target=lambda: results.append(registry().invoke_device_method(device.device, request))
    )
    calling.start()
    with connected(device) as client:
        answering(client)
        calling.join()
    equal(results[0].payload, "waited")


@case
def times_out_of_range_are_refused():
    device = new_device()
    for wrong in ({"response_timeout_in_seconds": 4}, {"response_timeout_in_seconds": 301}):
        http_error(400, registry().invoke_device_method, device.device, method(payload=1, **wrong))
    request = method(payload=1, connect_timeout_in_seconds=301)
    http_error(400, registry().invoke_device_method, device.device, request)


@case
def a_module_s_method_is_invoked():
    module = new_module()
    with connected(module) as client:
        answering(client)
        result = registry().invoke_device_module_method(module.device, module.module, method(payload={"a": [1]}))
        equal((result.status, result.payload), (200, {"a": [1]}))


@case
def a_module_that_is_not_there_is_404103():
    module = new_module()
    http_error(
        404, registry().invoke_device_module_method, module.device, module.module, method(payload=1), code=404103
    )


@case
def a_device_is_not_offered_its_module_s_methods():
    module = new_module()
    device = registry().get_device(module.device)
    with connected(Identity(module.device, device.authentication.symmetric_key.primary_key)) as client:
        answering(client)
        http_error(
            404, registry().invoke_device_module_method, module.device, module.module, method(payload=1), code=404103
        )


main()

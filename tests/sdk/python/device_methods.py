"""The device's side of direct methods."""

import threading

from azure.iot.device import MethodResponse
from azure.iot.hub.models import CloudToDeviceMethod

from harness import case, connected, equal, http_error, main, new_device, registry, wait


def invoke(device, name, payload=None, seconds=20):
    request = CloudToDeviceMethod(method_name=name, payload=payload, response_timeout_in_seconds=seconds)
    return registry().invoke_device_method(device.device, request)


def answer(client, status, payload):
    requests = []

    def handle(request):
        requests.append(request)
        client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))

    client.on_method_request_received = handle
    return requests


@case
def a_method_is_received_and_answered():
    device = new_device()
    with connected(device) as client:
        requests = answer(client, 200, {"result": True, "data": "some text"})
        result = invoke(device, "reboot", {"delay": 5})
        equal((result.status, result.payload), (200, {"result": True, "data": "some text"}))
        equal((requests[0].name, requests[0].payload), ("reboot", {"delay": 5}))


@case
def a_device_s_own_error_status_is_its_answer():
    device = new_device()
    with connected(device) as client:
        answer(client, 404, {"error": "unknown method"})
        result = invoke(device, "no-such-thing", 1)
        equal((result.status, result.payload), (404, {"error": "unknown method"}))


@case
def an_answer_without_payload_is_null():
    device = new_device()
    with connected(device) as client:
        answer(client, 299, None)
        result = invoke(device, "reboot", 1)
        equal((result.status, result.payload), (299, None))


@case
def every_kind_of_json_goes_both_ways():
    device = new_device()
    with connected(device) as client:
        requests = []

        def echo(request):
            requests.append(request.payload)
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

        client.on_method_request_received = echo
        kinds = ["text", "", '{"not": "parsed"}', 5, -1.5, True, False, [1, "a", None], {"a": {"b": []}}, {}, []]
        for kind in kinds:
            result = invoke(device, "echo", kind)
            equal((requests[-1], result.payload), (kind, kind), "both ways")


@case
def a_method_without_payload_is_received():
    device = new_device()
    with connected(device) as client:
        requests = answer(client, 200, "done")
        equal(registry().invoke_device_method(device.device, CloudToDeviceMethod(method_name="go")).status, 200)
        assert not requests[0].payload, f"no payload, and not {requests[0].payload!r}"


@case
def a_negative_status_is_an_answer_too():
    device = new_device()
    with connected(device) as client:
        answer(client, -7, None)
        equal(invoke(device, "go", 1).status, -7)


@case
def a_component_s_command_keeps_its_name():
    device = new_device()
    with connected(device) as client:
        requests = answer(client, 200, None)
        invoke(device, "thermostat1*getMaxMinReport", 1)
        equal(requests[0].name, "thermostat1*getMaxMinReport")


@case
def several_methods_at_once_get_their_own_answers():
    device = new_device()
    with connected(device) as client:
        held, answers = [], {}
        client.on_method_request_received = held.append

        def call(number):
            answers[number] = invoke(device, "which", number).payload

        threads = [threading.Thread(target=call, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        wait("five requests at once", lambda: len(held) == 5)
        # Answered the other way round.
        for request in reversed(held):
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload * 10))
        for thread in threads:
            thread.join()
        equal(answers, {number: number * 10 for number in range(5)})


@case
def a_large_payload_goes_both_ways():
    device = new_device()
    with connected(device) as client:
        text = "x" * 100_000
        requests = answer(client, 200, text)
        result = invoke(device, "large", text)
        equal((len(requests[0].payload), len(result.payload)), (100_000, 100_000))


@case
def a_late_answer_does_no_harm():
    device = new_device()
    with connected(device) as client:
        held = []
        client.on_method_request_received = held.append
        http_error(504, invoke, device, "slow", 1, code=504101, seconds=5)
        client.send_method_response(MethodResponse.create_from_method_request(held[0], 200, "late"))
        requests = answer(client, 200, "in time")
        equal(invoke(device, "fast", 2).payload, "in time")
        equal(requests[0].name, "fast")


@case
def the_older_way_to_receive_a_method_works():
    device = new_device()
    with connected(device) as client:
        results = []
        request = CloudToDeviceMethod(
            method_name="go", payload=1, response_timeout_in_seconds=20, connect_timeout_in_seconds=20
        )
        calling = threading.Thread(
            target=lambda: results.append(registry().invoke_device_method(device.device, request))
        )
        calling.start()
        received = client.receive_method_request()
        client.send_method_response(MethodResponse.create_from_method_request(received, 200, "older"))
        calling.join()
        equal(results[0].payload, "older")


main()

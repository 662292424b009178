"""Messages from the cloud to a device."""

import json
import threading

from azure.iot.device import IoTHubDeviceClient
from azure.iot.hub import IoTHubHttpRuntimeManager

from harness import DEADLINE, Cloud, case, connected, ended, equal, main, new_device, rest, send_to_device, unique, wait


def waiting(device):
    """How many messages wait for it, by deleting them."""
    response = rest("DELETE", f"/devices/{device.device}/commands")
    equal(response.status_code, 200, f"the status of the purge ({response.text})")
    return response.json()["totalMessagesPurged"]


@case
def a_message_reaches_a_connected_device():
    device = new_device()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        send_to_device(device.device, "hello, äöü".encode())
        wait("message", lambda: messages)
        equal(messages[0].data.decode(), "hello, äöü")


@case
def a_message_carries_its_properties():
    device = new_device()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        properties = {"level": "3", "path": "a/b&c=d"}
        send_to_device(device.device, json.dumps({"a": 1}), properties, messageid="mid/1", correlationid="cid")
        message = wait("message", lambda: messages)[0]
        equal(json.loads(message.data), {"a": 1})
        for name, value in properties.items():
            equal(message.custom_properties.get(name), value, f"{name} in {message.custom_properties}")
        equal((message.message_id, message.correlation_id), ("mid/1", "cid"))


@case
def messages_wait_for_a_device_that_is_not_there():
    device = new_device()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        client.disconnect()
        for number in range(3):
            send_to_device(device.device, str(number))
        equal(messages, [])
        client.connect()
        wait("three messages", lambda: len(messages) == 3)
        equal([message.data for message in messages], [b"0", b"1", b"2"], "the order")


@case
def messages_wait_for_a_device_that_has_never_connected():
    device = new_device()
    send_to_device(device.device, "early")
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        equal(wait("message", lambda: messages)[0].data, b"early")


@case
def a_message_that_was_received_does_not_come_again():
    device = new_device()
    with connected(device) as client:
        messages = []
        client.on_message_received = messages.append
        send_to_device(device.device, "once")
        wait("message", lambda: messages)
    with connected(device) as client:
        again = []
        client.on_message_received = again.append
        send_to_device(device.device, "twice")
        wait("message", lambda: again)
        equal([message.data for message in again], [b"twice"])
    equal(waiting(device), 0, "what waits")


@case
def the_older_way_to_receive_a_message_works():
    device = new_device()
    with connected(device) as client:
        send_to_device(device.device, "older")
        message = client.receive_message(timeout=DEADLINE)
        assert message, "a message"
        equal(message.data, b"older")


@case
def waiting_messages_are_purged():
    device = new_device()
    for number in range(4):
        send_to_device(device.device, str(number))
    equal(waiting(device), 4, "what was purged")
    equal(waiting(device), 0, "what was left")


@case
def the_fifty_first_waiting_message_is_refused():
    device = new_device()
    for number in range(50):
        send_to_device(device.device, str(number))
    headers = {"iothub-to": f"/devices/{device.device}/messages/devicebound"}
    response = rest("POST", "/messages/devicebound", data="too many", headers=headers)
    equal(response.status_code, 403, f"the status ({response.text})")
    assert "DeviceMaximumQueueDepthExceeded" in response.text or "403004" in response.text, response.text


@case
def a_message_to_an_unknown_device_is_refused():
    headers = {"iothub-to": f"/devices/{unique()}/messages/devicebound"}
    response = rest("POST", "/messages/devicebound", data="nobody", headers=headers)
    equal(response.status_code, 404, f"the status ({response.text})")
    assert "DeviceNotFound" in response.text, response.text


@case
def a_thousand_bytes_of_every_value_arrive_unchanged():
    device = new_device()
    body = bytes(range(256)) * 4
    with ended(IoTHubDeviceClient.create_from_connection_string(device.connection_string())) as client:
        messages, came = [], threading.Event()

        def received(message):
            messages.append(message)
            came.set()

        client.on_message_received = received
        client.connect()
        send_to_device(device.device, body)
        assert came.wait(DEADLINE), "a message"
        equal(messages[0].data, body)


@case
def the_service_hears_that_a_message_has_arrived():
    # Every service hears of every message, so that this one is alone on its cloud.
    with Cloud() as cloud:
        name, text = cloud.new_device()
        send_to_device(name, "hello", ready=cloud.ready, ack="full", messageid="mid")
        with cloud.client(text) as client:
            messages = []
            client.on_message_received = messages.append
            client.connect()
            wait("message", lambda: messages)
        runtime = IoTHubHttpRuntimeManager.from_connection_string(cloud.ready["serviceConnectionString"])

        def receive():
            # The SDK's own method throws away what it is answered.
            response = runtime.protocol.cloud_to_device_messages.receive_feedback_notification(raw=True).response
            return response if response.status_code == 200 else None

        heard = wait("feedback", receive)
        record = heard.json()[0]
        equal((record["originalMessageId"], record["deviceId"], record["statusCode"]), ("mid", name, "Success"))
        runtime.abandon_feedback_notification(heard.headers["etag"].strip('"'))
        runtime.complete_feedback_notification(wait("it again", receive).headers["etag"].strip('"'))
        equal(receive(), None, "what is left")


main()

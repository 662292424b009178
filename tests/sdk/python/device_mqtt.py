"""The synchronous device client over MQTT: connecting, and what it sends."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from datetime import datetime, timezone

from azure.iot.device import IoTHubDeviceClient, Message
from azure.iot.device.exceptions import CredentialError

from harness import HUB, OTHER_KEY, Events, Identity, case, connected, ended, equal, main, new_device, refused
from harness import registry, unique, wait

DTMI = "dtmi:envsim:EnvironmentalSensor;1"


def device_client(identity, key=None, **options):
    return ended(IoTHubDeviceClient.create_from_connection_string(identity.connection_string(key), **options))


@case
def a_device_connects_and_disconnects():
    device = new_device()
    with device_client(device) as client:
        client.connect()
        assert client.connected
        equal(registry().get_device(device.device).connection_state, "Connected", "the state in the registry")
        client.disconnect()
        assert not client.connected
        wait(
            "Disconnected in the registry",
            lambda: registry().get_device(device.device).connection_state == "Disconnected",
        )
        equal(client.failures, [])


@case
def plain_telemetry_arrives_as_it_was_sent():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        client.send_message("just text, äöü")
        event = events.telemetry()
        equal(event["body"], "just text, äöü", "the body")
        equal(event["deviceId"], device.device)


@case
def telemetry_carries_application_properties():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        message = Message("x")
        message.custom_properties = {"level": "3", "a b": "c/d&e=f", "grüße": "ü+%", "$sub": "s"}
        client.send_message(message)
        properties = events.telemetry()["properties"]
        for name, value in message.custom_properties.items():
            equal(properties.get(name), value, f"the property {name} in {properties}")


@case
def telemetry_carries_system_properties():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        message = Message(json.dumps({"temp": 21.5}), message_id="id/1+2 3", output_name=None)
        message.correlation_id = "cid-1"
        message.user_id = "uid-1"
        message.content_type = "application/json"
        message.content_encoding = "utf-8"
        message.expiry_time_utc = datetime(2031, 1, 1, tzinfo=timezone.utc).isoformat()
        client.send_message(message)
        event = events.telemetry()
        wanted = {"$.mid": "id/1+2 3", "$.cid": "cid-1", "$.uid": "uid-1", "$.ct": "application/json", "$.ce": "utf-8"}
        for name, value in wanted.items():
            equal(event["properties"].get(name), value, f"{name} in {event['properties']}")
        equal(event["body"], {"temp": 21.5}, "the body")


@case
def a_body_at_the_limit_is_taken():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        # The SDK counts what Python itself needs for an empty text, too.
        body = "x" * (262_144 - Message("").get_size())
        client.send_message(body)
        equal(len(events.telemetry()["body"]), len(body), "the length of the body")


@case
def a_body_over_the_limit_is_refused_and_the_next_is_taken():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        refused(ValueError, client.send_message, "x" * 262_145)
        client.send_message("small")
        equal(events.telemetry()["body"], "small")


@case
def fifty_messages_arrive_in_their_order():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        for number in range(50):
            client.send_message(str(number))
        heard = [events.telemetry()["body"] for _ in range(50)]
        equal([int(body) for body in heard], list(range(50)), "the order")


@case
def sending_connects_by_itself():
    device = new_device()
    with device_client(device) as client, Events(device.device) as events:
        client.send_message("first")
        assert client.connected
        equal(events.telemetry()["body"], "first")


@case
def a_wrong_key_is_a_credential_error():
    with device_client(new_device(), OTHER_KEY) as client:
        refused(CredentialError, client.connect)
        assert not client.connected


@case
def an_unknown_device_is_a_credential_error():
    with device_client(Identity(unique(), OTHER_KEY)) as client:
        refused(CredentialError, client.connect)


@case
def a_disabled_device_is_a_credential_error():
    with device_client(new_device("disabled")) as client:
        refused(CredentialError, client.connect)


@case
def a_device_cannot_connect_with_another_one_s_key():
    one, other = new_device(), new_device()
    with device_client(one, other.key) as client:
        refused(CredentialError, client.connect)


@case
def the_secondary_key_connects_as_well():
    device = new_device()
    second = registry().get_device(device.device).authentication.symmetric_key.secondary_key
    assert second and second != device.key, "two different keys"
    with device_client(device, second) as client:
        client.connect()
        assert client.connected


@case
def every_character_that_an_id_may_have_connects():
    device = new_device(device=unique("Dev:1.a%c_d*e?g!h(i),j=k@l$m'n"))
    with connected(device) as client, Events(device.device) as events:
        client.send_message("here")
        equal(events.telemetry()["deviceId"], device.device)


@case
def a_model_id_stands_in_the_twin():
    device = new_device()
    with connected(device, product_info=DTMI) as client:
        assert client.connected
        # The service SDK's twin has no such member among its own.
        twin = registry().get_twin(device.device)
        seen = (twin.additional_properties or {}).get("modelId") or getattr(twin, "model_id", None)
        equal(seen, DTMI, "modelId of the twin")


def token_of(device, seconds):
    """A token as the user of an SDK makes it."""
    resource = urllib.parse.quote(f"{HUB}/devices/{device.device}", safe="")
    expiry = int(time.time()) + seconds
    mac = hmac.new(base64.b64decode(device.key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(mac), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}"


@case
def a_token_made_by_the_user_connects():
    with ended(IoTHubDeviceClient.create_from_sastoken(token_of(new_device(), 3600))) as client:
        client.connect()
        assert client.connected


@case
def a_token_made_by_the_user_is_asked_for_again_before_it_ends():
    device = new_device()
    # The SDK asks two minutes before the end: here one second after it was made.
    with ended(IoTHubDeviceClient.create_from_sastoken(token_of(device, 121))) as client:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        # Short again: on a busy machine the first is asked for before there is a link to renew.
        client.on_new_sastoken_required = lambda: client.update_sastoken(token_of(device, 121))
        client.connect()
        wait("renewal", lambda: len(changes) >= 3 and client.connected)


main()

"""Telemetry and events at the Event Hubs compatible endpoint, by the SDK of Event Hubs."""

import contextlib
import json
import os
import threading

from azure.eventhub import EventHubConsumerClient
from azure.eventhub.exceptions import AuthenticationError, EventHubError
from azure.iot.device import Message

from harness import READY, case, connected, equal, main, new_device, refused, unique, wait

CONNECTION_STRING = READY["eventHubConnectionString"]


def reader(connection_string=CONNECTION_STRING):
    return EventHubConsumerClient.from_connection_string(
        connection_string, consumer_group="$Default", connection_verify=os.environ["SSL_CERT_FILE"], retry_total=0
    )


@contextlib.contextmanager
def reading(device, source="Telemetry", **options):
    """What is read of a device, from all partitions."""
    seen, errors = [], []

    def on_event(_, event):
        annotations = event.system_properties
        of = annotations[b"iothub-connection-device-id"].decode()
        if of == device.device and annotations[b"iothub-message-source"].decode() == source:
            seen.append(event)

    client = reader()
    receive = lambda: client.receive(on_event, on_error=lambda _, error: errors.append(error), **options)
    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    try:
        yield seen
        equal(errors, [], "the errors of reading")
    finally:
        client.close()
        thread.join()


@case
def the_endpoint_and_its_partitions_are_told():
    with reader() as client:
        facts = client.get_eventhub_properties()
        equal(facts["partition_ids"], ["0", "1", "2", "3"])
        equal(facts["eventhub_name"], CONNECTION_STRING.split("EntityPath=")[1])
        for partition in facts["partition_ids"]:
            equal(client.get_partition_properties(partition)["id"], partition)


@case
def telemetry_is_read_from_the_beginning():
    device = new_device()
    with connected(device) as client:
        message = Message(json.dumps({"temperature": 21.5}), message_id="m1")
        message.content_type, message.content_encoding = "application/json", "utf-8"
        message.custom_properties["alert"] = "yes"
        client.send_message(message)
        client.send_message("no properties")
    with reading(device, starting_position="-1") as seen:
        wait("two events", lambda: len(seen) == 2)
    first, second = seen
    equal(first.body_as_json(), {"temperature": 21.5})
    equal((first.message_id, first.content_type), ("m1", "application/json"))
    equal(first.properties, {b"alert": b"yes"})
    equal((second.body_as_str(), second.properties), ("no properties", {}))
    assert second.sequence_number > first.sequence_number
    assert b"iothub-enqueuedtime" in first.system_properties, first.system_properties


@case
def reading_goes_on_after_a_sequence_number():
    device = new_device()
    with connected(device) as client:
        for number in range(4):
            client.send_message(str(number))
        with reading(device, starting_position="-1") as seen:
            wait("four events", lambda: len(seen) == 4)
        with reading(device, starting_position=seen[1].sequence_number) as rest:
            wait("two events", lambda: len(rest) == 2)
            client.send_message("new")
            wait("another event", lambda: len(rest) == 3)
    equal([event.body_as_str() for event in rest], ["2", "3", "new"])


@case
def a_change_of_a_twin_is_an_event():
    device = new_device()
    with connected(device) as client:
        client.patch_twin_reported_properties({"a": 1, "b": None})
        with reading(device, "twinChangeEvents", starting_position="-1") as seen:
            event = wait("event", lambda: seen)[0]
    reported = event.body_as_json()["properties"]["reported"]
    equal((reported["a"], reported["b"]), (1, None))
    equal(event.properties[b"opType"], b"updateTwin")


@case
def a_wrong_key_is_refused():
    start, rest = CONNECTION_STRING.split("SharedAccessKey=", 1)
    wrong = f"{start}SharedAccessKey={'A' * 43}=;{rest.split(';', 1)[1]}"
    with reader(wrong) as client:
        refused(AuthenticationError, client.get_eventhub_properties)


@case
def an_unknown_entity_is_refused():
    wrong = CONNECTION_STRING.split("EntityPath=")[0] + f"EntityPath={unique()}"
    with reader(wrong) as client:
        refused(EventHubError, client.get_eventhub_properties)


main()

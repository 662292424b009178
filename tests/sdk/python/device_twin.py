"""The device's side of its twin."""

import threading

from azure.iot.device.exceptions import ClientError
from azure.iot.hub.models import Twin, TwinProperties

from harness import case, connected, equal, main, new_device, refused, registry, wait


def desire(device, desired):
    return registry().update_twin(device.device, Twin(properties=TwinProperties(desired=desired)))


def reported(device):
    return registry().get_twin(device.device).properties.reported


@case
def a_new_device_s_twin_has_both_versions():
    with connected(new_device()) as client:
        equal(client.get_twin(), {"desired": {"$version": 1}, "reported": {"$version": 1}})


@case
def the_twin_holds_desired_and_reported_without_metadata():
    device = new_device()
    desire(device, {"interval": 5, "nested": {"a": [1, "two", {"three": 3}]}})
    with connected(device) as client:
        client.patch_twin_reported_properties({"interval": 5})
        twin = client.get_twin()
        wanted = {"interval": 5, "nested": {"a": [1, "two", {"three": 3}]}, "$version": 2}
        equal(twin["desired"], wanted, "desired")
        equal(twin["reported"], {"interval": 5, "$version": 2}, "reported")


@case
def reported_properties_reach_the_service():
    device = new_device()
    with connected(device) as client:
        value = {"text": "grüße", "number": 1.5, "whole": 4_503_599_627_370_495, "yes": True, "deep": {"a": {"b": 1}}}
        client.patch_twin_reported_properties(value)
        seen = reported(device)
        equal({name: seen[name] for name in value}, value, "reported")
        assert "$lastUpdated" in seen["$metadata"]["text"], seen["$metadata"]


@case
def null_deletes_a_reported_property():
    device = new_device()
    with connected(device) as client:
        client.patch_twin_reported_properties({"a": 1, "b": {"c": 2, "d": 3}})
        client.patch_twin_reported_properties({"a": None, "b": {"c": None}, "never-there": None})
        seen = client.get_twin()["reported"]
        equal(seen, {"b": {"d": 3}, "$version": 3}, "reported")


@case
def patches_merge_and_arrays_are_replaced():
    with connected(new_device()) as client:
        client.patch_twin_reported_properties({"a": {"x": 1, "y": 2}, "list": [1, 2, 3]})
        client.patch_twin_reported_properties({"a": {"y": 3}, "list": [4]})
        equal(client.get_twin()["reported"], {"a": {"x": 1, "y": 3}, "list": [4], "$version": 3})


@case
def a_desired_patch_reaches_the_device():
    device = new_device()
    with connected(device) as client:
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        desire(device, {"interval": 7, "gone": None, "deep": {"a": 1}})
        wait("patch", lambda: patches)
        equal(patches[0], {"interval": 7, "gone": None, "deep": {"a": 1}, "$version": 2}, "the patch")


@case
def desired_patches_arrive_in_their_order():
    device = new_device()
    with connected(device) as client:
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        for number in range(10):
            desire(device, {"number": number})
        wait("ten patches", lambda: len(patches) == 10)
        equal([patch["number"] for patch in patches], list(range(10)))
        equal([patch["$version"] for patch in patches], list(range(2, 12)))


@case
def a_replaced_desired_section_reaches_the_device_whole():
    device = new_device()
    desire(device, {"old": 1})
    with connected(device) as client:
        patches = []
        client.on_twin_desired_properties_patch_received = patches.append
        registry().replace_twin(device.device, Twin(properties=TwinProperties(desired={"new": 2})), etag="*")
        wait("patch", lambda: patches)
        equal(patches[0]["new"], 2)
        equal(patches[0]["$version"], 3)
        equal(client.get_twin()["desired"], {"new": 2, "$version": 3}, "desired")


@case
def the_older_way_to_receive_a_patch_works():
    device = new_device()
    with connected(device) as client:
        patches = []
        receiving = threading.Thread(
            target=lambda: patches.append(client.receive_twin_desired_properties_patch(timeout=20))
        )
        receiving.start()
        wait("the subscription", lambda: desire(device, {"a": 1}) and patches)
        receiving.join()
        equal(patches[0]["a"], 1)


@case
def a_section_over_its_size_is_refused_and_changes_nothing():
    device = new_device()
    with connected(device) as client:
        refused(ClientError, client.patch_twin_reported_properties, {f"key{n}": "x" * 4000 for n in range(9)})
        equal(client.get_twin()["reported"], {"$version": 1})


@case
def a_key_that_is_not_allowed_is_refused():
    with connected(new_device()) as client:
        for patch in ({"a.b": 1}, {"a b": 1}, {"$own": 1}):
            refused(ClientError, client.patch_twin_reported_properties, patch)
        equal(client.get_twin()["reported"], {"$version": 1})


@case
def too_deep_a_patch_is_refused():
    value = 1
    for _ in range(12):
        value = {"in": value}
    with connected(new_device()) as client:
        refused(ClientError, client.patch_twin_reported_properties, value)


@case
def twenty_twin_requests_at_once_are_each_answered():
    with connected(new_device()) as client:
        client.get_twin()
        twins, errors = [], []

        def ask(number):
            try:
                client.patch_twin_reported_properties({f"n{number}": number})
                twins.append(client.get_twin())
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        equal((len(twins), errors), (20, []))
        equal(client.get_twin()["reported"]["$version"], 21)


main()

"""The service's side of twins, by the service SDK."""

from azure.iot.hub.models import Twin, TwinProperties

from harness import case, connected, equal, http_error, main, new_device, registry, rest, unique


def patch(device, desired=None, tags=None, etag=None):
    twin = Twin(tags=tags, properties=TwinProperties(desired=desired) if desired is not None else None)
    return registry().update_twin(device.device, twin, etag)


@case
def a_new_twin_is_complete():
    device = new_device()
    twin = registry().get_twin(device.device)
    equal((twin.device_id, twin.status, twin.connection_state), (device.device, "enabled", "Disconnected"))
    equal((twin.authentication_type, twin.cloud_to_device_message_count), ("sas", 0))
    equal((twin.properties.desired["$version"], twin.properties.reported["$version"]), (1, 1))
    assert "$lastUpdated" in twin.properties.desired["$metadata"], twin.properties.desired
    assert twin.etag and twin.device_etag and twin.version >= 1, twin


@case
def desired_properties_are_merged():
    device = new_device()
    patch(device, {"a": {"x": 1, "y": 2}, "b": 1})
    twin = patch(device, {"a": {"y": None, "z": 3}, "b": None})
    equal(twin.properties.desired["a"], {"x": 1, "z": 3})
    assert "b" not in twin.properties.desired, twin.properties.desired
    equal(twin.properties.desired["$version"], 3)


@case
def tags_are_merged_and_leave_the_desired_version():
    device = new_device()
    first = patch(device, tags={"site": "a", "floor": 1})
    second = patch(device, tags={"floor": None})
    equal(second.tags, {"site": "a"})
    equal(second.properties.desired["$version"], 1)
    assert second.version > first.version and second.etag != first.etag, (first.version, second.version)


@case
def a_twin_is_replaced():
    device = new_device()
    patch(device, {"old": 1}, {"old": 1})
    new = Twin(tags={"new": 1}, properties=TwinProperties(desired={"new": 2}))
    twin = registry().replace_twin(device.device, new, "*")
    equal(twin.tags, {"new": 1})
    assert "old" not in twin.properties.desired and twin.properties.desired["new"] == 2, twin.properties.desired


@case
def an_etag_guards_a_twin():
    device = new_device()
    first = registry().get_twin(device.device)
    second = patch(device, {"a": 1}, etag=first.etag)
    http_error(412, patch, device, {"a": 2}, etag=first.etag, code="PreconditionFailed")
    equal(registry().get_twin(device.device).properties.desired["a"], 1)
    equal(patch(device, {"a": 3}, etag=second.etag).properties.desired["a"], 3)


@case
def metadata_tell_when_and_at_which_version():
    device = new_device()
    patch(device, {"a": 1, "b": {"c": 2}})
    twin = patch(device, {"a": 2})
    metadata = twin.properties.desired["$metadata"]
    equal((metadata["$lastUpdatedVersion"], metadata["a"]["$lastUpdatedVersion"]), (3, 3))
    equal(metadata["b"]["c"]["$lastUpdatedVersion"], 2)
    assert metadata["a"]["$lastUpdated"].endswith("Z"), metadata


@case
def an_unknown_device_s_twin_is_not_found():
    http_error(404, registry().get_twin, unique(), code="DeviceNotFound")
    http_error(404, registry().update_twin, unique(), Twin(tags={"a": 1}), code="DeviceNotFound")


@case
def a_service_cannot_write_reported_properties():
    device = new_device()
    with connected(device) as client:
        client.patch_twin_reported_properties({"mine": 1})
    twin = Twin(tags={"a": 1}, properties=TwinProperties(reported={"mine": 2}))
    try:
        registry().update_twin(device.device, twin)
    except Exception as error:
        equal(error.response.status_code, 400)
    equal(registry().get_twin(device.device).properties.reported["mine"], 1)


@case
def too_large_and_illegal_patches_are_refused():
    device = new_device()
    http_error(400, patch, device, {f"k{number}": "x" * 4000 for number in range(9)})
    http_error(400, patch, device, tags={"big": "x" * 4000, "bigger": "y" * 4000, "biggest": "z" * 4000})
    http_error(400, patch, device, {"with.dot": 1})
    equal(registry().get_twin(device.device).properties.desired["$version"], 1)


@case
def the_answer_carries_the_etag():
    device = new_device()
    response = rest("GET", f"/twins/{device.device}")
    equal(response.headers.get("ETag", "").strip('"'), response.json()["etag"], "the header ETag")


main()

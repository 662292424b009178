"""Identities of devices, by the service SDK."""

import base64

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import AuthenticationMechanism, ExportImportDevice, SymmetricKey

from harness import OTHER_KEY, SERVICE, Cloud, case, connected, equal, http_error, main, new_device, new_module, registry
from harness import unique

THUMBPRINT = "A1" * 20
OTHER_THUMBPRINT = "B2" * 20


@case
def a_device_is_created_with_keys_of_its_own():
    name = unique()
    made = registry().create_device_with_sas(name, None, None, "enabled")
    keys = made.authentication.symmetric_key
    equal((made.device_id, made.status, made.authentication.type), (name, "enabled", "sas"))
    assert keys.primary_key and keys.secondary_key and keys.primary_key != keys.secondary_key, "two keys"
    assert len(base64.b64decode(keys.primary_key)) in (32, 64), "keys as long as the hub's"
    assert made.etag and made.generation_id, made
    equal((made.connection_state, made.cloud_to_device_message_count), ("Disconnected", 0))


@case
def empty_keys_ask_for_new_ones():
    made = registry().create_device_with_sas(unique(), "", "", "enabled")
    keys = made.authentication.symmetric_key
    assert keys.primary_key and keys.secondary_key, keys


@case
def given_keys_are_kept():
    made = registry().create_device_with_sas(unique(), OTHER_KEY, OTHER_KEY, "disabled", status_reason="spare")
    equal(made.authentication.symmetric_key.primary_key, OTHER_KEY)
    equal((made.status, made.status_reason), ("disabled", "spare"))


@case
def a_device_is_read_as_it_was_made():
    made = registry().create_device_with_sas(unique(), None, None, "enabled")
    read = registry().get_device(made.device_id)
    equal(read.as_dict(), made.as_dict())


@case
def a_device_that_exists_is_not_created_again():
    device = new_device()
    http_error(409, registry().create_device_with_sas, device.device, None, None, "enabled", code="DeviceAlreadyExists")
    equal(registry().get_device(device.device).authentication.symmetric_key.primary_key, device.key, "the key")


@case
def a_device_is_updated_by_its_etag():
    device = registry().create_device_with_sas(unique(), None, None, "enabled")
    key = OTHER_KEY
    changed = registry().update_device_with_sas(
        device.device_id, device.etag, key, key, "disabled", status_reason="broken"
    )
    equal((changed.status, changed.status_reason), ("disabled", "broken"))
    equal(changed.authentication.symmetric_key.primary_key, key)
    assert changed.etag != device.etag, "a new etag"
    equal(changed.generation_id, device.generation_id, "the generation")


@case
def an_old_etag_is_refused():
    device = registry().create_device_with_sas(unique(), None, None, "enabled")
    arguments = (device.device_id, device.etag, OTHER_KEY, OTHER_KEY)
    registry().update_device_with_sas(*arguments, "disabled")
    http_error(412, registry().update_device_with_sas, *arguments, "enabled", code="PreconditionFailed")
    http_error(412, registry().delete_device, device.device_id, device.etag, code="PreconditionFailed")
    equal(registry().get_device(device.device_id).status, "disabled", "the status")


@case
def any_etag_is_taken_as_a_star():
    device = new_device()
    changed = registry().update_device_with_sas(device.device, "*", OTHER_KEY, OTHER_KEY, "disabled")
    equal(changed.status, "disabled")


@case
def a_device_is_deleted():
    device = new_device()
    registry().delete_device(device.device)
    http_error(404, registry().get_device, device.device, code="DeviceNotFound")
    http_error(404, registry().get_twin, device.device, code="DeviceNotFound")


@case
def a_device_that_is_made_again_is_another_generation():
    name = unique()
    first = registry().create_device_with_sas(name, None, None, "enabled")
    registry().delete_device(name)
    second = registry().create_device_with_sas(name, None, None, "enabled")
    assert first.generation_id != second.generation_id, "two generations"
    equal(registry().get_twin(name).properties.desired["$version"], 1, "the version of the new twin")


@case
def an_unknown_device_is_not_found():
    http_error(404, registry().get_device, unique(), code="DeviceNotFound")
    http_error(404, registry().delete_device, unique(), code="DeviceNotFound")


@case
def devices_are_listed_up_to_a_number():
    made = {new_device().device for _ in range(3)}
    listed = {device.device_id for device in registry().get_devices(1000)}
    assert made <= listed, f"{made - listed} are not listed"
    equal(len(registry().get_devices(2)), 2, "the length of a list of two")


@case
def ids_with_every_allowed_character_work():
    name = unique("Dev:1.a+b%c_d#e*f?g!h(i),j=k@l$m'n;o")
    made = registry().create_device_with_sas(name, None, None, "enabled")
    equal(made.device_id, name)
    equal(registry().get_device(name).device_id, name)
    equal(registry().get_twin(name).device_id, name)
    registry().delete_device(name)


@case
def a_device_with_thumbprints_is_created_and_updated():
    made = registry().create_device_with_x509(unique(), THUMBPRINT, OTHER_THUMBPRINT, "enabled")
    equal(made.authentication.type, "selfSigned")
    equal(made.authentication.x509_thumbprint.primary_thumbprint, THUMBPRINT)
    changed = registry().update_device_with_x509(
        made.device_id, made.etag, OTHER_THUMBPRINT, OTHER_THUMBPRINT, "disabled"
    )
    equal(changed.authentication.x509_thumbprint.primary_thumbprint, OTHER_THUMBPRINT)


@case
def a_device_with_an_authority_is_created_and_updated():
    made = registry().create_device_with_certificate_authority(unique(), "enabled")
    equal(made.authentication.type, "certificateAuthority")
    changed = registry().update_device_with_certificate_authority(made.device_id, made.etag, "disabled")
    equal((changed.authentication.type, changed.status), ("certificateAuthority", "disabled"))


@case
def an_edge_device_keeps_its_capability():
    made = registry().create_device_with_sas(unique(), None, None, "enabled", iot_edge=True)
    assert made.capabilities.iot_edge
    assert registry().get_twin(made.device_id).capabilities.iot_edge


@case
def the_connection_state_follows_the_device():
    device = new_device()
    equal(registry().get_device(device.device).connection_state, "Disconnected")
    with connected(device):
        equal(registry().get_device(device.device).connection_state, "Connected")
        equal(registry().get_twin(device.device).connection_state, "Connected")


def sas(key=None):
    return AuthenticationMechanism(
        type="sas", symmetric_key=SymmetricKey(primary_key=key or OTHER_KEY, secondary_key=key or OTHER_KEY)
    )


@case
def devices_are_created_in_bulk():
    names = [unique("bulk") for _ in range(20)]
    devices = [
        ExportImportDevice(id=name, import_mode="create", status="enabled", authentication=sas()) for name in names
    ]
    result = registry().bulk_create_or_update_devices(devices)
    assert result.is_successful, result.errors
    equal(registry().get_device(names[19]).authentication.symmetric_key.primary_key, OTHER_KEY)


@case
def devices_are_updated_and_deleted_in_bulk():
    names = [unique("bulk") for _ in range(3)]
    for name in names:
        new_device(device=name)
    update = [
        ExportImportDevice(id=name, import_mode="update", status="disabled", authentication=sas()) for name in names
    ]
    assert registry().bulk_create_or_update_devices(update).is_successful
    equal([registry().get_device(name).status for name in names], ["disabled"] * 3)
    delete = [ExportImportDevice(id=name, import_mode="delete") for name in names]
    assert registry().bulk_create_or_update_devices(delete).is_successful
    for name in names:
        http_error(404, registry().get_device, name)


@case
def a_bulk_creation_says_which_device_exists():
    existing, new = new_device().device, unique()
    devices = [
        ExportImportDevice(id=name, import_mode="create", status="enabled", authentication=sas())
        for name in (existing, new)
    ]
    # The SDK takes 400 for an answer here, not for an error.
    result = registry().bulk_create_or_update_devices(devices)
    assert not result.is_successful, "one exists"
    equal([error.device_id for error in result.errors], [existing], "the devices with errors")
    assert "DeviceAlreadyExists" in str(result.errors[0].as_dict()), result.errors[0].as_dict()


@case
def a_twin_is_given_with_a_device_in_bulk():
    name = unique("bulk")
    device = ExportImportDevice(
        id=name, import_mode="create", status="enabled", authentication=sas(), tags={"site": "a"}
    )
    assert registry().bulk_create_or_update_devices([device]).is_successful
    equal(registry().get_twin(name).tags, {"site": "a"})


@case
def the_registry_counts_devices():
    # On a cloud of its own, because other cases make devices at the same time.
    with Cloud() as cloud:
        made = [cloud.registry().create_device_with_sas(unique(), None, None, "enabled") for _ in range(3)]
        cloud.registry().create_device_with_sas(unique(), None, None, "disabled")
        cloud.registry().delete_device(made[0].device_id)
        counts = cloud.registry().get_device_registry_statistics()
        seen = (counts.total_device_count, counts.enabled_device_count, counts.disabled_device_count)
        equal(seen, (3, 2, 1))


@case
def the_service_counts_connected_devices():
    with Cloud() as cloud:
        equal(cloud.registry().get_service_statistics().connected_device_count, 0)
        with cloud.client(cloud.new_device()[1]) as client:
            client.connect()
            equal(cloud.registry().get_service_statistics().connected_device_count, 1)


@case
def modules_go_with_their_device():
    module = new_module()
    registry().delete_device(module.device)
    http_error(404, registry().get_module, module.device, module.module)


@case
def a_wrong_service_key_is_unauthorized():
    parts = dict(part.split("=", 1) for part in SERVICE.split(";"))
    wrong = f"HostName={parts['HostName']};SharedAccessKeyName={parts['SharedAccessKeyName']};SharedAccessKey={OTHER_KEY}"
    http_error(401, IoTHubRegistryManager.from_connection_string(wrong).get_device, unique())


main()

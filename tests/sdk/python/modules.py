"""Identities of modules and their twins, by the service SDK."""

from azure.iot.hub.models import Twin, TwinProperties

from harness import OTHER_KEY, case, equal, http_error, main, new_device, new_module, registry, unique


@case
def a_module_is_created_with_keys_of_its_own():
    device = new_device()
    made = registry().create_module_with_sas(device.device, "filter", "me", "", "")
    equal((made.device_id, made.module_id, made.managed_by), (device.device, "filter", "me"))
    keys = made.authentication.symmetric_key
    assert keys.primary_key and keys.secondary_key and keys.primary_key != device.key, keys
    equal(registry().get_module(device.device, "filter").as_dict(), made.as_dict())


@case
def a_module_that_exists_is_not_created_again():
    module = new_module()
    http_error(409, registry().create_module_with_sas, module.device, module.module, "", "", "", code="AlreadyExists")


@case
def a_module_is_updated_by_its_etag():
    device = new_device()
    made = registry().create_module_with_sas(device.device, "filter", "", "", "")
    changed = registry().update_module_with_sas(device.device, "filter", "you", made.etag, OTHER_KEY, OTHER_KEY)
    equal((changed.managed_by, changed.authentication.symmetric_key.primary_key), ("you", OTHER_KEY))
    http_error(
        412, registry().update_module_with_sas, device.device, "filter", "", made.etag, OTHER_KEY, OTHER_KEY
    )


@case
def modules_of_a_device_are_listed():
    device = new_device()
    equal(registry().get_modules(device.device), [])
    for name in ("one", "two"):
        registry().create_module_with_sas(device.device, name, "", "", "")
    equal(sorted(module.module_id for module in registry().get_modules(device.device)), ["one", "two"])


@case
def a_module_is_deleted():
    module = new_module()
    registry().delete_module(module.device, module.module)
    http_error(404, registry().get_module, module.device, module.module, code="ModuleNotFound")
    equal(registry().get_device(module.device).device_id, module.device, "the device, which stays")


@case
def a_module_of_an_unknown_device_is_refused():
    http_error(404, registry().create_module_with_sas, unique(), "m", "", "", "", code="DeviceNotFound")


@case
def an_unknown_module_is_not_found():
    http_error(404, registry().get_module, new_device().device, "nothing", code="ModuleNotFound")


@case
def an_edge_device_has_its_two_system_modules():
    edge = registry().create_device_with_sas(unique("edge"), None, None, "enabled", iot_edge=True)
    names = {module.module_id for module in registry().get_modules(edge.device_id)}
    equal(names, {"$edgeAgent", "$edgeHub"})


@case
def a_module_s_twin_is_read_and_updated():
    module = new_module()
    twin = registry().get_module_twin(module.device, module.module)
    equal((twin.device_id, twin.module_id), (module.device, module.module))
    patch = Twin(tags={"a": 1}, properties=TwinProperties(desired={"telemetryInterval": 122}))
    changed = registry().update_module_twin(module.device, module.module, patch, twin.etag)
    equal((changed.properties.desired["telemetryInterval"], changed.properties.desired["$version"]), (122, 2))
    equal(changed.tags, {"a": 1})


@case
def a_module_s_twin_is_replaced():
    module = new_module()
    patch = Twin(properties=TwinProperties(desired={"old": 1}))
    registry().update_module_twin(module.device, module.module, patch)
    new = Twin(properties=TwinProperties(desired={"new": 2}))
    changed = registry().replace_module_twin(module.device, module.module, new, "*")
    assert "old" not in changed.properties.desired, changed.properties.desired
    equal(changed.properties.desired["new"], 2)


@case
def the_twins_of_a_device_and_its_module_are_two():
    module = new_module()
    registry().update_twin(module.device, Twin(properties=TwinProperties(desired={"of": "device"})))
    patch = Twin(properties=TwinProperties(desired={"of": "module"}))
    registry().update_module_twin(module.device, module.module, patch)
    equal(registry().get_twin(module.device).properties.desired["of"], "device")
    equal(registry().get_module_twin(module.device, module.module).properties.desired["of"], "module")


main()

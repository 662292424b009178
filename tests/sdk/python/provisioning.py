"""The device's side of provisioning over MQTT, and the hub that it leads to.

The SDK waits two seconds before it first asks how its registration goes.
"""

import json

from azure.iot.device import X509, IoTHubDeviceClient, ProvisioningDeviceClient
from azure.iot.device.aio import ProvisioningDeviceClient as AsyncProvisioningDeviceClient
from azure.iot.device.exceptions import CredentialError

from harness import CERTIFICATE_NAME, HUB, OTHER_KEY, READY, Events, case, certificate, derived, ended, enrol, enrol_group
from harness import equal, main, refused, registry, unique

SCOPE = READY["idScope"]


def with_key(registration, key, scope=SCOPE, **options):
    return ProvisioningDeviceClient.create_from_symmetric_key(HUB, registration, scope, key, **options)


def by_group(registration, **options):
    return with_key(registration, derived(READY["groupKey"], registration), **options)


@case
def a_device_of_the_group_is_assigned():
    name = unique()
    result = by_group(name).register()
    state = result.registration_state
    equal((result.status, state.assigned_hub, state.device_id), ("assigned", HUB, name))
    equal(state.sub_status, "initialAssignment")
    assert state.created_date_time and state.last_update_date_time and state.etag, state


@case
def the_key_of_provisioning_is_the_key_of_the_hub():
    name = unique()
    key = derived(READY["groupKey"], name)
    hub = with_key(name, key).register().registration_state.assigned_hub
    with ended(IoTHubDeviceClient.create_from_symmetric_key(key, hub, name)) as client, Events(name) as events:
        client.send_message("provisioned")
        equal(events.telemetry()["body"], "provisioned")


@case
def a_device_that_registers_again_keeps_its_twin():
    name = unique()
    by_group(name).register()
    registry().update_twin(name, {"tags": {"kept": True}})
    result = by_group(name).register()
    equal((result.status, result.registration_state.device_id), ("assigned", name))
    equal(registry().get_twin(name).tags, {"kept": True})


@case
def a_payload_of_json_is_taken_and_comes_back():
    client = by_group(unique())
    payload = {"modelId": "dtmi:envsim:EnvironmentalSensor;1", "list": [1, None, {"a": "ü"}]}
    client.provisioning_payload = payload
    result = client.register()
    equal(result.status, "assigned")
    equal(json.loads(result.registration_state.response_payload), payload, "the payload that comes back")


@case
async def the_asynchronous_client_is_assigned():
    name = unique()
    key = derived(READY["groupKey"], name)
    client = AsyncProvisioningDeviceClient.create_from_symmetric_key(HUB, name, SCOPE, key)
    result = await client.register()
    equal((result.status, result.registration_state.device_id), ("assigned", name))


@case
def a_wrong_key_is_refused():
    refused(CredentialError, with_key(unique(), OTHER_KEY).register)


@case
def the_group_s_own_key_is_refused():
    refused(CredentialError, with_key(unique(), READY["groupKey"]).register)


@case
def a_wrong_scope_is_refused():
    name = unique()
    client = with_key(name, derived(READY["groupKey"], name), "0ne00000BAD")
    refused(CredentialError, client.register)


@case
def an_individual_enrolment_assigns_its_own_device_id():
    name, device = unique("reg"), unique("dev")
    made = enrol(name, {"type": "symmetricKey"}, deviceId=device)
    key = made["attestation"]["symmetricKey"]["primaryKey"]
    result = with_key(name, key).register()
    equal((result.status, result.registration_state.device_id), ("assigned", device))
    with ended(IoTHubDeviceClient.create_from_symmetric_key(key, HUB, device)) as client:
        client.connect()
        assert client.connected


@case
def an_enrolment_s_initial_twin_is_the_device_s():
    name = unique("reg")
    twin = {"tags": {"site": "a"}, "properties": {"desired": {"interval": 60}}}
    made = enrol(name, {"type": "symmetricKey"}, initialTwin=twin)
    with_key(name, made["attestation"]["symmetricKey"]["secondaryKey"]).register()
    seen = registry().get_twin(name)
    equal((seen.tags, seen.properties.desired["interval"]), ({"site": "a"}, 60))


@case
def an_enrolment_s_capability_is_the_device_s():
    name = unique("reg")
    made = enrol(name, {"type": "symmetricKey"}, capabilities={"iotEdge": True})
    with_key(name, made["attestation"]["symmetricKey"]["primaryKey"]).register()
    assert registry().get_device(name).capabilities.iot_edge


@case
def a_disabled_enrolment_does_not_assign():
    name = unique("reg")
    made = enrol(name, {"type": "symmetricKey"}, provisioningStatus="disabled")
    client = with_key(name, made["attestation"]["symmetricKey"]["primaryKey"])
    try:
        result = client.register()
    except Exception:
        return
    assert result.status in ("disabled", "failed"), result.status


@case
def an_individual_enrolment_comes_before_the_group():
    name = unique("reg")
    enrol(name, {"type": "symmetricKey"})
    refused(CredentialError, by_group(name).register)


@case
def another_group_assigns_with_its_own_key():
    group = unique("group")
    made = enrol_group(group, {"type": "symmetricKey"}, initialTwin={"tags": {"group": group}})
    name = unique()
    key = derived(made["attestation"]["symmetricKey"]["primaryKey"], name)
    equal(with_key(name, key).register().status, "assigned")
    equal(registry().get_twin(name).tags, {"group": group})


def assigned_by_certificate(cert, key):
    """A device with this certificate is assigned to the hub, and connects there."""
    x509 = X509(cert_file=cert, key_file=key)
    result = ProvisioningDeviceClient.create_from_x509_certificate(HUB, CERTIFICATE_NAME, SCOPE, x509).register()
    equal((result.status, result.registration_state.device_id), ("assigned", CERTIFICATE_NAME))
    with ended(IoTHubDeviceClient.create_from_x509_certificate(x509, HUB, CERTIFICATE_NAME)) as client:
        client.connect()
        assert client.connected


@case
def a_certificate_with_an_individual_enrolment_is_assigned():
    cert, key = certificate("self")
    with open(cert, encoding="ascii") as file:
        pem = file.read()
    attestation = {"type": "x509", "x509": {"clientCertificates": {"primary": {"certificate": pem}}}}
    enrol(CERTIFICATE_NAME, attestation)
    assigned_by_certificate(cert, key)


@case
def a_certificate_of_a_group_s_authority_is_assigned():
    with open(certificate("authority")[0], encoding="ascii") as file:
        pem = file.read()
    attestation = {"type": "x509", "x509": {"signingCertificates": {"primary": {"certificate": pem}}}}
    enrol_group(unique("group"), attestation)
    assigned_by_certificate(*certificate("signed"))


@case
def a_certificate_that_nobody_enrolled_is_refused():
    cert, key = certificate("self")
    x509 = X509(cert_file=cert, key_file=key)
    client = ProvisioningDeviceClient.create_from_x509_certificate(HUB, CERTIFICATE_NAME, SCOPE, x509)
    try:
        result = client.register()
    except Exception:
        return
    equal(result.status, "failed")


main()

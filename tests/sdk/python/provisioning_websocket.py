"""The device's side of provisioning over WebSocket, on port 443."""

from azure.iot.device import IoTHubDeviceClient, ProvisioningDeviceClient
from azure.iot.device.exceptions import CredentialError

from harness import HUB, OTHER_KEY, READY, Events, case, derived, ended, equal, main, refused, unique


def client(name, key):
    return ProvisioningDeviceClient.create_from_symmetric_key(HUB, name, READY["idScope"], key, websockets=True)


@case
def a_device_is_assigned_over_websocket_and_sends_over_it():
    name = unique()
    key = derived(READY["groupKey"], name)
    result = client(name, key).register()
    equal((result.status, result.registration_state.device_id), ("assigned", name))
    hub = result.registration_state.assigned_hub
    device = IoTHubDeviceClient.create_from_symmetric_key(key, hub, name, websockets=True)
    with ended(device), Events(name) as events:
        device.send_message("provisioned")
        equal(events.telemetry()["body"], "provisioned")


@case
def a_wrong_key_is_refused_over_websocket():
    refused(CredentialError, client(unique(), OTHER_KEY).register)


main()

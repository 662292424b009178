"""What happens to a device's link: renewal, loss, takeover."""

from azure.iot.device import IoTHubDeviceClient, MethodResponse
from azure.iot.device.exceptions import CredentialError
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties

from harness import OTHER_KEY, Events, case, connected, ended, equal, http_error, main, new_device
from harness import refused, registry, wait


def watch(client):
    """Every change of the link; the client may have gone on when it is told of it."""
    changes = []
    client.on_connection_state_change = lambda: changes.append(client.connected)
    return changes


def take_over(device):
    """Connects as the same device and goes away again: the older link is cut."""
    with connected(device, connection_retry=False) as other:
        assert other is not None


@case
def a_token_is_renewed_before_it_ends():
    device = new_device()
    # The SDK renews two minutes before the end: here one second after it has connected.
    with ended(
        IoTHubDeviceClient.create_from_connection_string(device.connection_string(), sastoken_ttl=121)
    ) as client, Events(device.device) as events:
        changes = watch(client)
        client.connect()
        wait("renewal", lambda: len(changes) >= 3 and client.connected)
        client.send_message("with the new token")
        equal(events.telemetry()["body"], "with the new token")
        equal(client.failures, [])


@case
def subscriptions_survive_a_renewal():
    device = new_device()
    with ended(
        IoTHubDeviceClient.create_from_connection_string(device.connection_string(), sastoken_ttl=121)
    ) as client:
        changes, patches = watch(client), []
        client.connect()
        client.on_twin_desired_properties_patch_received = patches.append

        def echo(request):
            client.send_method_response(MethodResponse.create_from_method_request(request, 200, request.payload))

        client.on_method_request_received = echo
        wait("renewal", lambda: len(changes) >= 3 and client.connected)
        # The SDK never subscribes again: the session has to be kept.
        request = CloudToDeviceMethod(method_name="echo", payload="still here", connect_timeout_in_seconds=10)
        equal(registry().invoke_device_method(device.device, request).payload, "still here")
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"a": 1})))
        wait("patch", lambda: patches)


@case
def a_newer_connection_takes_over():
    device = new_device()
    with connected(device, connection_retry=False) as older:
        with connected(device, connection_retry=False) as newer:
            wait("the end of the older one", lambda: not older.connected)
            assert newer.connected
            equal(registry().get_device(device.device).connection_state, "Connected")


@case
def a_lost_link_is_made_again_and_hears_what_it_heard():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        changes, patches = watch(client), []
        client.on_twin_desired_properties_patch_received = patches.append
        take_over(device)
        wait("the link again", lambda: False in changes and client.connected)
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"a": 1})))
        wait("patch", lambda: any("a" in patch for patch in patches))
        client.send_message("again")
        equal(events.telemetry()["body"], "again")


@case
def desired_properties_changed_meanwhile_are_made_up_for():
    device = new_device()
    with connected(device, ensure_desired_properties=True) as client:
        patches = []
        # What the SDK asks for by itself is only answered to those who have subscribed to answers.
        client.get_twin()
        client.on_twin_desired_properties_patch_received = patches.append
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"a": 1})))
        wait("patch", lambda: patches)
        client.disconnect()
        registry().update_twin(device.device, Twin(properties=TwinProperties(desired={"a": 2})))
        client.connect()
        # The SDK asks for the twin and finds a version that it has not seen.
        wait("the missed change", lambda: patches[-1].get("a") == 2)
        equal(patches[-1]["$version"], 3)


@case
def a_disabled_device_loses_its_link_and_gets_it_back_when_enabled():
    device = new_device()
    with connected(device, connection_retry=False) as client:
        identity = registry().get_device(device.device)
        key = identity.authentication.symmetric_key
        disabled = registry().update_device_with_sas(
            device.device, identity.etag, key.primary_key, key.secondary_key, "disabled"
        )
        wait("the end of the link", lambda: not client.connected)
        refused(CredentialError, client.connect)
        registry().update_device_with_sas(
            device.device, disabled.etag, key.primary_key, key.secondary_key, "enabled"
        )
        client.connect()
        assert client.connected


@case
def a_deleted_device_loses_its_link():
    device = new_device()
    with connected(device, connection_retry=False) as client:
        registry().delete_device(device.device)
        wait("the end of the link", lambda: not client.connected)
        refused(CredentialError, client.connect)


@case
def a_new_key_is_needed_after_the_keys_were_changed():
    device = new_device()
    key = OTHER_KEY
    with connected(device, connection_retry=False) as client:
        identity = registry().get_device(device.device)
        registry().update_device_with_sas(device.device, identity.etag, key, key, "enabled")
        wait("the end of the link", lambda: not client.connected)
        refused(CredentialError, client.connect)
    device.key = key
    with connected(device) as client:
        assert client.connected


@case
def subscriptions_outlive_the_client_that_made_them():
    device = new_device()
    request = CloudToDeviceMethod(method_name="go", payload=1, response_timeout_in_seconds=5)
    with connected(device) as client:
        client.on_method_request_received = lambda request: None
    with connected(device):
        # Nobody answers, because this client knows of no handler; but it is there and subscribed.
        error = http_error(504, registry().invoke_device_method, device.device, request)
        assert "504101" in error, error


main()

"""Trouble on request: what programs see of an outage, a busy service, a cut connection."""

from azure.iot.device.exceptions import ConnectionDroppedError, ConnectionFailedError, CredentialError, NoConnectionError
from azure.iot.hub.models import QuerySpecification

from harness import Cloud, Events, case, connected, drop, equal, http_error, main, new_device, refused, unique, wait


@case
def a_dropped_connection_is_made_again():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        changes = []
        client.on_connection_state_change = lambda: changes.append(client.connected)
        equal(drop(device), 1, "what was dropped")
        wait("the link again", lambda: len(changes) >= 2 and client.connected)
        client.send_message("again")
        equal(events.telemetry()["body"], "again")


def deliver(client, text):
    """Sends until it is acknowledged, as a program has to that meets a lost link."""

    def sent():
        try:
            client.send_message(text)
        except (NoConnectionError, ConnectionDroppedError, ConnectionFailedError):
            return False
        return True

    wait(f"acknowledgement of {text}", sent)


@case
def messages_sent_while_connections_drop_all_arrive():
    device = new_device()
    with connected(device) as client, Events(device.device) as events:
        for number in range(30):
            if number % 10 == 5:
                drop(device)
            deliver(client, f"n{number}")
        wanted = {f"n{number}" for number in range(30)}
        seen = set()
        # What was not acknowledged comes a second time, as at every hub.
        while seen != wanted:
            seen.add(events.telemetry()["body"])


@case
def an_outage_is_a_failed_connection_and_passes():
    with Cloud() as cloud:
        cloud.rest("PUT", "/envsim/faults", {"refuse": {"returnCode": 3, "times": 1}})
        with cloud.client(cloud.new_device()[1], connection_retry=False) as client:
            refused(ConnectionFailedError, client.connect)
            # The faults' own count says that the outage is over.
            equal(cloud.rest("GET", "/envsim/faults")["refuse"]["times"], 0, "the refusals that are left")
            client.connect()
            assert client.connected


@case
def refused_credentials_are_a_credential_error_for_one_device_only():
    with Cloud() as cloud:
        name, text = cloud.new_device()
        cloud.rest("PUT", "/envsim/faults", {"refuse": {"returnCode": 5, "device": name}})
        with cloud.client(text) as client, cloud.client(cloud.new_device()[1]) as other:
            refused(CredentialError, client.connect)
            other.connect()
            cloud.rest("DELETE", "/envsim/faults")
            client.connect()
            assert client.connected and other.connected


@case
def a_busy_provisioning_service_is_asked_again():
    with Cloud() as cloud:
        cloud.rest("PUT", "/envsim/faults", {"dpsBusy": {"times": 2, "retryAfter": 1}})
        result, _ = cloud.register(unique())
        equal(result.status, "assigned")
        equal(cloud.rest("GET", "/envsim/faults")["dpsBusy"]["times"], 0, "the answers of this kind that are left")


@case
def a_slow_cloud_still_answers_everything():
    with Cloud() as cloud:
        _, text = cloud.new_device()
        cloud.rest("PUT", "/envsim/faults", {"latency": 200})
        with cloud.client(text) as client:
            client.connect()
            client.patch_twin_reported_properties({"a": 1})
            equal(client.get_twin()["reported"]["a"], 1)
            client.send_message("slow")


@case
def a_token_that_ends_early_cuts_the_link_which_is_made_again():
    with Cloud() as cloud:
        _, text = cloud.new_device()
        cloud.rest("PUT", "/envsim/faults", {"tokenLife": 1000})
        with cloud.client(text) as client:
            changes = []
            client.on_connection_state_change = lambda: changes.append(client.connected)
            client.connect()
            wait("the link again", lambda: len(changes) >= 3 and client.connected)
            cloud.rest("DELETE", "/envsim/faults")
            client.send_message("again")


@case
def a_device_sent_elsewhere_registers_again_and_connects_there():
    with Cloud() as cloud, Cloud() as other:
        name = unique()
        result, key = cloud.register(name)
        equal(result.registration_state.assigned_hub, cloud.ready["hub"])
        other.registry().create_device_with_sas(name, key, key, "enabled")
        text = f"DeviceId={name};SharedAccessKey={key}"
        with cloud.client(f"HostName={cloud.ready['hub']};{text}", connection_retry=False) as client:
            client.connect()
            cloud.rest("PUT", "/envsim/faults", {"elsewhere": {"hub": other.ready["hub"], "device": name}})
            wait("the end of the link", lambda: not client.connected)
            refused(CredentialError, client.connect)
        again, _ = cloud.register(name)
        equal(again.registration_state.assigned_hub, other.ready["hub"])
        with other.client(f"HostName={again.registration_state.assigned_hub};{text}") as client:
            client.send_message("here now")
            equal(other.registry().get_device(name).connection_state, "Connected")


@case
def a_small_hub_s_service_answers_429_when_it_is_asked_too_often():
    with Cloud("--sku", "F1") as cloud:
        ask = cloud.registry().query_iot_hub
        everything = QuerySpecification(query="SELECT * FROM devices")

        def ask_often():
            # Twenty queries a minute, and what has become free again meanwhile.
            for _ in range(100):
                ask(everything)

        http_error(429, ask_often, code="ThrottlingException")
        # Each kind of request has an allowance of its own.
        cloud.new_device()


main()

"""What the cases stand on: the cloud they talk to, identities of their own, waiting with a deadline.

A file of cases declares each with `@case` and ends with `main()`; `python FILE CASE` runs one.
Everything is said to the SDKs as their users say it; only what no SDK offers goes over `rest`.
"""

import asyncio
import base64
import contextlib
import faulthandler
import hashlib
import hmac
import http.client
import inspect
import json
import os
import ssl
import subprocess
import sys
import time
import traceback
import urllib.parse
import uuid

import requests
from azure.iot.device import IoTHubDeviceClient, IoTHubModuleClient, ProvisioningDeviceClient
from azure.iot.hub import IoTHubRegistryManager
from msrest.exceptions import HttpOperationError

# How long anything may take before a case gives up. Generous: the machine may be busy.
DEADLINE = 25

READY = json.loads(os.environ["CLOUD_READY"])
HUB = READY["hub"]
SERVICE = READY["serviceConnectionString"]

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def main():
    """Runs the case that the command line names."""
    name = sys.argv[1]
    # Several SDK calls have no time limit of their own; this says where they hang.
    faulthandler.dump_traceback_later(3 * DEADLINE, exit=True)
    try:
        outcome = CASES[name]()
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        # Threads that an SDK has left behind must not keep a failed case from ending.
        os._exit(1)


def unique(prefix="dev"):
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


# Waiting


def looked(what, condition, end, deadline):
    value = condition()
    if not value and time.monotonic() > end:
        raise AssertionError(f"no {what} within {deadline} s; the last look gave {value!r}")
    return value


def wait(what, condition, deadline=DEADLINE):
    """Waits until `condition()` is true, and returns what it returned."""
    end = time.monotonic() + deadline
    while not (value := looked(what, condition, end, deadline)):
        time.sleep(0.02)
    return value


async def wait_async(what, condition, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while not (value := looked(what, condition, end, deadline)):
        await asyncio.sleep(0.02)
    return value


def equal(seen, wanted, what="it"):
    assert seen == wanted, f"{what} is {seen!r}, should be {wanted!r}"


def refused(kind, call, *args, **keywords):
    """Calls, and returns the exception of this kind that has to come of it."""
    try:
        value = call(*args, **keywords)
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, and it returned {value!r}")


def http_error(status, call, *args, code=None, **keywords):
    """Calls the service SDK, which has to be refused with this HTTP status, and a code in the body."""
    error = refused(HttpOperationError, call, *args, **keywords)
    text = error.response.text
    text = text() if callable(text) else text
    equal(error.response.status_code, status, f"the status of ({text})")
    if code is not None:
        assert str(code) in text, f"no {code} in {text}"
    return text


# The service side


def registry():
    return IoTHubRegistryManager.from_connection_string(SERVICE)


def fields(connection_string):
    return dict(part.split("=", 1) for part in connection_string.split(";"))


def token(connection_string, seconds=3600):
    """A shared-access signature of a service."""
    parts = fields(connection_string)
    resource = urllib.parse.quote(parts["HostName"], safe="")
    expiry = int(time.time()) + seconds
    key = base64.b64decode(parts["SharedAccessKey"])
    mac = hmac.new(key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(mac).decode(), safe="")
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={parts['SharedAccessKeyName']}"


def rest(method, path, body=None, headers=None, data=None, connection_string=None, version="2021-04-12", ready=None):
    """A request that no SDK makes."""
    ready = ready or READY
    connection_string = connection_string or ready["serviceConnectionString"]
    headers = {"Authorization": token(connection_string), **(headers or {})}
    separator = "&" if "?" in path else "?"
    url = f"{ready['provisioningEndpoint']}{path}{separator}api-version={version}"
    authority = ready["caFile"]
    return requests.request(method, url, json=body, data=data, headers=headers, timeout=DEADLINE, verify=authority)


def send_to_device(device, body, properties=None, ready=None, **system):
    """A message from the cloud to a device, in the old HTTP form."""
    headers = {"iothub-to": f"/devices/{urllib.parse.quote(device, safe='')}/messages/devicebound"}
    headers.update({f"iothub-app-{name}": value for name, value in (properties or {}).items()})
    headers.update({f"iothub-{name}": value for name, value in system.items()})
    response = rest("POST", "/messages/devicebound", data=body, headers=headers, ready=ready)
    assert response.status_code in (200, 201, 204), f"sending answers {response.status_code} {response.text}"


def provisioning_rest(method, path, body=None, headers=None):
    """A request to the provisioning service, for which Python has no SDK of today."""
    connection_string = READY.get("provisioningServiceConnectionString")
    assert connection_string, "the ready line has no provisioningServiceConnectionString"
    response = rest(method, path, body, headers, connection_string=connection_string, version="2021-10-01")
    assert response.status_code in (200, 201, 204), f"{method} {path} answers {response.status_code} {response.text}"
    return response.json() if response.text else None


def enrol(registration, attestation, **members):
    """An individual enrolment."""
    body = {"registrationId": registration, "attestation": attestation, **members}
    return provisioning_rest("PUT", f"/enrollments/{registration}", body)


def enrol_group(group, attestation, **members):
    """An enrolment group."""
    body = {"enrollmentGroupId": group, "attestation": attestation, **members}
    return provisioning_rest("PUT", f"/enrollmentGroups/{group}", body)


def drop(device):
    """Drops the connections of a device and its modules, as a network does."""
    response = rest("POST", f"/envsim/connections/drop?device={device.device}")
    equal(response.status_code, 200, f"the status ({response.text})")
    return response.json()["dropped"]


class Events:
    """What the hub has heard from one device, from its beginning on."""

    def __init__(self, device):
        endpoint = urllib.parse.urlsplit(READY["provisioningEndpoint"])
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        self.connection = http.client.HTTPSConnection(
            endpoint.hostname, endpoint.port, context=context, timeout=DEADLINE
        )
        query = urllib.parse.urlencode({"after": 0, "device": device, "api-version": "2021-04-12"})
        self.connection.request("GET", f"/envsim/events?{query}", headers={"Authorization": token(SERVICE)})
        self.response = self.connection.getresponse()
        equal(self.response.status, 200, "the status of the stream of events")
        self.seen = []

    def next(self, what="event", wanted=lambda event: True):
        """The next event that is as wanted."""
        while True:
            try:
                line = self.response.readline()
            except TimeoutError:
                line = b""
            assert line, f"no {what}; heard were {self.seen}"
            if line.strip():
                event = json.loads(line)
                self.seen.append(event)
                if wanted(event):
                    return event

    def telemetry(self, wanted=lambda event: True):
        return self.next("telemetry", lambda event: event["source"] == "Telemetry" and wanted(event))

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# Identities


class Identity:
    """A device in the registry, or a module of one, made for one case."""

    def __init__(self, device, key, module=None):
        self.device, self.key, self.module = device, key, module

    def connection_string(self, key=None):
        module = f"ModuleId={self.module};" if self.module else ""
        return f"HostName={HUB};DeviceId={self.device};{module}SharedAccessKey={key or self.key}"


def new_device(status="enabled", device=None):
    made = registry().create_device_with_sas(device or unique(), None, None, status)
    return Identity(made.device_id, made.authentication.symmetric_key.primary_key)


def new_module(module="sensor"):
    device = new_device()
    made = registry().create_module_with_sas(device.device, module, "", "", "")
    return Identity(device.device, made.authentication.symmetric_key.primary_key, module)


def derived(group_key, registration):
    """A device's own key, as the holder of the group's key makes it."""
    mac = hmac.new(base64.b64decode(group_key), registration.encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


# Certificates that were made for this case: `self` signs itself, `authority` signs `signed`.

CERTIFICATE_NAME = os.environ["CERTIFICATE_NAME"]


def certificate(kind):
    """The files of a certificate and of its key."""
    folder = os.environ["CERTIFICATES"]
    return os.path.join(folder, f"{kind}.pem"), os.path.join(folder, f"{kind}.key")


def trust(kind):
    """Registers an authority with the hub, as its owner does in the portal."""
    with open(certificate(kind)[0], encoding="ascii") as file:
        pem = file.read()
    response = rest("PUT", f"/envsim/certificates/{CERTIFICATE_NAME}", data=pem)
    assert response.status_code in (200, 201, 204), f"registering answers {response.status_code} {response.text}"


OTHER_KEY = base64.b64encode(b"somebody else's, as long as a key is").decode()


# Clients of devices


@contextlib.contextmanager
def ended(client):
    """The client, which is shut down whatever happens."""
    client.failures = []
    client.on_background_exception = client.failures.append
    try:
        yield client
    finally:
        client.shutdown()


@contextlib.contextmanager
def connected(identity, **options):
    """A synchronous client of the device or module, connected."""
    kind = IoTHubModuleClient if identity.module else IoTHubDeviceClient
    with ended(kind.create_from_connection_string(identity.connection_string(), **options)) as client:
        client.connect()
        yield client


# Clouds of a case's own


class Cloud:
    """`envsim cloud` on an address of this case's own, on the port that SDKs know."""

    # A case has two of them.
    addresses = iter(os.environ["CLOUD_ADDRESSES"].split(","))

    def __init__(self, *options):
        self.options = options
        self.address = next(self.addresses)
        self.process = None
        self.start()

    def start(self):
        place = ["--bind", self.address, "--hostname", self.address, "--mqtt-port", "8883", "--https-port", "0"]
        self.process = subprocess.Popen(
            [os.environ["CLOUD_PROGRAM"], "cloud", "--format", "json", *place, *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line, f"the cloud with {self.options} does not start: exit code {self.process.wait()}"
        self.ready = json.loads(line)
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            os.environ[name] = self.ready["caFile"]

    def registry(self):
        return IoTHubRegistryManager.from_connection_string(self.ready["serviceConnectionString"])

    def rest(self, method, path, body=None):
        response = rest(method, path, body, ready=self.ready)
        assert response.status_code in (200, 204), f"{method} {path} answers {response.status_code} {response.text}"
        return response.json() if response.text else None

    def send_to_device(self, device, body):
        send_to_device(device, body, ready=self.ready)

    def authority(self):
        """Its certificate, as device SDKs take it."""
        with open(self.ready["caFile"], encoding="ascii") as file:
            return file.read()

    def new_device(self):
        """The connection string of a device on it."""
        made = self.registry().create_device_with_sas(unique(), None, None, "enabled")
        key = made.authentication.symmetric_key.primary_key
        return made.device_id, f"HostName={self.ready['hub']};DeviceId={made.device_id};SharedAccessKey={key}"

    def client(self, connection_string, **options):
        """A synchronous client of a device on it, which is shut down whatever happens."""
        authority = self.authority()
        return ended(
            IoTHubDeviceClient.create_from_connection_string(
                connection_string, server_verification_cert=authority, **options
            )
        )

    def register(self, name):
        """What its provisioning service makes of a device of its group, and the device's key."""
        key = derived(self.ready["groupKey"], name)
        client = ProvisioningDeviceClient.create_from_symmetric_key(
            self.ready["hub"], name, self.ready["idScope"], key, server_verification_cert=self.authority()
        )
        return client.register(), key

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        equal(self.process.wait(DEADLINE), 0, "the exit code of the cloud")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()

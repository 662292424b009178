"""Devices that show a certificate instead of a token."""

import hashlib
import ssl

from azure.iot.device import X509, IoTHubDeviceClient, IoTHubModuleClient
from azure.iot.device.exceptions import CredentialError

from harness import CERTIFICATE_NAME, HUB, Events, case, certificate, ended, equal, main, refused, registry, trust


def client_with(kind, device=CERTIFICATE_NAME, **options):
    cert, key = certificate(kind)
    x509 = X509(cert_file=cert, key_file=key)
    return ended(IoTHubDeviceClient.create_from_x509_certificate(x509, HUB, device, **options))


def thumbprint(kind, digest=hashlib.sha1):
    with open(certificate(kind)[0], encoding="ascii") as file:
        first = file.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    return digest(ssl.PEM_cert_to_DER_cert(first)).hexdigest().upper()


def with_thumbprint(primary, secondary=None):
    return registry().create_device_with_x509(CERTIFICATE_NAME, primary, secondary or primary, "enabled")


@case
def a_thumbprint_is_enough():
    with_thumbprint(thumbprint("self"))
    with client_with("self") as client, Events(CERTIFICATE_NAME) as events:
        client.send_message("with a certificate")
        equal(events.telemetry()["body"], "with a certificate")


@case
def the_longer_thumbprint_and_the_second_are_as_good():
    with_thumbprint("A1" * 32, thumbprint("self", hashlib.sha256))
    with client_with("self") as client:
        client.connect()
        assert client.connected


@case
def another_certificate_is_refused():
    with_thumbprint("A1" * 20)
    with client_with("self") as client:
        refused(CredentialError, client.connect)


@case
def a_device_with_a_key_is_not_let_in_by_a_certificate():
    registry().create_device_with_sas(CERTIFICATE_NAME, None, None, "enabled")
    with client_with("self") as client:
        refused(CredentialError, client.connect)


@case
def a_certificate_of_a_known_authority_is_enough():
    trust("authority")
    registry().create_device_with_certificate_authority(CERTIFICATE_NAME, "enabled")
    with client_with("signed") as client:
        client.connect()
        client.patch_twin_reported_properties({"a": 1})
        equal(registry().get_twin(CERTIFICATE_NAME).authentication_type, "certificateAuthority")


@case
def a_certificate_of_an_unknown_authority_is_refused():
    registry().create_device_with_certificate_authority(CERTIFICATE_NAME, "enabled")
    with client_with("self") as client:
        refused(CredentialError, client.connect)


@case
def another_device_s_certificate_is_refused():
    trust("authority")
    other = CERTIFICATE_NAME + "-other"
    registry().create_device_with_certificate_authority(other, "enabled")
    with client_with("signed", other) as client:
        refused(CredentialError, client.connect)


@case
def a_module_has_thumbprints_of_its_own():
    with_thumbprint(thumbprint("self"))
    own = thumbprint("signed")
    made = registry().create_module_with_x509(CERTIFICATE_NAME, "filter", "", own, own)
    equal(made.authentication.x509_thumbprint.primary_thumbprint, own)
    cert, key = certificate("signed")
    client = IoTHubModuleClient.create_from_x509_certificate(
        X509(cert_file=cert, key_file=key), HUB, CERTIFICATE_NAME, "filter"
    )
    with ended(client), Events(CERTIFICATE_NAME) as events:
        client.send_message("from a module")
        equal(events.telemetry()["moduleId"], "filter")


main()

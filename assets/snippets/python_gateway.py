"""The hub keeps its name from Azure, and the connection goes here: GatewayHostName."""

import base64, hashlib, hmac, os

from azure.iot.device import IoTHubDeviceClient

group_key = base64.b64decode(os.environ["ENVSIM_GROUP_KEY"])
key = base64.b64encode(hmac.digest(group_key, b"sensor-01", hashlib.sha256)).decode()
gateway = os.environ.get("GATEWAY", "localhost")
device = IoTHubDeviceClient.create_from_connection_string(
    f"HostName=my-hub.azure-devices.net;GatewayHostName={gateway};DeviceId=sensor-01;SharedAccessKey={key}")
device.connect()
device.send_message('{"temp": 21.5}')
print("connected", device.connected)
device.shutdown()

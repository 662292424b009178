"""A device on azure-iot-device: registered by way of DPS, then on its hub."""

import base64, hashlib, hmac, os

from azure.iot.device import IoTHubDeviceClient, ProvisioningDeviceClient

name, hub = "sensor-py", os.environ["ENVSIM_HUB"]
group_key = base64.b64decode(os.environ["ENVSIM_GROUP_KEY"])
key = base64.b64encode(hmac.digest(group_key, name.encode(), hashlib.sha256)).decode()

dps = ProvisioningDeviceClient.create_from_symmetric_key(
    hub, registration_id=name, id_scope=os.environ["IOTHUB_DEVICE_DPS_ID_SCOPE"], symmetric_key=key)
assigned = dps.register().registration_state

device = IoTHubDeviceClient.create_from_symmetric_key(key, assigned.assigned_hub, assigned.device_id)
device.connect()
device.send_message('{"temp": 21.5}')
print(device.get_twin())
device.shutdown()

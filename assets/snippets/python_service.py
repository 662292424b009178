"""A back end on azure-iot-hub: a device made, its twin changed, and what it needs to connect."""

import os

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import QuerySpecification, Twin, TwinProperties

hub = IoTHubRegistryManager.from_connection_string(os.environ["IOTHUB_CONNECTION_STRING"])
device = hub.create_device_with_sas("made-by-py", "", "", "enabled")
hub.update_twin(device.device_id, Twin(tags={"floor": 1}, properties=TwinProperties(desired={"brightness": 2})))
found = hub.query_iot_hub(QuerySpecification(query="SELECT * FROM devices WHERE tags.floor = 1")).items
print([(twin.device_id, twin.properties.desired["brightness"]) for twin in found])
print(f"HostName={os.environ['ENVSIM_HUB']};DeviceId={device.device_id};"
      f"SharedAccessKey={device.authentication.symmetric_key.primary_key}")

"""Signs a service's token, good for an hour, for whatever speaks plain HTTPS."""

import os

from azure.iot.hub.auth import ConnectionStringAuthentication
from azure.iot.hub.sastoken import SasToken

hub = ConnectionStringAuthentication(os.environ["IOTHUB_CONNECTION_STRING"])
print(SasToken(hub["HostName"], hub["SharedAccessKey"], hub["SharedAccessKeyName"]))

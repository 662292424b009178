// A device on azure-iot-device-mqtt: registered by way of DPS, then on its hub.
const crypto = require('node:crypto');
const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const provisioning = require('azure-iot-provisioning-device-mqtt');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');

const name = 'sensor-js';
const { ENVSIM_GROUP_KEY, ENVSIM_HUB, IOTHUB_DEVICE_DPS_ID_SCOPE } = process.env;
const key = crypto.createHmac('sha256', Buffer.from(ENVSIM_GROUP_KEY, 'base64')).update(name).digest('base64');

(async () => {
  const security = new SymmetricKeySecurityClient(name, key);
  const transport = new provisioning.Mqtt();
  const dps = ProvisioningDeviceClient.create(ENVSIM_HUB, IOTHUB_DEVICE_DPS_ID_SCOPE, transport, security);
  const { assignedHub, deviceId } = await dps.register();
  const device = Client.fromConnectionString(`HostName=${assignedHub};DeviceId=${deviceId};SharedAccessKey=${key}`, Mqtt);
  await device.open();
  await device.sendEvent(new Message('{"temp": 21.5}'));
  await device.close();
  console.log(deviceId, 'has sent to', assignedHub);
  process.exit(0);
})();

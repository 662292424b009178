// The cases that a provisioning client has to pass on each of its transports.
'use strict';

const crypto = require('node:crypto');

const { Client, Message } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { X509Security } = require('azure-iot-security-x509');
const { assert, certificate, certificateName, equal, hub, otherKey, ready, registry, telemetry, unique } = require('./harness');

const derived = (name) =>
  crypto.createHmac('sha256', Buffer.from(ready.groupKey, 'base64')).update(name).digest('base64');

const withKey = (name, key, transport) =>
  ProvisioningDeviceClient.create(hub, ready.idScope, transport, new SymmetricKeySecurityClient(name, key));

/** What each case does, given a transport. */
module.exports = {
  async group(transport) {
    const name = unique();
    const state = await withKey(name, derived(name), transport).register();
    equal([state.status, state.assignedHub, state.deviceId], ['assigned', hub, name]);
    const text = `HostName=${state.assignedHub};DeviceId=${name};SharedAccessKey=${derived(name)}`;
    const client = Client.fromConnectionString(text, Mqtt);
    await client.open();
    try {
      await client.sendEvent(new Message('provisioned'));
      equal((await telemetry(name))[0].body, 'provisioned');
    } finally {
      await client.close();
    }
  },

  async payload(transport) {
    const name = unique();
    const client = withKey(name, derived(name), transport);
    client.setProvisioningPayload({ modelId: 'dtmi:envsim:EnvironmentalSensor;1', list: [1, null] });
    equal((await client.register()).status, 'assigned');
  },

  async wrongKey(transport) {
    let error;
    try {
      await withKey(unique(), otherKey, transport).register();
    } catch (thrown) {
      error = thrown;
    }
    assert.ok(error, 'refused');
    // Over MQTT the SDK passes on what its MQTT library says.
    assert.match(`${error.constructor.name} ${error.message}`, /Unauthorized|Not authorized/, error.stack);
  },

  async certificate(transport) {
    const { cert, key } = certificate('self');
    assert.ok(ready.provisioningServiceConnectionString, 'provisioningServiceConnectionString in the ready line');
    const service = ProvisioningServiceClient.fromConnectionString(ready.provisioningServiceConnectionString);
    const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate: cert } } } };
    await service.createOrUpdateIndividualEnrollment({ registrationId: certificateName, attestation });
    const security = new X509Security(certificateName, { cert, key });
    const state = await ProvisioningDeviceClient.create(hub, ready.idScope, transport, security).register();
    equal([state.status, state.deviceId], ['assigned', certificateName]);
    equal((await registry().get(certificateName)).responseBody.authentication.type, 'selfSigned');
  },
};

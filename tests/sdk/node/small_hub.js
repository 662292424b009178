// A hub of the smallest size, and other trouble on request: what programs see of it.
'use strict';

const crypto = require('node:crypto');

const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { Mqtt } = require('azure-iot-provisioning-device-mqtt');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { cases, connected, equal, hub, main, newDevice, ready, refused, registry, rest, unique } = require('./harness');

/** Lets things go wrong from now on. */
async function faults(wanted) {
  const { status, text } = await rest('PUT', '/envsim/faults', { body: JSON.stringify(wanted) });
  equal([status, text && 200], [200, 200], text);
}

cases.too_many_queries_are_a_throttling_error = async () => {
  const askOften = async () => {
    // Twenty a minute, and what has become free again meanwhile.
    for (let count = 0; count < 100; count += 1) await registry().createQuery('SELECT * FROM devices').nextAsTwin();
  };
  const error = await refused('ThrottlingError', askOften());
  equal(error.response.statusCode, 429);
  // Each kind of request has an allowance of its own.
  await newDevice();
};

cases.an_outage_passes_without_the_program_s_doing = async () => {
  const device = await newDevice();
  await faults({ refuse: { returnCode: 3, times: 1 } });
  // The SDK tries again by itself.
  await connected(device, async () => {});
  const { text } = await rest('GET', '/envsim/faults');
  equal(JSON.parse(text).refuse.times, 0, 'the refusals that are left');
};

/** A client of the provisioning service, for a device of its group. */
function registering(transport) {
  const name = unique();
  const key = crypto.createHmac('sha256', Buffer.from(ready.groupKey, 'base64')).update(name).digest('base64');
  return ProvisioningDeviceClient.create(hub, ready.idScope, transport, new SymmetricKeySecurityClient(name, key));
}

cases.a_busy_provisioning_service_is_asked_again_over_mqtt = async () => {
  await faults({ dpsBusy: { times: 1, retryAfter: 1 } });
  equal((await registering(new Mqtt()).register()).status, 'assigned');
  const { text } = await rest('GET', '/envsim/faults');
  equal(JSON.parse(text).dpsBusy.times, 0, 'the answers of this kind that are left');
};

cases.a_busy_provisioning_service_is_a_throttling_error_over_http = async () => {
  await faults({ dpsBusy: { times: 1, retryAfter: 1 } });
  // Over HTTP this SDK leaves it to the program.
  const client = registering(new Http());
  await refused('ThrottlingError', client.register());
  equal((await client.register()).status, 'assigned');
};

main();

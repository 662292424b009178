// Direct methods, by the service SDK.
'use strict';

const { Client } = require('azure-iothub');
const { assert, cases, connected, equal, main, newDevice, refused, service, unique } = require('./harness');

const client = () => Client.fromConnectionString(service);

cases.a_method_is_invoked = async () => {
  const device = await newDevice();
  await connected(device, async (it) => {
    it.onDeviceMethod('go', (request, response) => response.send(201, request.payload));
    const { result } = await client().invokeDeviceMethod(device.id, { methodName: 'go', payload: [1], connectTimeoutInSeconds: 20 });
    equal(result, { status: 201, payload: [1] });
  });
};

cases.an_unknown_device_is_an_error_of_its_own_class = async () => {
  await refused('DeviceNotFoundError', client().invokeDeviceMethod(unique(), { methodName: 'go' }));
};

cases.a_device_that_is_not_there_is_404103 = async () => {
  const device = await newDevice();
  let error;
  try {
    await client().invokeDeviceMethod(device.id, { methodName: 'go', payload: 1 });
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, 'an error');
  assert.match(String(error.responseBody), /404103/);
};

cases.a_device_that_does_not_answer_is_a_gateway_timeout = async () => {
  const device = await newDevice();
  await connected(device, async (it) => {
    it.onDeviceMethod('silence', () => {});
    const params = { methodName: 'silence', payload: 1, connectTimeoutInSeconds: 20, responseTimeoutInSeconds: 5 };
    const error = await refused('GatewayTimeoutError', client().invokeDeviceMethod(device.id, params));
    assert.match(String(error.responseBody), /504101/);
  });
};

main();

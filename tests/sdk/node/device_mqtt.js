// The device client over MQTT.
'use strict';

const { Client, ModuleClient, Message, SharedAccessSignature } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { Client: ServiceClient } = require('azure-iothub');
const shared = require('./device_shared');
const {
  cases, certificate, certificateName, connected, equal, hub, main, newDevice, refused, registry, service, telemetry, wait,
} = require('./harness');

cases.telemetry_arrives_with_its_properties = () => shared.telemetry(Mqtt);
cases.thirty_messages_at_once_arrive = () => shared.manyMessages(Mqtt);
cases.the_twin_is_read_reported_and_followed = () => shared.twin(Mqtt);
cases.methods_are_answered = () => shared.method(Mqtt);
cases.a_message_from_the_cloud_is_completed = () => shared.message(Mqtt);
cases.a_dropped_connection_is_made_again_and_hears_what_it_heard = () => shared.drop(Mqtt);
cases.a_token_is_renewed_before_it_ends = () => shared.renewal(Mqtt);
cases.a_wrong_key_is_unauthorized = () => shared.wrongKey(Mqtt);

cases.a_token_made_by_the_user_is_replaced_by_another = async () => {
  const device = await newDevice();
  const token = () => SharedAccessSignature.create(hub, device.id, device.key, Math.floor(Date.now() / 1000) + 3600).toString();
  const client = Client.fromSharedAccessSignature(token(), Mqtt);
  await client.open();
  try {
    await client.updateSharedAccessSignature(token());
    await client.sendEvent(new Message('with the other token'));
    equal((await telemetry(device.id))[0].body, 'with the other token');
  } finally {
    await client.close();
  }
};

cases.an_unknown_device_is_unauthorized = async () => {
  const client = Client.fromConnectionString(`HostName=${hub};DeviceId=nobody;SharedAccessKey=bm9ib2R5IGF0IGFsbA==`, Mqtt);
  await refused('UnauthorizedError', client.open());
};

cases.a_disabled_device_is_unauthorized = async () => {
  const device = await newDevice({ status: 'disabled' });
  await refused('UnauthorizedError', Client.fromConnectionString(device.connectionString(), Mqtt).open());
};

cases.a_reported_patch_that_is_too_large_is_an_error = async () => {
  await connected(await newDevice(), async (client) => {
    const twin = await client.getTwin();
    const patch = Object.fromEntries([...Array(9).keys()].map((number) => [`key${number}`, 'x'.repeat(4000)]));
    const error = await new Promise((resolve) => twin.properties.reported.update(patch, resolve));
    equal(error instanceof Error, true, 'an error');
    equal((await client.getTwin()).properties.reported.$version, 1);
  });
};

cases.a_client_that_opens_again_still_hears = async () => {
  const device = await newDevice();
  await connected(device, async (client) => {
    const twin = await client.getTwin();
    const patches = [];
    twin.on('properties.desired', (patch) => patches.push(patch));
    await client.close();
    await client.open();
    await client.getTwin();
    await registry().updateTwin(device.id, { properties: { desired: { a: 1 } } }, '*');
    await wait('the patch', () => patches.some((patch) => patch.a === 1));
  });
};

cases.a_module_sends_to_an_output_and_answers_methods = async () => {
  const device = await newDevice();
  const { responseBody } = await registry().addModule({ deviceId: device.id, moduleId: 'filter' });
  const made = responseBody ?? (await registry().getModule(device.id, 'filter')).responseBody;
  const key = made.authentication.symmetricKey.primaryKey;
  const text = `HostName=${hub};DeviceId=${device.id};ModuleId=filter;SharedAccessKey=${key}`;
  const client = ModuleClient.fromConnectionString(text, Mqtt);
  await client.open();
  try {
    await client.sendOutputEvent('alert', new Message('hot'));
    const [event] = await telemetry(device.id);
    equal([event.body, event.moduleId, event.properties['$.on']], ['hot', 'filter', 'alert']);
    client.onMethod('reset', (request, response) => response.send(200, request.payload));
    const params = { methodName: 'reset', payload: { a: 1 }, connectTimeoutInSeconds: 20, responseTimeoutInSeconds: 20 };
    const { result } = await ServiceClient.fromConnectionString(service).invokeDeviceMethod(device.id, 'filter', params);
    equal(result, { status: 200, payload: { a: 1 } });
  } finally {
    await client.close();
  }
};

cases.a_certificate_connects_a_device = async () => {
  const { cert, key } = certificate('self');
  const { X509Certificate } = require('node:crypto');
  const thumbprint = new X509Certificate(cert).fingerprint.replaceAll(':', '');
  const x509Thumbprint = { primaryThumbprint: thumbprint, secondaryThumbprint: thumbprint };
  await registry().create({ deviceId: certificateName, authentication: { type: 'selfSigned', x509Thumbprint } });
  const client = Client.fromConnectionString(`HostName=${hub};DeviceId=${certificateName};x509=true`, Mqtt);
  await client.setOptions({ cert, key });
  await client.open();
  try {
    await client.sendEvent(new Message('with a certificate'));
    equal((await telemetry(certificateName))[0].body, 'with a certificate');
  } finally {
    await client.close();
  }
};

main();

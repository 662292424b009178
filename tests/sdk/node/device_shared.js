// The cases that a device client has to pass on each of its transports.
'use strict';

const { Client, Message, SharedAccessKeyAuthenticationProvider } = require('azure-iot-device');
const { Client: ServiceClient } = require('azure-iothub');
const {
  assert, connected, drop, equal, newDevice, otherKey, refused, registry, sendToDevice, service, telemetry, wait,
} = require('./harness');

const invoke = (device, methodName, payload) =>
  ServiceClient.fromConnectionString(service).invokeDeviceMethod(device.id, { methodName, payload, responseTimeoutInSeconds: 20 });

const twinOf = async (device) => (await registry().getTwin(device.id)).responseBody;

/** What each case does, given a transport. */
module.exports = {
  async telemetry(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      const message = new Message(JSON.stringify({ temp: 21.5 }));
      message.contentType = 'application/json';
      message.contentEncoding = 'utf-8';
      message.messageId = 'id/1+2 3';
      message.properties.add('a b', 'c/d&e=f');
      await client.sendEvent(message);
      const [event] = await telemetry(device.id);
      equal(event.body, { temp: 21.5 });
      equal(event.properties['a b'], 'c/d&e=f');
      equal([event.properties['$.mid'], event.properties['$.ct']], ['id/1+2 3', 'application/json']);
    }, transport);
  },

  async manyMessages(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      await Promise.all([...Array(30).keys()].map((number) => client.sendEvent(new Message(`n${number}`))));
      const heard = (await telemetry(device.id, 30)).map((event) => event.body);
      equal(heard.sort(), [...Array(30).keys()].map((number) => `n${number}`).sort());
    }, transport);
  },

  async twin(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      const twin = await client.getTwin();
      equal(twin.properties.desired.$version, 1);
      const patches = [];
      twin.on('properties.desired', (patch) => patches.push(patch));
      await new Promise((resolve, reject) =>
        twin.properties.reported.update({ a: 1, b: { c: 2 } }, (error) => (error ? reject(error) : resolve())));
      await new Promise((resolve, reject) =>
        twin.properties.reported.update({ b: { c: null } }, (error) => (error ? reject(error) : resolve())));
      const reported = (await twinOf(device)).properties.reported;
      equal([reported.a, reported.b, reported.$version], [1, {}, 3]);
      await registry().updateTwin(device.id, { properties: { desired: { interval: 5 } } }, '*');
      await wait('the patch', () => patches.some((patch) => patch.interval === 5));
      equal(twin.properties.desired.interval, 5);
    }, transport);
  },

  async method(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      client.onDeviceMethod('echo', (request, response) => response.send(200, { got: request.payload }));
      client.onDeviceMethod('fail', (request, response) => response.send(404, null));
      const answer = async (name, payload) => {
        const { result } = await wait(`an answer to ${name}`, () =>
          // Subscribing is not awaited by the SDK.
          invoke(device, name, payload).catch((error) => (String(error.responseBody).includes('404103') ? null : Promise.reject(error))));
        return result;
      };
      equal(await answer('echo', { a: [1, null] }), { status: 200, payload: { got: { a: [1, null] } } });
      equal(await answer('fail', 5), { status: 404, payload: null });
    }, transport);
  },

  async message(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      const messages = [];
      client.on('message', (message) => messages.push(message));
      await sendToDevice(device.id, 'hello', { level: '3' });
      await wait('the message', () => messages.length);
      equal(messages[0].data.toString(), 'hello');
      equal(messages[0].properties.getValue('level'), '3');
      await client.complete(messages[0]);
      await wait('an empty queue', async () => (await twinOf(device)).cloudToDeviceMessageCount === 0);
    }, transport);
  },

  async drop(transport) {
    const device = await newDevice();
    await connected(device, async (client) => {
      const twin = await client.getTwin();
      const patches = [];
      twin.on('properties.desired', (patch) => patches.push(patch));
      await wait('the first patch', () => patches.length);
      await drop(device);
      // Sending waits until the SDK has the link again.
      await client.sendEvent(new Message('again'));
      equal((await telemetry(device.id))[0].body, 'again');
      await registry().updateTwin(device.id, { properties: { desired: { a: 1 } } }, '*');
      await wait('the patch', () => patches.some((patch) => patch.a === 1));
    }, transport);
  },

  async renewal(transport) {
    const device = await newDevice();
    // Renewed two seconds after it was made; good for much longer than a busy machine needs to connect.
    const provider = SharedAccessKeyAuthenticationProvider.fromConnectionString(device.connectionString(), 32, 30);
    let renewals = 0;
    provider.on('newTokenAvailable', () => (renewals += 1));
    const client = Client.fromAuthenticationProvider(provider, transport);
    client.on('error', (error) => console.error('client:', error.message));
    await client.open();
    try {
      // With each, the SDK takes the link down and makes it again.
      await wait('the third token', () => renewals >= 3);
      await client.sendEvent(new Message('with a new token'));
      equal((await telemetry(device.id))[0].body, 'with a new token');
    } finally {
      await client.close();
      provider.stop();
    }
  },

  async wrongKey(transport) {
    const device = await newDevice();
    const client = Client.fromConnectionString(device.connectionString(otherKey), transport);
    const error = await refused('UnauthorizedError', client.open());
    assert.ok(error, 'an error');
  },
};

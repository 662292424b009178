// What the cases stand on: the cloud they talk to, identities of their own, waiting with a deadline.
//
// A file of cases declares each as `cases.name = ` and ends with `main()`; `node FILE CASE` runs one.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const { Client } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');
const { Registry } = require('azure-iothub');

// How long anything may take before a case gives up. Generous: the machine may be busy.
const DEADLINE = 25_000;

const ready = JSON.parse(process.env.CLOUD_READY);
const hub = ready.hub;
const service = ready.serviceConnectionString;

const cases = {};

/** Runs the case that the command line names. */
async function main() {
  const limit = setTimeout(() => fail(new Error('the case does not end')), 3 * DEADLINE);
  try {
    await cases[process.argv[2]]();
    clearTimeout(limit);
    // The SDKs keep timers and sockets after everything is closed.
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

process.on('unhandledRejection', fail);

const unique = (prefix = 'dev') => `${prefix}-${crypto.randomBytes(5).toString('hex')}`;

/** Waits until `condition()` is true, and returns what it returned. */
async function wait(what, condition) {
  const end = Date.now() + DEADLINE;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`no ${what} within ${DEADLINE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const equal = (seen, wanted, what) => assert.deepStrictEqual(seen, wanted, what && `${what}: ${JSON.stringify(seen)}`);

/** Awaits a refusal, and returns the error, which has to be of this class. */
async function refused(name, promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    assert.strictEqual(error.constructor.name, name, `${error.stack}\n${error.responseBody ?? ''}`);
    return error;
  }
  throw new Error(`expected ${name}, and it returned ${JSON.stringify(value)}`);
}

const registry = () => Registry.fromConnectionString(service);

const fields = (connectionString) =>
  Object.fromEntries(connectionString.split(';').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));

/** A shared-access signature of a service. */
function token(connectionString) {
  const { HostName, SharedAccessKey, SharedAccessKeyName } = fields(connectionString);
  const resource = encodeURIComponent(HostName);
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const mac = crypto.createHmac('sha256', Buffer.from(SharedAccessKey, 'base64')).update(`${resource}\n${expiry}`);
  const signature = encodeURIComponent(mac.digest('base64'));
  return `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}&skn=${SharedAccessKeyName}`;
}

/** A request that no SDK makes. */
function rest(method, target, { body, headers, version = '2021-04-12', onResponse } = {}) {
  const url = new URL(`${ready.provisioningEndpoint}${target}`);
  url.searchParams.set('api-version', version);
  return new Promise((resolve, reject) => {
    const options = { method, headers: { Authorization: token(service), ...headers } };
    const request = https.request(url, options, (response) => {
      if (onResponse) return resolve(onResponse(response, request));
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** The next telemetry of a device, from its beginning on. */
function telemetry(device, count = 1) {
  return rest('GET', `/envsim/events?after=0&device=${encodeURIComponent(device)}`, {
    onResponse: (response, request) =>
      new Promise((resolve, reject) => {
        if (response.statusCode !== 200) return reject(new Error(`the events answer ${response.statusCode}`));
        let text = '';
        const timer = setTimeout(() => reject(new Error(`no telemetry; heard was ${text}`)), DEADLINE);
        response.setEncoding('utf8');
        response.on('error', () => {});
        response.on('data', (data) => {
          text += data;
          const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line.trim());
          const heard = whole.map((line) => JSON.parse(line)).filter((event) => event.source === 'Telemetry');
          if (heard.length < count) return;
          clearTimeout(timer);
          request.destroy();
          resolve(heard);
        });
      }),
  });
}

/** A message from the cloud to a device, in the old HTTP form. */
async function sendToDevice(device, body, properties = {}) {
  const headers = { 'iothub-to': `/devices/${encodeURIComponent(device)}/messages/devicebound` };
  for (const [name, value] of Object.entries(properties)) headers[`iothub-app-${name}`] = value;
  const { status, text } = await rest('POST', '/messages/devicebound', { body, headers });
  assert.ok([200, 201, 204].includes(status), `sending answers ${status} ${text}`);
}

/** Drops a device's connections, as a network does. */
async function drop(device) {
  const { status, text } = await rest('POST', `/envsim/connections/drop?device=${encodeURIComponent(device.id)}`);
  equal([status, JSON.parse(text).dropped], [200, 1], 'dropping');
}

const otherKey = Buffer.from("somebody else's, as long as a key is").toString('base64');

/** A device in the registry, made for one case. */
async function newDevice(members = {}) {
  const { responseBody } = await registry().create({ deviceId: unique(), ...members });
  const key = responseBody.authentication.symmetricKey?.primaryKey;
  const connectionString = (other = key) => `HostName=${hub};DeviceId=${responseBody.deviceId};SharedAccessKey=${other}`;
  return { id: responseBody.deviceId, key, connectionString };
}

/** Opens a client on this transport, gives it to `use`, and closes it whatever happens. */
async function connected(device, use, transport = Mqtt) {
  const client = Client.fromConnectionString(device.connectionString(), transport);
  client.on('error', (error) => console.error('client:', error.message));
  await client.open();
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** The files of a certificate that was made for this case, read. */
function certificate(kind) {
  const read = (end) => fs.readFileSync(path.join(process.env.CERTIFICATES, `${kind}.${end}`), 'utf8');
  return { cert: read('pem'), key: read('key') };
}

const certificateName = process.env.CERTIFICATE_NAME;

module.exports = {
  assert, cases, certificate, certificateName, connected, drop, equal, hub, main, newDevice, otherKey, ready, refused,
  registry, rest, sendToDevice, service, telemetry, token, unique, wait,
};

// Messages to devices and their feedback over AMQP, by the service SDK.
'use strict';

const { Client } = require('azure-iothub');
const { Message } = require('azure-iot-common');
const { cases, connected, equal, main, newDevice, refused, service, unique, wait } = require('./harness');

/** Opens a client, gives it to `use`, and closes it whatever happens. */
async function sending(use) {
  const client = Client.fromConnectionString(service);
  await client.open();
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

cases.a_message_is_sent_with_its_properties = async () => {
  const device = await newDevice();
  await connected(device, async (it) => {
    const messages = [];
    it.on('message', (message) => it.complete(message, () => messages.push(message)));
    const message = new Message('hello');
    message.messageId = 'm1';
    message.properties.add('a', 'b');
    await sending((client) => client.send(device.id, message));
    await wait('message', () => messages.length);
    equal(messages[0].data.toString(), 'hello');
    equal([messages[0].messageId, messages[0].properties.getValue('a')], ['m1', 'b']);
  });
};

cases.feedback_comes_when_it_was_asked_for = async () => {
  const device = await newDevice();
  await sending(async (client) => {
    const { result: receiver } = await client.getFeedbackReceiver();
    const records = [];
    receiver.on('message', (batch) => {
      records.push(...JSON.parse(batch.data.toString()));
      receiver.complete(batch, () => {});
    });
    const message = new Message('hello');
    message.messageId = unique();
    message.ack = 'full';
    await client.send(device.id, message);
    await connected(device, async (it) => {
      it.on('message', (received) => it.complete(received, () => {}));
      // The hub collects feedback for 15 s.
      const of = () => records.find((record) => record.originalMessageId === message.messageId);
      const record = await wait('feedback', of);
      equal([record.statusCode, record.deviceId], ['Success', device.id]);
    });
  });
};

cases.a_message_for_an_unknown_device_is_an_error_of_its_own_class = async () => {
  await sending((client) => refused('DeviceNotFoundError', client.send(unique(), new Message('hello'))));
};

main();

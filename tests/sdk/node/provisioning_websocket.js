// The device's side of provisioning over MQTT over WebSocket.
'use strict';

const { MqttWs } = require('azure-iot-provisioning-device-mqtt');
const shared = require('./provisioning_shared');
const { cases, main } = require('./harness');

cases.a_device_of_the_group_is_assigned_over_websocket = () => shared.group(new MqttWs());
cases.a_wrong_key_is_refused_over_websocket = () => shared.wrongKey(new MqttWs());

main();

// The device's side of provisioning over MQTT.
'use strict';

const { Mqtt } = require('azure-iot-provisioning-device-mqtt');
const shared = require('./provisioning_shared');
const { cases, main } = require('./harness');

cases.a_device_of_the_group_is_assigned_and_sends = () => shared.group(new Mqtt());
cases.a_payload_is_taken = () => shared.payload(new Mqtt());
cases.a_wrong_key_is_refused = () => shared.wrongKey(new Mqtt());
cases.a_certificate_is_assigned = () => shared.certificate(new Mqtt());

main();

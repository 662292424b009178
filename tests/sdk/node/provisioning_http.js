// The device's side of provisioning over HTTPS.
'use strict';

const { Http } = require('azure-iot-provisioning-device-http');
const shared = require('./provisioning_shared');
const { cases, main } = require('./harness');

cases.a_device_of_the_group_is_assigned_and_sends = () => shared.group(new Http());
cases.a_payload_is_taken = () => shared.payload(new Http());
cases.a_wrong_key_is_refused = () => shared.wrongKey(new Http());
cases.a_certificate_is_assigned = () => shared.certificate(new Http());

main();

// The device client over MQTT over WebSocket.
'use strict';

const { MqttWs } = require('azure-iot-device-mqtt');
const shared = require('./device_shared');
const { cases, main } = require('./harness');

cases.telemetry_arrives_over_websocket = () => shared.telemetry(MqttWs);
cases.thirty_messages_at_once_arrive_over_websocket = () => shared.manyMessages(MqttWs);
cases.the_twin_works_over_websocket = () => shared.twin(MqttWs);
cases.methods_are_answered_over_websocket = () => shared.method(MqttWs);
cases.a_message_is_completed_over_websocket = () => shared.message(MqttWs);
cases.a_dropped_connection_is_made_again_over_websocket = () => shared.drop(MqttWs);
cases.a_token_is_renewed_over_websocket = () => shared.renewal(MqttWs);
cases.a_wrong_key_is_unauthorized_over_websocket = () => shared.wrongKey(MqttWs);

main();

hub() { curl --fail-with-body --silent --show-error --cacert "$ENVSIM_CA" --header "Authorization: $TOKEN" "$@"; }
cloud=$IOTHUB_DEVICE_DPS_ENDPOINT/envsim

hub --json '{"latency": 100, "refuse": {"returnCode": 3, "times": 1}}' --request PUT $cloud/faults
hub $cloud/faults
hub --request DELETE $cloud/faults
hub --request POST "$cloud/connections/drop?device=sensor-01"
hub $cloud/quota
hub --upload-file authority.pem $cloud/certificates/mine
hub $cloud/certificates
hub $cloud/certificates/mine
hub --request DELETE $cloud/certificates/mine
hub --json '{"body": {"on": true}, "properties": {"level": "3"}, "ack": "full"}' $cloud/devices/sensor-01/messages
hub --no-buffer --max-time 2 "$cloud/events?after=0&device=sensor-01"

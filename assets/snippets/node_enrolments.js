// A back end on azure-iot-provisioning-service. It too knows no port but 443.
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');

(async () => {
  const dps = ProvisioningServiceClient.fromConnectionString(process.env.PROVISIONING_SERVICE_CONNECTION_STRING);
  const attestation = { type: 'symmetricKey', symmetricKey: {} };
  const { responseBody } = await dps.createOrUpdateIndividualEnrollment({ registrationId: 'one', attestation });
  console.log(responseBody.registrationId, 'is', responseBody.provisioningStatus);
})();

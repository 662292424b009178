// Enrolments, by the provisioning service's SDK.
'use strict';

const crypto = require('node:crypto');

const { ProvisioningDeviceClient } = require('azure-iot-provisioning-device');
const { Http } = require('azure-iot-provisioning-device-http');
const { ProvisioningServiceClient } = require('azure-iot-provisioning-service');
const { SymmetricKeySecurityClient } = require('azure-iot-security-symmetric-key');
const { assert, cases, certificate, equal, main, otherKey, ready, unique } = require('./harness');

function client() {
  assert.ok(ready.provisioningServiceConnectionString, 'provisioningServiceConnectionString in the ready line');
  return ProvisioningServiceClient.fromConnectionString(ready.provisioningServiceConnectionString);
}

const symmetric = () => ({ type: 'symmetricKey', symmetricKey: {} });

/** Awaits a refusal with this HTTP status. */
async function refusedWith(status, promise) {
  let error;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `expected ${status}, and it was taken`);
  equal(error.response?.statusCode, status, `the status of ${error.message} ${error.responseBody}`);
}

cases.an_individual_enrolment_is_created_read_and_deleted = async () => {
  const registrationId = unique('reg');
  const made = (await client().createOrUpdateIndividualEnrollment({ registrationId, attestation: symmetric(), deviceId: 'mine' })).responseBody;
  equal([made.registrationId, made.deviceId, made.provisioningStatus], [registrationId, 'mine', 'enabled']);
  assert.ok(made.attestation.symmetricKey.primaryKey && made.etag, 'a key and an etag');
  const read = (await client().getIndividualEnrollment(registrationId)).responseBody;
  equal([read.etag, read.deviceId], [made.etag, 'mine']);
  await client().deleteIndividualEnrollment(registrationId, '*');
  await refusedWith(404, client().getIndividualEnrollment(registrationId));
};

cases.an_individual_enrolment_is_updated_by_its_etag = async () => {
  const registrationId = unique('reg');
  const made = (await client().createOrUpdateIndividualEnrollment({ registrationId, attestation: symmetric() })).responseBody;
  const changed = (await client().createOrUpdateIndividualEnrollment({ ...made, provisioningStatus: 'disabled' })).responseBody;
  equal(changed.provisioningStatus, 'disabled');
  assert.notStrictEqual(changed.etag, made.etag);
  await refusedWith(412, client().createOrUpdateIndividualEnrollment({ ...made, provisioningStatus: 'enabled' }));
};

cases.given_keys_are_kept_and_told = async () => {
  const registrationId = unique('reg');
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: otherKey, secondaryKey: otherKey } };
  await client().createOrUpdateIndividualEnrollment({ registrationId, attestation });
  const { responseBody } = await client().getIndividualEnrollmentAttestationMechanism(registrationId);
  equal(responseBody.symmetricKey, { primaryKey: otherKey, secondaryKey: otherKey });
};

// The SDK has to be handed its own continuation token.
cases.individual_enrolments_are_queried_in_pages = async () => {
  const ids = [unique('reg'), unique('reg'), unique('reg')];
  for (const registrationId of ids) {
    await client().createOrUpdateIndividualEnrollment({ registrationId, attestation: symmetric() });
  }
  const query = client().createIndividualEnrollmentQuery({ query: 'SELECT * FROM enrollments' }, 2);
  const seen = [];
  while (query.hasMoreResults) {
    const page = (await query.next(query.continuationToken)).responseBody;
    assert.ok(page.length <= 2, 'two on a page');
    seen.push(...page.map((item) => item.registrationId));
  }
  assert.ok(ids.every((id) => seen.includes(id)), `${ids} among ${seen}`);
};

// With a callback, because without one the SDK's promise never ends.
const bulk = (operation) =>
  new Promise((resolve, reject) => {
    client().runBulkEnrollmentOperation(operation, (error, result) => (error ? reject(error) : resolve(result)));
  });

cases.enrolments_are_created_and_deleted_in_bulk = async () => {
  const enrollments = [unique('reg'), unique('reg')].map((registrationId) => ({ registrationId, attestation: symmetric() }));
  const created = await bulk({ mode: 'create', enrollments });
  equal(created.isSuccessful, true);
  assert.ok((await client().getIndividualEnrollment(enrollments[1].registrationId)).responseBody.etag);
  const deleted = await bulk({ mode: 'delete', enrollments });
  equal(deleted.isSuccessful, true);
  await refusedWith(404, client().getIndividualEnrollment(enrollments[0].registrationId));
};

cases.a_group_is_created_read_and_deleted = async () => {
  const enrollmentGroupId = unique('group');
  const twin = { tags: { a: 1 }, properties: { desired: { b: 2 } } };
  const made = (await client().createOrUpdateEnrollmentGroup({ enrollmentGroupId, attestation: symmetric(), initialTwin: twin })).responseBody;
  equal([made.enrollmentGroupId, made.initialTwin.tags], [enrollmentGroupId, { a: 1 }]);
  const { responseBody } = await client().getEnrollmentGroupAttestationMechanism(enrollmentGroupId);
  assert.ok(responseBody.symmetricKey.primaryKey, 'a key');
  equal((await client().getEnrollmentGroup(enrollmentGroupId)).responseBody.etag, made.etag);
  await client().deleteEnrollmentGroup(enrollmentGroupId, made.etag);
  await refusedWith(404, client().getEnrollmentGroup(enrollmentGroupId));
};

cases.a_group_with_an_authority_is_created = async () => {
  const enrollmentGroupId = unique('group');
  const attestation = { type: 'x509', x509: { signingCertificates: { primary: { certificate: certificate('authority').cert } } } };
  const made = (await client().createOrUpdateEnrollmentGroup({ enrollmentGroupId, attestation })).responseBody;
  equal(made.attestation.type, 'x509');
  assert.ok(made.attestation.x509.signingCertificates.primary.info.sha256Thumbprint, 'what the certificate says');
};

cases.groups_are_queried = async () => {
  const enrollmentGroupId = unique('group');
  await client().createOrUpdateEnrollmentGroup({ enrollmentGroupId, attestation: symmetric() });
  const query = client().createEnrollmentGroupQuery({ query: 'SELECT * FROM enrollmentGroups' }, 100);
  const seen = [];
  while (query.hasMoreResults) {
    const page = (await query.next(query.continuationToken)).responseBody;
    seen.push(...page.map((item) => item.enrollmentGroupId));
  }
  assert.ok(seen.includes(enrollmentGroupId), `${enrollmentGroupId} among ${seen}`);
};

cases.an_enrolment_with_custom_allocation_is_refused = async () => {
  const enrollment = {
    registrationId: unique('reg'),
    attestation: symmetric(),
    allocationPolicy: 'custom',
    customAllocationDefinition: { webhookUrl: 'https://localhost/function', apiVersion: '2019-03-31' },
  };
  let error;
  try {
    await client().createOrUpdateIndividualEnrollment(enrollment);
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error?.response?.statusCode >= 400, `refused, and not ${error}`);
};

cases.an_unknown_enrolment_is_not_found = async () => {
  await refusedWith(404, client().getIndividualEnrollment(unique('reg')));
  await refusedWith(404, client().getEnrollmentGroup(unique('group')));
  await refusedWith(404, client().getDeviceRegistrationState(unique('reg')));
};

cases.registrations_of_a_group_are_queried_and_deleted = async () => {
  const enrollmentGroupId = unique('group');
  const group = (await client().createOrUpdateEnrollmentGroup({ enrollmentGroupId, attestation: symmetric() })).responseBody;
  const name = unique();
  const key = crypto.createHmac('sha256', Buffer.from(group.attestation.symmetricKey.primaryKey, 'base64')).update(name).digest('base64');
  const security = new SymmetricKeySecurityClient(name, key);
  equal((await ProvisioningDeviceClient.create(ready.hub, ready.idScope, new Http(), security).register()).status, 'assigned');
  const query = client().createEnrollmentGroupDeviceRegistrationStateQuery({ query: '*' }, enrollmentGroupId, 10);
  const [state, ...others] = (await query.next()).responseBody;
  equal([state.registrationId, state.deviceId, state.status, others], [name, name, 'assigned', []]);
  equal((await client().getDeviceRegistrationState(name)).responseBody.assignedHub, ready.hub);
  await client().deleteDeviceRegistrationState(name);
  await refusedWith(404, client().getDeviceRegistrationState(name));
};

main();

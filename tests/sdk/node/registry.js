// Identities, bulk changes, statistics and modules, by the service SDK.
'use strict';

const { Registry } = require('azure-iothub');
const { assert, cases, connected, equal, main, newDevice, otherKey, refused, registry, service, unique } = require('./harness');

cases.a_device_is_created_read_updated_and_deleted = async () => {
  const deviceId = unique();
  const made = (await registry().create({ deviceId, status: 'enabled' })).responseBody;
  equal([made.deviceId, made.status, made.authentication.type], [deviceId, 'enabled', 'sas']);
  assert.ok(made.authentication.symmetricKey.primaryKey, 'a key');
  const read = (await registry().get(deviceId)).responseBody;
  equal(read.etag, made.etag);
  const changed = (await registry().update({ ...read, status: 'disabled', statusReason: 'spare' })).responseBody;
  equal([changed.status, changed.statusReason], ['disabled', 'spare']);
  await registry().delete(deviceId);
  await refused('DeviceNotFoundError', registry().get(deviceId));
};

cases.a_device_that_exists_is_an_error_of_its_own_class = async () => {
  const device = await newDevice();
  await refused('DeviceAlreadyExistsError', registry().create({ deviceId: device.id }));
};

cases.an_unknown_device_is_an_error_of_its_own_class = async () => {
  await refused('DeviceNotFoundError', registry().get(unique()));
  await refused('DeviceNotFoundError', registry().getTwin(unique()));
};

cases.a_wrong_key_is_an_error_of_its_own_class = async () => {
  const wrong = service.replace(/SharedAccessKey=.*/, `SharedAccessKey=${otherKey}`);
  await refused('UnauthorizedError', Registry.fromConnectionString(wrong).get(unique()));
};

cases.devices_are_listed = async () => {
  const device = await newDevice();
  const ids = (await registry().list()).responseBody.map((item) => item.deviceId);
  assert.ok(ids.includes(device.id), `${device.id} is listed`);
};

cases.devices_are_added_updated_and_removed_in_bulk = async () => {
  const ids = [...Array(10).keys()].map(() => unique('bulk'));
  const devices = ids.map((deviceId) => ({ deviceId, status: 'enabled' }));
  equal((await registry().addDevices(devices)).responseBody.isSuccessful, true);
  const disabled = ids.map((deviceId) => ({ deviceId, status: 'disabled' }));
  equal((await registry().updateDevices(disabled, true)).responseBody.isSuccessful, true);
  equal((await registry().get(ids[9])).responseBody.status, 'disabled');
  equal((await registry().removeDevices(disabled, true)).responseBody.isSuccessful, true);
  await refused('DeviceNotFoundError', registry().get(ids[0]));
};

cases.a_bulk_change_with_an_old_etag_is_told = async () => {
  const device = await newDevice();
  const { etag } = (await registry().get(device.id)).responseBody;
  await registry().update({ deviceId: device.id, status: 'disabled' });
  let result;
  try {
    result = (await registry().removeDevices([{ deviceId: device.id, eTag: etag }], false)).responseBody;
  } catch (error) {
    result = JSON.parse(error.responseBody);
  }
  equal(result.isSuccessful, false);
  equal((await registry().get(device.id)).responseBody.deviceId, device.id);
};

cases.statistics_count_devices = async () => {
  await newDevice();
  const { totalDeviceCount, enabledDeviceCount, disabledDeviceCount } = (await registry().getRegistryStatistics()).responseBody;
  assert.ok(totalDeviceCount >= 1, 'at least one');
  equal(totalDeviceCount, enabledDeviceCount + disabledDeviceCount);
};

cases.modules_are_added_read_updated_and_removed = async () => {
  const device = await newDevice();
  await registry().addModule({ deviceId: device.id, moduleId: 'filter' });
  const made = (await registry().getModule(device.id, 'filter')).responseBody;
  equal([made.deviceId, made.moduleId], [device.id, 'filter']);
  await registry().updateModule({ ...made, managedBy: 'me' });
  const modules = (await registry().getModulesOnDevice(device.id)).responseBody;
  equal(modules.map((module) => [module.moduleId, module.managedBy]), [['filter', 'me']]);
  await registry().removeModule(device.id, 'filter');
  equal((await registry().getModulesOnDevice(device.id)).responseBody, []);
};

cases.the_connection_state_follows_the_device = async () => {
  const device = await newDevice();
  await connected(device, async () => {
    equal((await registry().get(device.id)).responseBody.connectionState, 'Connected');
  });
};

cases.queries_come_in_pages = async () => {
  const devices = await Promise.all([...Array(5).keys()].map(() => newDevice()));
  const list = devices.map(({ id }) => `'${id}'`).join(', ');
  const query = registry().createQuery(`SELECT * FROM devices WHERE deviceId IN [${list}]`, 2);
  const seen = [];
  let pages = 0;
  while (query.hasMoreResults) {
    const page = (await query.nextAsTwin()).result;
    assert.ok(page.length <= 2, 'two on a page');
    seen.push(...page.map((twin) => twin.deviceId));
    pages += 1;
  }
  equal([seen.sort(), pages], [devices.map(({ id }) => id).sort(), 3]);
};

cases.a_query_that_is_none_is_an_argument_error = async () => {
  await refused('ArgumentError', registry().createQuery('SELEKT * FROM devices').nextAsTwin());
};

cases.import_and_export_through_blobs_are_refused_by_name = async () => {
  let error;
  try {
    await registry().listJobs();
  } catch (thrown) {
    error = thrown;
  }
  equal(error?.response?.statusCode, 501, 'the status');
  assert.match(String(error.responseBody), /import or export/);
};

main();

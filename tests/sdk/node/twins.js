// Twins of devices and modules, by the service SDK.
'use strict';

const { cases, equal, main, newDevice, refused, registry } = require('./harness');

cases.a_twin_updates_itself = async () => {
  const device = await newDevice();
  const twin = (await registry().getTwin(device.id)).responseBody;
  await twin.update({ tags: { site: 'a' }, properties: { desired: { interval: 5 } } });
  equal([twin.tags, twin.properties.desired.interval], [{ site: 'a' }, 5]);
  // By the etag that it has taken over.
  await twin.update({ tags: { site: 'b' } });
  equal((await registry().getTwin(device.id)).responseBody.tags, { site: 'b' });
};

cases.an_old_etag_is_an_error_of_its_own_class = async () => {
  const device = await newDevice();
  const { etag } = (await registry().getTwin(device.id)).responseBody;
  await registry().updateTwin(device.id, { tags: { a: 1 } }, etag);
  await refused('InvalidEtagError', registry().updateTwin(device.id, { tags: { a: 2 } }, etag));
  equal((await registry().getTwin(device.id)).responseBody.tags, { a: 1 });
};

cases.null_deletes = async () => {
  const device = await newDevice();
  await registry().updateTwin(device.id, { properties: { desired: { a: 1, b: { c: 2, d: 3 } } } }, '*');
  const { responseBody } = await registry().updateTwin(device.id, { properties: { desired: { a: null, b: { c: null } } } }, '*');
  const { desired } = responseBody.properties;
  equal([desired.a, desired.b, desired.$version], [undefined, { d: 3 }, 3]);
};

cases.a_module_s_twin_is_its_own = async () => {
  const device = await newDevice();
  await registry().addModule({ deviceId: device.id, moduleId: 'filter' });
  await registry().updateModuleTwin(device.id, 'filter', { properties: { desired: { a: 1 } } }, '*');
  const twin = (await registry().getModuleTwin(device.id, 'filter')).responseBody;
  equal([twin.moduleId, twin.properties.desired.a], ['filter', 1]);
  equal((await registry().getTwin(device.id)).responseBody.properties.desired.$version, 1);
};

main();

// Configurations and deployments, by the service SDK.
'use strict';

const { assert, cases, equal, main, newDevice, registry, unique, wait } = require('./harness');

const configuration = (id, members = {}) => ({
  id,
  schemaVersion: '1.0',
  labels: {},
  content: { deviceContent: { 'properties.desired.chiller': { temperature: 66 } } },
  targetCondition: "tags.nobody = 'ever'",
  priority: 10,
  ...members,
});

cases.a_configuration_is_added_read_updated_and_removed = async () => {
  const id = unique('conf');
  await registry().addConfiguration(configuration(id));
  const made = (await registry().getConfiguration(id)).responseBody;
  equal(made.content.deviceContent, { 'properties.desired.chiller': { temperature: 66 } });
  const { responseBody } = await registry().updateConfiguration({ ...made, priority: 20 });
  equal(responseBody.priority, 20);
  const all = (await registry().getConfigurations()).responseBody.map((item) => item.id);
  assert.ok(all.includes(id), 'it is in the list');
  await registry().removeConfiguration(id);
  let error;
  try {
    await registry().getConfiguration(id);
  } catch (thrown) {
    error = thrown;
  }
  equal(error?.response?.statusCode, 404, 'the status');
};

cases.a_configuration_reaches_the_devices_of_its_target = async () => {
  const device = await newDevice();
  const tag = unique('tag');
  await registry().updateTwin(device.id, { tags: { conf: tag } }, '*');
  await registry().addConfiguration(configuration(unique('conf'), { targetCondition: `tags.conf = '${tag}'` }));
  await wait('the desired property', async () => {
    const { desired } = (await registry().getTwin(device.id)).responseBody.properties;
    return desired.chiller?.temperature === 66;
  });
};

cases.a_deployment_is_applied_to_an_edge_device = async () => {
  const edge = await newDevice({ capabilities: { iotEdge: true } });
  const content = {
    modulesContent: {
      $edgeAgent: { 'properties.desired': { modules: {} } },
      $edgeHub: { 'properties.desired': { routes: {} } },
      filter: { 'properties.desired': { TemperatureThreshold: 25 } },
    },
  };
  await registry().applyConfigurationContentOnDevice(edge.id, content);
  const twin = (await registry().getModuleTwin(edge.id, 'filter')).responseBody;
  equal(twin.properties.desired.TemperatureThreshold, 25);
};

main();

// Scheduled jobs, by the service SDK.
'use strict';

const { JobClient } = require('azure-iothub');
const { cases, connected, equal, main, newDevice, registry, service, unique, wait } = require('./harness');

const jobs = () => JobClient.fromConnectionString(service);

const ended = (name) =>
  wait('the end of the job', async () => {
    const { jobStatus } = await jobs().getJob(name);
    return ['completed', 'failed', 'cancelled'].includes(jobStatus.status) && jobStatus;
  });

cases.a_twin_update_is_scheduled = async () => {
  const device = await newDevice();
  const name = unique('job');
  const patch = { etag: '*', properties: { desired: { interval: 7 } } };
  await jobs().scheduleTwinUpdate(name, `deviceId IN ['${device.id}']`, patch, new Date(), 60);
  const job = await ended(name);
  equal([job.status, job.deviceJobStatistics.succeededCount], ['completed', 1]);
  equal((await registry().getTwin(device.id)).responseBody.properties.desired.interval, 7);
};

cases.a_method_is_scheduled = async () => {
  const device = await newDevice();
  await connected(device, async (client) => {
    const requests = [];
    client.onDeviceMethod('go', (request, response) => {
      requests.push(request.payload);
      return response.send(200, null);
    });
    // Subscribing is not awaited by the SDK; a twin that is answered comes after it.
    await client.getTwin();
    const name = unique('job');
    const params = { methodName: 'go', payload: { a: 1 }, responseTimeoutInSeconds: 10 };
    await jobs().scheduleDeviceMethod(name, `deviceId = '${device.id}'`, params, new Date(), 60);
    equal((await ended(name)).deviceJobStatistics.succeededCount, 1);
    equal(requests, [{ a: 1 }]);
  });
};

cases.a_job_for_later_is_cancelled = async () => {
  const device = await newDevice();
  const name = unique('job');
  const start = new Date(Date.now() + 3_600_000);
  await jobs().scheduleTwinUpdate(name, `deviceId = '${device.id}'`, { etag: '*', tags: { a: 1 } }, start, 60);
  await jobs().cancelJob(name);
  equal((await ended(name)).status, 'cancelled');
};

cases.an_unknown_job_is_an_error = async () => {
  let error;
  try {
    await jobs().getJob(unique('job'));
  } catch (thrown) {
    error = thrown;
  }
  equal(error?.response?.statusCode, 404, 'the status');
};

cases.jobs_are_found_by_kind_and_status = async () => {
  const device = await newDevice();
  const name = unique('job');
  await jobs().scheduleTwinUpdate(name, `deviceId = '${device.id}'`, { etag: '*', tags: { a: 1 } }, new Date(), 60);
  await ended(name);
  const query = jobs().createQuery('scheduleUpdateTwin', 'completed', 100);
  const seen = [];
  while (query.hasMoreResults) seen.push(...(await query.next()).result.map((job) => job.jobId));
  equal(seen.includes(name), true, 'the job among those found');
};

main();

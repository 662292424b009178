// A back end on azure-iothub. It knows no port but 443: `envsim cloud --https-port 443`.
const { Registry } = require('azure-iothub');

(async () => {
  const registry = Registry.fromConnectionString(process.env.IOTHUB_CONNECTION_STRING);
  await registry.create({ deviceId: 'made-by-js' });
  await registry.updateTwin('made-by-js', { properties: { desired: { brightness: 2 } } }, '*');
  const { result } = await registry.createQuery('SELECT * FROM devices').nextAsTwin();
  console.log(result.map((twin) => twin.deviceId));
})();

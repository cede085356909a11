// What the pods of these tests run: a small HTTP server that does as it is told.
//   GET /          name of the pod
//   GET /healthz   200, or 503 after POST /fail until POST /recover
//   /log?line=…    prints a line
// On SIGTERM it exits 0 after STOP_AFTER_MS (default 0; `never`: not at all).
import { createServer } from 'node:http';

let healthy = true;
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://pod');
  const route = `${request.method} ${url.pathname}`;
  if (route === 'POST /fail') healthy = false;
  if (route === 'POST /recover') healthy = true;
  if (url.pathname === '/log') console.log(url.searchParams.get('line'));
  if (route === 'GET /healthz') response.statusCode = healthy ? 200 : 503;
  response.end(process.env.POD_NAME);
});
server.listen(Number(process.env.PORT ?? 8000), process.env.POD_IP, () => console.log('listening'));

process.on('SIGTERM', () => {
  console.log('SIGTERM');
  const after = process.env.STOP_AFTER_MS ?? '0';
  if (after !== 'never') setTimeout(() => process.exit(0), Number(after));
});

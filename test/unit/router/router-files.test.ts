import { describe, expect, it } from 'vitest';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import { fillTemplate, readRouterTemplates, routerFiles } from '../../../operator/router/router-files.ts';

function files(spec: object = {}) {
  return routerFiles({
    pool: {
      apiVersion: 'vllm-operator.dev/v1alpha1',
      kind: 'InferencePool',
      metadata: { name: 'a100', namespace: 'platform' },
      spec: inferencePoolSpec.parse({ accelerator: { type: 'A100' }, ...spec }),
    },
    trustBundle: 'PEM',
    templates: readRouterTemplates(),
  });
}
const nginxConf = (spec: object) => files(spec)['nginx.conf'] ?? '';

describe('routerFiles', () => {
  it('has all that a router needs, as valid ConfigMap keys and below their size limit', () => {
    const all = files();
    expect(Object.keys(all)).toEqual(
      expect.arrayContaining(['nginx.conf', 'start.sh', 'operator-ca.crt', 'admin.lua', 'routes.lua']),
    );
    for (const name of Object.keys(all)) expect(name).toMatch(/^[-._a-zA-Z0-9]+$/);
    expect(all['operator-ca.crt']).toBe('PEM');
    expect(JSON.stringify(all).length).toBeLessThan(1_000_000);
  });

  it('fills in every placeholder from the pool', () => {
    const conf = nginxConf({
      engine: { drainTimeout: '2h' },
      router: { readTimeout: '1h', maxBodySize: '64Mi', resources: { limits: { cpu: '3500m' } } },
    });
    expect(conf).not.toContain('@@');
    expect(conf).toContain('worker_processes 4;');
    expect(conf).toContain('worker_shutdown_timeout 8100s;');
    expect(conf).toContain('proxy_read_timeout 3600s;');
    expect(conf).toContain('client_max_body_size 67108864;');
  });

  it('is the same for the same pool, because its hash names the ConfigMap', () => {
    expect(files()).toEqual(files());
  });

  it.each([
    [{ maxBodySize: '1m', readTimeout: '1ms' }, 'client_max_body_size 1;', 'proxy_read_timeout 1s;'],
    [
      { maxBodySize: '9999E', readTimeout: '99999999h' },
      'client_max_body_size 9007199254740991;',
      'proxy_read_timeout 604800s;',
    ],
  ])('stays within what nginx understands: %o', (router, body, timeout) => {
    const conf = nginxConf({ router });
    expect(conf).toContain(body);
    expect(conf).toContain(timeout);
  });

  it.each([
    ['1', 1],
    ['100m', 1],
    ['2500m', 3],
    ['96', 32],
  ])('starts workers for %s CPU', (cpu, workers) => {
    expect(nginxConf({ router: { resources: { requests: { cpu } } } })).toContain(
      `worker_processes ${workers};`,
    );
  });

  it.each([
    {},
    { tls: { secretName: 'tls' } },
    { tls: { secretName: 'tls' }, resources: { limits: { memory: '64Gi', cpu: '16' } } },
    { resources: { limits: { memory: '512Mi' } } },
    { resources: { limits: { memory: '2Gi', cpu: '16' } } },
    { resources: { limits: { memory: '64Gi', cpu: '2' } } },
  ])('has no more connections than whose headers, sent slowly, fit into memory: %j', (router) => {
    const conf = nginxConf({ router });
    const number = (pattern: RegExp) => Number(pattern.exec(conf)?.[1]);
    const [, buffers, kibibytes] = /large_client_header_buffers (\d+) (\d+)k; # of each/.exec(conf) ?? [];
    const header = number(/client_header_buffer_size (\d+)k;/) + Number(buffers) * Number(kibibytes);
    const connections = number(/worker_processes (\d+);/) * number(/worker_connections (\d+);/);
    // A connection of HTTP/2 has a header for each of its requests.
    const streams = 'tls' in router ? number(/limit_conn streams (\d+);/) : 0;
    const memory = router.resources?.limits.memory.replace('Mi', '').replace('Gi', ' * 1024') ?? '2 * 1024';
    const limit = memory.split(' * ').reduce((product, factor) => product * Number(factor), 1);
    // With the bodies' quarter there is room for the router itself.
    expect(((connections + streams) * header) / 1024).toBeLessThan((limit * 5) / 8);
    expect(connections).toBeGreaterThan(1000);
  });

  it('leaves no decision to regular expressions of nginx, whose captures and maps have had faults', () => {
    expect(nginxConf({}).replace(/#.*/g, '')).not.toMatch(/~|\b(rewrite|if)\b/);
  });
});

describe('fillTemplate', () => {
  it.each(['1; include /etc/passwd', '1\n}', '$host', '"a"', ''])('refuses %j', (value) => {
    expect(() => fillTemplate('timeout @@X@@;', { X: value })).toThrow(/@@X@@/);
  });

  it('refuses a placeholder that it has no value for', () => {
    expect(() => fillTemplate('timeout @@Y@@;', { X: '1' })).toThrow(/@@Y@@/);
  });
});

/** The health checks for Argo CD, run by the Lua of nginx on the status that the operator writes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inferenceModelSpec } from '../../../operator/api/inference-model.ts';
import { inferencePoolSpec } from '../../../operator/api/inference-pool.ts';
import type { InferenceModel, InferencePool } from '../../../operator/api/types.ts';
import type { EngineHealth } from '../../../operator/controllers/model/engine-health.ts';
import { type ModelView, modelStatus } from '../../../operator/controllers/model/model-status.ts';
import { type PoolView, poolStatus } from '../../../operator/controllers/pool/pool-status.ts';
import type { Deployment } from '../../../operator/controllers/shared/workloads.ts';

interface Health {
  status: string;
  message: string;
}

const { data: checks } = parse(
  readFileSync(new URL('../../../manifests/argocd/argocd-cm.yaml', import.meta.url), 'utf8'),
) as { data: Record<string, string> };
const directory = mkdtempSync(join(tmpdir(), 'argocd-health-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Argo CD gives a check `obj` and little else: no os, io or require. */
const RUNNER = `
local cjson = require "cjson"
local function read(name) local f = assert(io.open("${directory}/" .. name)); local s = f:read("*a"); f:close(); return s end
local check = assert(loadstring(read("check.lua")))
setfenv(check, { obj = cjson.decode(read("object.json")), pairs = pairs, ipairs = ipairs, type = type, tostring = tostring,
  tonumber = tonumber, string = string, table = table, math = math })
io.stdout:write(cjson.encode(check()))
os.exit(0)
`;

function health(object: InferencePool | InferenceModel): Health {
  const modules = /--modules-path=(\S+)/.exec(spawnSync('nginx', ['-V'], { encoding: 'utf8' }).stderr)?.[1];
  const load = ['ndk_http_module', 'ngx_http_lua_module'].map((name) => `load_module ${modules}/${name}.so;`);
  writeFileSync(
    join(directory, 'check.lua'),
    checks[`resource.customizations.health.vllm-operator.dev_${object.kind}`] ?? '',
  );
  writeFileSync(join(directory, 'object.json'), JSON.stringify(object));
  writeFileSync(join(directory, 'run.lua'), RUNNER);
  writeFileSync(
    join(directory, 'nginx.conf'),
    `${modules ? load.join(' ') : ''} daemon off; pid ${directory}/pid; error_log stderr; events {} http { access_log off;
     client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p; fastcgi_temp_path ${directory}/f;
     uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s; init_by_lua_file ${directory}/run.lua; }`,
  );
  const { stdout, stderr } = spawnSync('nginx', ['-e', 'stderr', '-c', join(directory, 'nginx.conf')], {
    encoding: 'utf8',
  });
  if (!stdout) throw new Error(`the check printed nothing: ${stderr}`);
  return JSON.parse(stdout) as Health;
}

const NOW = Date.UTC(2026, 0, 1);

function model(view: Partial<ModelView>, spec: object = {}): InferenceModel {
  const object: InferenceModel = {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferenceModel',
    metadata: { name: 'chat', namespace: 'team', generation: 3 },
    spec: inferenceModelSpec.parse({
      poolRef: { name: 'pool' },
      model: { source: 'hf://org/name' },
      ...spec,
    }),
  };
  const serving: EngineHealth = { desired: 2, pods: 2, ready: 2, rolling: false };
  return {
    ...object,
    status: modelStatus({ model: object, now: NOW, health: serving, routeState: 'served', ...view }),
  };
}

function pool(view: Partial<PoolView>): InferencePool {
  const object: InferencePool = {
    apiVersion: 'vllm-operator.dev/v1alpha1',
    kind: 'InferencePool',
    metadata: { name: 'pool', namespace: 'platform', generation: 1 },
    spec: inferencePoolSpec.parse({ accelerator: { type: 'L4' } }),
  };
  const view_ = { pool: object, now: NOW, url: 'http://pool/v1', models: 0, accelerators: 0, ...view };
  return { ...object, status: poolStatus(view_) };
}

function deployment(ready: number, updated = 2): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'x', generation: 1 },
    spec: { replicas: 2 },
    status: { observedGeneration: 1, replicas: 2, updatedReplicas: updated, readyReplicas: ready },
  };
}

const engines = (health: Partial<EngineHealth>): EngineHealth => ({
  desired: 2,
  pods: 2,
  ready: 0,
  rolling: false,
  ...health,
});

describe('InferenceModel', () => {
  it.each<[string, InferenceModel, string]>([
    ['serves', model({}), 'Healthy'],
    ['starts', model({ health: engines({}) }), 'Progressing'],
    ['is replaced', model({ health: engines({ ready: 2, rolling: true }) }), 'Progressing'],
    ['grows', model({ health: engines({ desired: 4, ready: 2 }) }), 'Healthy'],
    ['sleeps', model({ health: engines({ desired: 0, pods: 0 }), wakes: true }), 'Healthy'],
    ['is suspended', model({ health: engines({ desired: 0, pods: 0 }) }, { suspend: true }), 'Suspended'],
    [
      'waits for its pool',
      model({ blocker: { condition: 'Accepted', reason: 'PoolNotFound', message: 'x', needsUser: false } }),
      'Progressing',
    ],
    [
      'is refused',
      model({ blocker: { condition: 'Accepted', reason: 'QuotaExceeded', message: 'x', needsUser: true } }),
      'Degraded',
    ],
    [
      'has no node',
      model({
        health: engines({
          problem: { reason: 'Unschedulable', message: 'x', lastingMessage: 'x', needsUser: false },
        }),
      }),
      'Progressing',
    ],
    [
      'cannot be replaced',
      model({
        health: engines({
          ready: 2,
          rolling: true,
          problem: { reason: 'ImagePullFailed', message: 'x', lastingMessage: 'x', needsUser: true },
        }),
      }),
      'Degraded',
    ],
  ])('that %s', (_what, object, expected) => {
    expect(health(object).status).toBe(expected);
  });

  it('that the operator has not observed yet', () => {
    const { status: _, ...fresh } = model({});
    expect(health(fresh).status).toBe('Progressing');
  });

  it('whose last change the operator has not observed yet', () => {
    const serving = model({});
    expect(health({ ...serving, metadata: { ...serving.metadata, generation: 4 } }).status).toBe(
      'Progressing',
    );
  });

  it('says why it is Degraded', () => {
    const refused = model({
      blocker: {
        condition: 'Accepted',
        reason: 'QuotaExceeded',
        message: 'needs 8 accelerators',
        needsUser: true,
      },
    });
    expect(health(refused).message).toBe('QuotaExceeded: needs 8 accelerators');
  });
});

describe('InferencePool', () => {
  it.each<[string, InferencePool, string]>([
    ['serves', pool({ router: deployment(2), redis: deployment(2) }), 'Healthy'],
    ['starts', pool({ router: deployment(0) }), 'Progressing'],
    ['is replaced', pool({ router: deployment(2, 1) }), 'Progressing'],
    ['is refused', pool({ refused: { reason: 'InvalidSpec', message: 'x', needsUser: true } }), 'Degraded'],
  ])('that %s', (_what, object, expected) => {
    expect(health(object).status).toBe(expected);
  });
});

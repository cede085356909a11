import { describe, expect, it } from 'vitest';
import { engineHealth } from '../../../../operator/controllers/model/engine-health.ts';
import type { Deployment, Pod } from '../../../../operator/controllers/shared/workloads.ts';
import { EVACUATING_LABEL } from '../../../../operator/render/labels.ts';

const deployment = (status: Deployment['status'] = {}, replicas = 1): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'vllm-chat', namespace: 'team-a', generation: 2 },
  spec: { replicas },
  status: { observedGeneration: 2, ...status },
});
const pod = (status: Pod['status'], deleted = false): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'vllm-chat-x',
    namespace: 'team-a',
    ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  spec: {},
  status: status ?? {},
});
const ready = pod({ conditions: [{ type: 'Ready', status: 'True' }] });
const crashed = (exitCode: number, restartCount: number, message = '') =>
  pod({
    containerStatuses: [
      {
        name: 'engine',
        ready: false,
        restartCount,
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode, message } },
      },
    ],
  });

describe('engineHealth', () => {
  it('is empty without a Deployment', () => {
    expect(engineHealth(undefined, [])).toEqual({ desired: 0, pods: 0, ready: 0, rolling: false });
  });

  it.each([
    ['before it was ready', '2026-01-01T10:00:00Z', true],
    ['while it served', '2026-01-01T10:30:00Z', false],
  ])('asks for a user when an engine crashed repeatedly %s: %s', (_, lostReady, needsUser) => {
    const often = pod({
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: lostReady }],
      containerStatuses: [
        {
          name: 'engine',
          ready: false,
          restartCount: 7,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 137, startedAt: '2026-01-01T10:20:00Z' } },
        },
      ],
    });
    expect(engineHealth(deployment({ replicas: 1 }), [often]).problem).toMatchObject({ needsUser });
  });

  it('counts pods that are being stopped, because they hold accelerators, but not as ready', () => {
    const stopping = pod({ conditions: [{ type: 'Ready', status: 'True' }] }, true);
    expect(engineHealth(deployment({ replicas: 1, updatedReplicas: 1 }), [ready, stopping])).toMatchObject({
      pods: 2,
      ready: 1,
      rolling: false,
    });
  });

  it('sees a rollout until every pod has the present template and the controller has seen it', () => {
    expect(engineHealth(deployment({ replicas: 2, updatedReplicas: 1 }, 1), []).rolling).toBe(true);
    expect(
      engineHealth(deployment({ replicas: 1, updatedReplicas: 1, observedGeneration: 1 }), []).rolling,
    ).toBe(true);
    expect(engineHealth(deployment({ replicas: 1, updatedReplicas: 1 }), []).rolling).toBe(false);
  });

  it.each([
    ['not seen yet', { replicas: 1, updatedReplicas: 1, observedGeneration: 1 }],
    ['seen', { replicas: 1, updatedReplicas: 1 }],
    ['under way', { replicas: 3, updatedReplicas: 3, readyReplicas: 1 }],
  ])('takes scaling for no rollout: %s', (_, status) => {
    expect(engineHealth(deployment(status, 3), [ready]).rolling).toBe(false);
  });

  it.each([
    [
      'Unschedulable',
      pod({
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/3 nodes are available',
          },
        ],
      }),
      /an engine cannot be scheduled: 0\/3 nodes/,
      false,
    ],
    [
      'ImagePullFailed',
      pod({
        containerStatuses: [
          {
            name: 'engine',
            ready: false,
            restartCount: 0,
            state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } },
          },
        ],
      }),
      /cannot be pulled.*imagePullSecrets/,
      true,
    ],
    [
      'ContainerConfigError',
      pod({
        containerStatuses: [
          {
            name: 'engine',
            ready: false,
            restartCount: 0,
            state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "t" not found' } },
          },
        ],
      }),
      /secret "t" not found/,
      true,
    ],
    [
      'EngineCrashed',
      crashed(2, 1),
      /invalid arguments.*kubectl logs -n team-a deploy\/vllm-chat --previous/,
      false,
    ],
    ['EngineCrashed', crashed(137, 3), /out of memory/, true],
  ] as const)('explains %s', (reason, broken, message, needsUser) => {
    const { problem } = engineHealth(deployment(), [broken]);
    expect(problem).toMatchObject({ reason, needsUser });
    expect(problem?.message).toMatch(message);
    expect(problem?.message).not.toContain('vllm-chat-x');
  });

  it('names the node that Kubernetes has lost sight of, and calls no engine crashed there', () => {
    const { spec, ...rest } = pod({
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T10:30:00Z' }],
      containerStatuses: [
        {
          name: 'engine',
          ready: true,
          restartCount: 1,
          state: { running: { startedAt: '2026-01-01T10:10:00Z' } },
          lastState: { terminated: { exitCode: 137, startedAt: '2026-01-01T10:00:00Z' } },
        },
      ],
    });
    const lost = { ...rest, spec: { ...spec, nodeName: 'gpu-7' } };
    expect(engineHealth(deployment(), [lost]).problem).toMatchObject({
      reason: 'NodeNotReady',
      message: expect.stringContaining('node gpu-7'),
      needsUser: false,
    });
  });

  it('quotes others without credentials, control characters and the end of a long text', () => {
    const said = `\u001b[31mno https://user:secret@host\u0007\u0000 Bearer abcdefghijkl hf_abcdefghijklmnop ${'x'.repeat(5_000)}`;
    const waiting = (reason: string) =>
      pod({
        containerStatuses: [
          { name: 'engine', ready: false, restartCount: 0, state: { waiting: { reason, message: said } } },
        ],
      });
    const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: said };
    const refused = deployment({
      conditions: [{ type: 'ReplicaFailure', status: 'True', message: said }],
    });
    for (const { problem } of [
      engineHealth(deployment(), [waiting('ImagePullBackOff')]),
      engineHealth(deployment(), [waiting('CreateContainerConfigError')]),
      engineHealth(deployment(), [pod({ conditions: [unscheduled] })]),
      engineHealth(deployment(), [pod({})], () => said),
      engineHealth(refused, []),
    ]) {
      expect(problem?.lastingMessage).toContain('no https://…host Bearer … … xxx');
      expect(problem?.lastingMessage.length).toBeLessThan(600);
    }
  });

  it('quotes the last lines of the log, also for when the pods are gone', () => {
    const log = [
      '(EngineCore_DP0 pid=271) ERROR 07-01 12:00:00 [core.py:710] Traceback (most recent call last):',
      '\u001b[31mValueError: no access to gated repo, token hf_abcdefghijklmnop\u001b[0m\u0007',
      '',
    ].join('\n');
    const { problem } = engineHealth(deployment(), [crashed(1, 3, log)]);
    const lines =
      'its last lines: Traceback (most recent call last): | ValueError: no access to gated repo, token …';
    expect(problem?.lastingMessage).toBe(`vLLM exited with exit code 1; ${lines}`);
    expect(problem?.message).toBe(
      `vLLM exited with exit code 1; ${lines}; read more: kubectl logs -n team-a deploy/vllm-chat --previous`,
    );
  });

  it('names containers of the template', () => {
    const init = { name: 'fetch', ready: false, restartCount: 3, state: { terminated: { exitCode: 7 } } };
    const { problem } = engineHealth(deployment(), [pod({ initContainerStatuses: [init] })]);
    expect(problem?.message).toMatch(/^container fetch exited with exit code 7.*-c fetch --previous$/);
  });

  it.each([
    ['0/1 nodes are available: persistentvolumeclaim "weights" not found. not found', true],
    ['0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found', false],
  ])('names a claim that keeps a pod from its node: %s', (message, needsUser) => {
    const waiting = pod({
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
    const { problem } = engineHealth(deployment(), [waiting]);
    expect(problem).toMatchObject({ reason: 'VolumeMountFailed', needsUser });
    expect(problem?.message).toMatch(
      needsUser ? /persistentvolumeclaim "weights" not found/ : /StorageClass/,
    );
  });

  it('says what the kubelet says of volumes', () => {
    const waiting = pod({ conditions: [{ type: 'Ready', status: 'False' }] });
    const says = 'MountVolume.SetUp failed for volume "tpl" : configmap "chat-template" not found';
    expect(engineHealth(deployment(), [waiting], () => says).problem).toMatchObject({
      reason: 'VolumeMountFailed',
      message: expect.stringContaining('configmap "chat-template" not found'),
      needsUser: true,
    });
  });

  it('explains pods that Kubernetes rejects', () => {
    const refused = deployment({
      conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota' }],
    });
    expect(engineHealth(refused, []).problem).toMatchObject({
      reason: 'PodsRefused',
      message: expect.stringContaining('exceeded quota'),
    });
  });

  it('does not mind what becomes of an engine that leaves its node', () => {
    const { metadata, ...rest } = crashed(137, 3);
    const leaving = { ...rest, metadata: { ...metadata, labels: { [EVACUATING_LABEL]: 'true' } } };
    expect(engineHealth(deployment(), [leaving, ready])).toMatchObject({ pods: 2, ready: 1 });
    expect(engineHealth(deployment(), [leaving, ready]).problem).toBeUndefined();
  });

  it('has no problem with pods that are only starting, nor at zero', () => {
    expect(
      engineHealth(deployment(), [pod({ conditions: [{ type: 'Ready', status: 'False' }] })]).problem,
    ).toBeUndefined();
    expect(engineHealth(deployment({}, 0), [crashed(1, 5)]).problem).toBeUndefined();
  });
});

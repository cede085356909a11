/** Every argument of `vllm serve` that a version of the table has, with what the operator makes of it. */
import type { Flag } from './flag.ts';
import {
  FLAG_TABLE,
  type FlagHistory,
  type FlagKind,
  factsAt,
  isIn,
  MINORS,
  minorAfter,
} from './flag-facts.ts';
import { SETTING_FLAGS } from './settings.ts';

const router = 'the router reaches engines at a fixed port without a key or TLS';
const oneNode = 'a replica is one pod on one node';

/** Flags that would cut the engine off from the router, the probes or its own pod, and why. */
const RESERVED: Readonly<Record<string, string>> = {
  host: router,
  port: router,
  'grpc-port': router,
  uds: router,
  'root-path': router,
  'ssl-keyfile': router,
  'ssl-certfile': router,
  'ssl-ca-certs': router,
  'ssl-cert-reqs': router,
  'ssl-ciphers': router,
  'enable-ssl-refresh': router,
  'api-key': router,
  grpc: router,
  headless: oneNode,
  nnodes: oneNode,
  'node-rank': oneNode,
  'master-addr': oneNode,
  'master-port': oneNode,
  'data-parallel-rank': oneNode,
  'data-parallel-start-rank': oneNode,
  'data-parallel-size-local': oneNode,
  'data-parallel-address': oneNode,
  'data-parallel-hybrid-lb': oneNode,
  'data-parallel-external-lb': oneNode,
  'data-parallel-multi-port-external-lb': oneNode,
};

/** What vLLM has in the place of flags that it removed, from its history. */
const INSTEAD: Readonly<Record<string, string>> = {
  'disable-log-requests': 'nothing: requests are not logged by default',
  'guided-decoding-backend': '--structured-outputs-config',
  'guided-decoding-disable-fallback': '--structured-outputs-config',
  'guided-decoding-disable-any-whitespace': '--structured-outputs-config',
  'guided-decoding-disable-additional-properties': '--structured-outputs-config',
  'rope-scaling': '--hf-overrides',
  'rope-theta': '--hf-overrides',
  'override-pooler-config': '--pooler-config',
  'logits-processor-pattern': '--logits-processors',
  'cuda-graph-sizes': '--cudagraph-capture-sizes',
  'max-seq-len-to-capture': '--max-cudagraph-capture-size',
  task: '--runner or --convert',
  'enable-reasoning': 'engine.reasoningParser',
  'speculative-model': 'engine.speculative',
  'num-speculative-tokens': 'engine.speculative',
  'disable-mm-preprocessor-cache': '--mm-processor-cache-gb=0',
  'eplb-log-balancedness': '--eplb-config',
  'eplb-step-interval': '--eplb-config',
  'eplb-window-size': '--eplb-config',
  'num-redundant-experts': '--eplb-config',
  'swap-space': 'engine.pagedAttention.swapSpaceGiB, which becomes --kv-offloading-size',
};

/** Flags that went away before the oldest version of the table, and are still in many manifests. */
const REMOVED_BEFORE: readonly Flag[] = [
  ...[
    'rope-scaling',
    'rope-theta',
    'max-seq-len-to-capture',
    'speculative-model',
    'num-speculative-tokens',
    'num-scheduler-steps',
    'preemption-mode',
    'scheduler-delay-factor',
    'qlora-adapter-name-or-path',
    'max-prompt-adapters',
    'tokenizer-pool-size',
    'ngram-prompt-lookup-max',
    'ngram-prompt-lookup-min',
  ].map((name): Flag => ({ name, kind: 'value' })),
  ...[
    'enable-reasoning',
    'use-v2-block-manager',
    'enable-prompt-adapter',
    'multi-step-stream-outputs',
    'worker-use-ray',
  ].map((name): Flag => ({ name, kind: 'switch' })),
].map((flag) => ({ ...flag, removed: MINORS[0] ?? '' }));

const FIELDS: ReadonlyMap<string, string> = new Map(SETTING_FLAGS.map(({ name, field }) => [name, field]));

function flagOf(name: string, history: FlagHistory): Flag {
  const there = MINORS.filter((minor) => isIn(history.in ?? '', minor));
  const [first = '', last = ''] = [there[0], there.at(-1)];
  const since = first === MINORS[0] ? undefined : first;
  const removed = minorAfter(last);
  const aliases = Object.keys(history.aliases ?? {});
  const [field, reserved, instead] = [FIELDS.get(name), RESERVED[name], INSTEAD[name]];
  return {
    name,
    kind: factsAt(history, last)?.kind as FlagKind,
    ...(aliases.length > 0 && { aliases }),
    ...(since !== undefined && { since }),
    ...(removed !== undefined && { removed }),
    ...(instead !== undefined && { instead }),
    ...(field !== undefined && { field }),
    ...(reserved !== undefined && field === undefined && { reserved }),
  };
}

/** Every flag that we know, each once, those of settings first. */
export const FLAGS: readonly Flag[] = [
  ...Object.entries(FLAG_TABLE.flags)
    .map(([name, history]) => flagOf(name, history))
    .sort((a, b) => Number(b.field !== undefined) - Number(a.field !== undefined)),
  ...REMOVED_BEFORE.map((flag): Flag => {
    const instead = INSTEAD[flag.name];
    return instead === undefined ? flag : { ...flag, instead };
  }),
];

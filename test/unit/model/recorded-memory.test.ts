/** The memory plan against what real engines logged: the same number of tokens for each GiB of KV cache. */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { planMemory } from '../../../operator/model/memory-plan.ts';
import { factsOfConfig } from '../../../operator/vllm/facts-of-config.ts';
import { model, pool } from '../render/support/objects.ts';
import { merged } from './support/resolve.ts';

type Settings = NonNullable<Parameters<typeof model>[1]>['engine'];
type Speculative = NonNullable<NonNullable<Settings>['speculative']>;

/** As test/conformance/memory.ts writes it. */
interface Recorded {
  config: object;
  engine: Omit<NonNullable<Settings>, 'speculative'> & { speculative?: Omit<Speculative, 'facts'> };
  log: string[];
}

const FOLDER = new URL('../../vllm-sim/recordings/', import.meta.url).pathname;
const files = globSync('*/memory.json', { cwd: FOLDER }).sort();

it('has recordings', () => expect(files.length).toBeGreaterThan(0));

describe.each(files)('%s', (file) => {
  const recorded = JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')) as Record<string, Recorded>;

  it.each(Object.entries(recorded))('%s', (_, { config, engine, log }) => {
    const facts = factsOfConfig(JSON.stringify(config));
    const speculative = engine.speculative && { ...engine.speculative, model: 'acme/draft', facts };
    const settings = { ...engine, ...(speculative && { speculative }), version: `v${file.split('/')[0]}` };
    const plan = planMemory(
      merged(
        pool('CPU', { accelerator: { cpu: { memoryGiB: 16 } } }),
        model('hf://acme/own', { engine: settings as Settings, model: { facts } }),
      ),
    );
    if (plan === undefined) throw new Error('no plan');
    const logged =
      /Explicitly set \(([\d.]+)\/.*\n.*KV cache size: ([\d,]+) tokens, .* for ([\d,]+) tokens/.exec(
        log.join('\n'),
      );
    if (logged === null) {
      expect(plan).toMatchObject({ kvCacheGiB: 0, kvCacheTokens: 0 });
      return;
    }
    const [gib = 0, tokens = 0, length = 0] = logged.slice(1).map((text) => Number(text.replaceAll(',', '')));
    expect(plan.maxModelLen).toBe(length);
    expect(Math.abs(plan.kvCacheTokens / plan.kvCacheGiB / (tokens / gib) - 1)).toBeLessThan(0.001);
  });
});

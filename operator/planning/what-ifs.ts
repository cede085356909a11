/** Variants of a load, planned side by side with it. */
import { findModel } from '../vllm/models.ts';
import type { Load } from './load.ts';
import type { Measurement } from './measured-performance.ts';
import { type LoadPlan, planLoad } from './plan-load.ts';

export interface Variant {
  name: string;
  load: Load;
  plan: LoadPlan;
}

/** Proposed tokens and the share accepted that the variant with speculative decoding assumes. */
const SPECULATIVE = { numSpeculativeTokens: 3, acceptedShare: 0.6 };

/**
 * The load as it is, and what changes with other hardware and other settings. Variants that would be the same are left out. What was
 * measured says nothing of other settings.
 */
export function whatIfs(load: Load, measurements: readonly Measurement[] = []): Variant[] {
  const asked = variant('as asked', load, measurements);
  const { engine } = load;
  const others = withoutPick(asked);
  const model = findModel(load.model, load.facts);
  const { maxModelLen: _, ...withoutLength } = engine;
  const changes: (readonly [string, Load] | undefined)[] = [
    model?.format === 'bf16' && engine.quantization === undefined
      ? (['FP8 weights', { ...load, engine: { ...engine, quantization: 'fp8' } }] as const)
      : undefined,
    load.speculative
      ? undefined
      : ([
          `speculative decoding, ${SPECULATIVE.numSpeculativeTokens} tokens, ${SPECULATIVE.acceptedShare * 100} % accepted (assumed)`,
          { ...load, speculative: SPECULATIVE },
        ] as const),
    load.promptTokens > 1
      ? ([
          `prompts of ${Math.ceil(load.promptTokens / 2)} tokens`,
          { ...load, promptTokens: Math.ceil(load.promptTokens / 2), engine: withoutLength },
        ] as const)
      : undefined,
    [
      'batches of 512 sequences and 16384 tokens',
      { ...load, engine: { ...engine, maxNumSeqs: 512, maxNumBatchedTokens: 16_384 } },
    ] as const,
  ];
  return [
    asked,
    ...(others
      ? [variant(`without ${asked.plan.cheapest?.product}`, { ...load, accelerators: others }, measurements)]
      : []),
    ...changes.flatMap((change) => (change ? [variant(...change)] : [])),
  ];
}

function variant(name: string, load: Load, measurements: readonly Measurement[] = []): Variant {
  return { name, load, plan: planLoad(load, measurements) };
}

/** The products of a plan without the one that it chose; undefined if none would be left. */
function withoutPick({ plan }: Variant): Load['accelerators'] {
  const picked = plan.cheapest?.product;
  if (picked === undefined) return undefined;
  const rest = plan.options.flatMap(({ product }) => (product === picked ? [] : [product]));
  return rest.length === 0 ? undefined : rest;
}

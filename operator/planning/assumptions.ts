/** What a plan takes for granted, as sentences for users. */
import { ACCELERATORS } from '../vllm/accelerators.ts';
import { MAX_UTILIZATION } from './coefficients.ts';
import { type Demand, HOURS_PER_MONTH } from './demand.ts';
import type { Load } from './load.ts';

/** The assumptions of a plan, those that the user did not state first. */
export function assumptionsOf(load: Load, demand: Demand): string[] {
  const { peakFactor, cachedPromptShare, availability, replicaAvailability, speculative, engine, facts } =
    load;
  const stated = peakFactor === undefined ? ' (default; set peakFactor)' : '';
  return [
    `${demand.peakFactor === 1 ? 'the rate is the same all the time' : `the rate at the peak is ${demand.peakFactor} times the mean`}${stated}, and requests arrive at random times`,
    `all requests have ${load.promptTokens} + ${load.outputTokens} tokens, and ${percent(cachedPromptShare)} of each prompt is in the prefix cache`,
    `replicas are planned for at most ${percent(MAX_UTILIZATION)} of their capacity, and router and network add ${load.addedLatency}`,
    'p99 of a whole request adds p99 of its first token and p99 of the others: no published p99 of whole requests is known',
    priceAssumption(load),
    `all replicas run all ${HOURS_PER_MONTH} hours of a month, and accelerators are paid one by one (some clouds only sell nodes of 8)`,
    availability === undefined
      ? `${load.spareReplicas} spare replica${load.spareReplicas === 1 ? '' : 's'}`
      : `each replica is up ${replicaAvailability} % of the time, independently of the others; with the spare ones, enough are up ${availability} % of the time`,
    ...(engine.quantization === undefined
      ? []
      : [`answers with ${engine.quantization} weights are good enough: check them with your own prompts`]),
    ...(speculative === undefined
      ? []
      : [
          `${percent(speculative.acceptedShare)} of ${speculative.numSpeculativeTokens} proposed tokens are accepted: nothing published predicts it, so measure it`,
        ]),
    ...(facts === undefined ? [] : ['the hidden size is attention heads times head dimension']),
  ];
}

function priceAssumption({ prices, accelerators }: Load): string {
  const products = accelerators ?? (Object.keys(ACCELERATORS) as (keyof typeof ACCELERATORS)[]);
  const hints = products.filter((product) => prices[product] === undefined);
  if (hints.length === 0) return 'prices are those that you stated';
  const which = hints.length === products.length ? 'prices' : `prices of ${hints.join(', ')}`;
  return `${which} are rough on-demand hints of the catalog, marked ~: state yours`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

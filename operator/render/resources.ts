/** CPU and memory of a container: the operator's defaults under what a user asks for. */
import { canonicalQuantity, quantityValue } from '../values/quantity.ts';

type Quantities = Record<string, string>;

interface Resources {
  requests: Quantities;
  limits: Quantities;
}

/**
 * Merges field by field. A limit that is asked for lowers a default request above it, and a request that is asked for
 * raises a default limit below it, so that a pod is not refused for the half that the user left out.
 */
export function mergeResources(
  defaults: Resources,
  asked: { [K in keyof Resources]?: Quantities | undefined } | undefined,
): Resources {
  const requests = { ...defaults.requests, ...asked?.requests };
  const limits = { ...defaults.limits, ...asked?.limits };
  for (const [name, limit] of Object.entries(limits)) {
    const request = requests[name];
    if (request === undefined || quantityValue(request) <= quantityValue(limit)) continue;
    if (asked?.requests?.[name] === undefined) requests[name] = limit;
    else if (asked.limits?.[name] === undefined) limits[name] = request;
  }
  return { requests: canonical(requests), limits: canonical(limits) };
}

function canonical(quantities: Quantities): Quantities {
  return Object.fromEntries(
    Object.entries(quantities).map(([name, quantity]) => [name, canonicalQuantity(quantity)]),
  );
}

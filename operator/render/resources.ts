/** Merges CPU and memory of a container: the operator's defaults and the user's settings. */
import { canonicalQuantity, quantityValue } from '../values/quantity.ts';

type Quantities = Record<string, string>;

interface Resources {
  requests: Quantities;
  limits: Quantities;
}

/**
 * Merges field by field. A user's limit lowers a higher default request, and a user's request raises a lower default limit,
 * so that the pod stays valid if the user sets only one of them.
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

import { canonicalQuantity } from '../values/quantity.ts';

/**
 * Normalizes free-form parts of a pod to the form in which the API server returns them, so that a restarted operator does
 * not see a difference.
 */

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An invalid quantity stays as it is; the API server rejects it with a message. */
function stored(quantity: unknown): unknown {
  try {
    return canonicalQuantity(String(quantity));
  } catch (error) {
    if (error instanceof RangeError) return quantity;
    throw error;
  }
}

function storedAll(quantities: unknown): unknown {
  if (!isFields(quantities)) return quantities;
  return Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, stored(quantity)]));
}

/** Normalizes a container: its quantities, and variables without a value. */
export function storedContainer(container: Fields): Fields {
  const { resources, env } = container;
  const { requests, limits } = isFields(resources) ? resources : {};
  return {
    ...container,
    ...(isFields(resources)
      ? {
          resources: {
            ...resources,
            ...(requests === undefined ? {} : { requests: storedAll(requests) }),
            ...(limits === undefined ? {} : { limits: storedAll(limits) }),
          },
        }
      : {}),
    ...(Array.isArray(env) ? { env: env.map(withoutEmptyValue) } : {}),
  };
}

function withoutEmptyValue(variable: unknown): unknown {
  if (!isFields(variable) || variable.value !== '') return variable;
  const { value, ...rest } = variable;
  return rest;
}

/** Normalizes a volume: the size limit of an emptyDir. */
export function storedVolume(volume: Fields): Fields {
  const { emptyDir } = volume;
  if (!isFields(emptyDir) || emptyDir.sizeLimit === undefined) return volume;
  return { ...volume, emptyDir: { ...emptyDir, sizeLimit: stored(emptyDir.sizeLimit) } };
}

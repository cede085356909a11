/** Scalars of the API that are strings with a certain format. */
import { z } from 'zod';
import { matching } from './matching.ts';

const DURATION = /^([0-9]{1,8}(ms|s|m|h))+$/;
const DECIMAL = /^[0-9]+(\.[0-9]+)?$/;

/** A duration such as `180s`, `5m` or `1h30m`. Units: ms, s, m, h. */
export const duration = matching(z.string().min(2).max(32), DURATION, {
  problem: 'not a duration',
  remedy: 'use numbers with the units ms, s, m or h, such as 180s or 1h30m',
});

/** A quantity of memory or CPU as Kubernetes writes them: `32Mi`, `500m`, `4`. */
export const quantity = matching(
  z.string().min(1).max(32),
  /^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/,
  {
    problem: 'not a quantity',
    remedy: 'use a number with or without a Kubernetes unit, such as 512Mi, 4Gi, 500m or 4',
  },
);

/** A decimal number as a string, because the Kubernetes API conventions forbid floats. */
export const decimal = matching(z.string().min(1).max(16), DECIMAL, {
  problem: 'not a decimal number',
  remedy: 'use digits with or without a point, in quotes, such as "0.90"',
});

/** A duration in a status. */
export const observedDuration = z.string().min(2).max(32).regex(DURATION);

/** A decimal number in a status. */
export const observedDecimal = z.string().min(1).max(16).regex(DECIMAL);

/**
 * A name in the OpenAI API. ASCII only, so that a name can neither imitate another one nor contain terminal control
 * characters.
 */
export const servedName = matching(
  z.string().min(1).max(253),
  /^[A-Za-z0-9]([-A-Za-z0-9._/:]*[A-Za-z0-9])?$/,
  {
    problem: 'not a name for clients',
    remedy: 'use letters, digits and - . _ / :, and begin and end with a letter or digit',
  },
);

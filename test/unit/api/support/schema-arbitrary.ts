/** Values that a structural schema admits, with a liking for those that rules are about. */
import fc from 'fast-check';
import type { StructuralSchema } from '../../../../operator/api/structural-schema.ts';

/** Strings without a pattern are words that some rule may like or dislike. */
const WORDS = [
  ...[
    'a',
    'b',
    'custom',
    'A100',
    'H100x4',
    'H100x16',
    'MI300Xx2',
    'A100-40GBx2',
    'x3',
    'L4x',
    'B200x99',
    'L40Sx0',
  ],
  ...[
    'hf://org/name',
    'hf://name',
    's3://bucket/path',
    'pvc://claim',
    'pvc://Claim/x',
    'oci://image',
    'gs://b',
  ],
  ...[
    '0 8 * * *',
    '0 8 * * 1-5',
    '* * * *',
    'every five minutes now',
    '--seed=1',
    '--seed 1',
    '-tp',
    '--max_num_seqs=3',
  ],
  ...['--max-num-seqs.x', '--port', '--json={"a": "b c"}', '-', '--', '--api_key=x=y'],
];
const KEYS = [
  'team',
  'app.kubernetes.io/name',
  'vllm-operator.dev/x',
  'nvidia.com/gpu',
  'cpu',
  'amd.com/gpu',
  'rdma/hca',
];

/** Arbitrary values of a schema. Sets and maps may have duplicates only where the schema does not forbid them. */
export function arbitraryOf(schema: StructuralSchema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema['x-kubernetes-int-or-string']) return fc.oneof(integers(schema), fc.constant('auto'));
  if (schema['x-kubernetes-preserve-unknown-fields']) return fc.constantFrom({}, { name: 'a' });
  switch (schema.type) {
    case 'string':
      return strings(schema);
    case 'integer':
      return integers(schema);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return lists(schema);
    default:
      return schema.additionalProperties
        ? fc.dictionary(fc.constantFrom(...KEYS), arbitraryOf(schema.additionalProperties), { maxKeys: 3 })
        : records(schema);
  }
}

function strings({ pattern, minLength = 0, maxLength = 64 }: StructuralSchema): fc.Arbitrary<string> {
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
  if (pattern === undefined) return fc.constantFrom(...WORDS.filter(fits));
  return fc.stringMatching(new RegExp(pattern)).filter(fits);
}

function integers({ minimum = 0, maximum = 1000 }: StructuralSchema): fc.Arbitrary<number> {
  const small = fc.integer({ min: minimum, max: Math.min(maximum, Math.max(minimum, 0) + 4) });
  return fc.oneof({ weight: 4, arbitrary: small }, fc.integer({ min: minimum, max: maximum }));
}

function lists(schema: StructuralSchema): fc.Arbitrary<unknown[]> {
  const { items = {}, minItems = 0, maxItems = 3 } = schema;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const bounds = { minLength: minItems, maxLength: Math.min(maxItems, 3) };
  if (schema['x-kubernetes-list-type'] === 'atomic') return fc.array(arbitraryOf(items), bounds);
  const selector = (item: unknown) =>
    JSON.stringify(keys.length > 0 ? keys.map((key) => Object(item)[key]) : item);
  return fc.uniqueArray(arbitraryOf(items), { ...bounds, selector });
}

function records({
  properties = {},
  required = [],
}: StructuralSchema): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(properties).map(([name, child]) => [name, arbitraryOf(child)] as const);
  return fc.record(Object.fromEntries(fields), { requiredKeys: required });
}

/**
 * The text form of a ledger, in two records. The open record has all that changes every minute: resume points, and the days
 * that have changed since they were archived, or are not archived. The archive has the other days and the months. Where both have a day, the open
 * record is right, so a process may die between the two writes.
 */
import { z } from 'zod';
import { BUCKET_FIELDS, type Bucket, EMPTY_BUCKET } from './bucket.ts';
import { type Day, emptyLedger, type KeyCount, type Ledger } from './ledger.ts';
import { hasHours, intoMonth, withoutHours, withoutModels } from './roll-up.ts';

/** The API server takes 1 MiB in a ConfigMap; this leaves room for its metadata. */
const MAX_BYTES = 900_000;

/** Fields of a key's count, in the order in which they are stored. */
const KEY_FIELDS = [
  'requests',
  'promptTokens',
  'completionTokens',
  'cachedRequests',
  'cachedTokens',
] as const;

const count = z.int().min(0);
const time = z.int().min(0).max(8.64e15);
const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const month = z.string().regex(/^\d{4}-\d{2}$/);
/** Trailing zeros are left out. Money may be more than the largest safe integer. */
const numbers = z.array(z.number().min(0)).max(BUCKET_FIELDS.length);

const day = z.object({
  models: z.record(z.string(), z.record(z.string().regex(/^(1?\d|2[0-4])$/), numbers)),
  keys: z.record(z.string(), z.record(z.string(), numbers)),
});

const openRecord = z.object({
  namespace: z.string(),
  pods: z.record(z.string(), time),
  asleep: z.record(z.string(), z.tuple([time, count])),
  batches: z.record(z.string(), count),
  days: z.record(date, day),
});

const archive = z.object({
  namespace: z.string(),
  days: z.record(date, day),
  months: z.record(month, z.record(z.string(), numbers)),
});

type StoredDay = z.infer<typeof day>;

/** The open record: `isOpen` days, and the resume points. Hours are given up where they do not fit. */
export function openText(ledger: Ledger, isOpen: (date: string) => boolean): string {
  const open = [...ledger.days].filter(([date]) => isOpen(date));
  const textOf = (days: readonly (readonly [string, Day])[]) =>
    JSON.stringify({
      namespace: ledger.namespace,
      pods: Object.fromEntries(ledger.pods),
      asleep: mapped(ledger.asleep, ({ since, accelerators }) => [since, accelerators]),
      batches: Object.fromEntries(ledger.batches),
      days: Object.fromEntries(days.map(([date, each]) => [date, storedDay(each)])),
    } satisfies z.infer<typeof openRecord>);
  const text = textOf(open);
  if (Buffer.byteLength(text) <= MAX_BYTES) return text;
  return textOf(open.map(([date, each]) => [date, withoutHours(each)]));
}

/**
 * The archive of a ledger, and the ledger as far as it fits: the oldest days lose their hours first, then become part of
 * their month, and the oldest months keep only their sum. A day that the open record has too (`isOpen`) would be counted twice in its month, so it stays.
 */
export function archiveText(
  ledger: Ledger,
  isOpen: (date: string) => boolean,
): { text: string; ledger: Ledger } {
  let fitting = ledger;
  for (;;) {
    const text = JSON.stringify({
      namespace: fitting.namespace,
      days: mapped(fitting.days, storedDay),
      months: mapped(fitting.months, (models) => mapped(models, storedBucket)),
    } satisfies z.infer<typeof archive>);
    const smaller = Buffer.byteLength(text) > MAX_BYTES ? shrink(fitting, isOpen) : fitting;
    if (smaller === fitting) return { text, ledger: fitting };
    fitting = smaller;
  }
}

function shrink(ledger: Ledger, isOpen: (date: string) => boolean): Ledger {
  const old = [...ledger.days.keys()].filter((date) => !isOpen(date)).sort();
  const detailed = old.filter((date) => hasHours(ledger.days.get(date) as Day));
  // Several at once, because each round writes the whole text.
  const some = new Set(detailed.slice(0, Math.ceil(detailed.length / 4)));
  if (some.size > 0) {
    const days = [...ledger.days].map(
      ([date, each]) => [date, some.has(date) ? withoutHours(each) : each] as const,
    );
    return { ...ledger, days: new Map(days) };
  }
  if (old.length > 0) return old.slice(0, Math.ceil(old.length / 4)).reduce(intoMonth, ledger);
  return withoutModels(ledger);
}

export interface StoredLedger {
  ledger: Ledger;
  /** Dates of the days that the archive has as they are. */
  archived: ReadonlySet<string>;
}

/** Reads both records of a namespace; undefined if there is no valid one. An invalid record counts as absent. */
export function readLedger(
  openText: string | undefined,
  archived: string | undefined,
): StoredLedger | undefined {
  const open = parsed(openRecord, openText);
  const old = parsed(archive, archived);
  const namespace = open?.namespace ?? old?.namespace;
  if (namespace === undefined) return undefined;
  const ledger: Ledger = {
    ...emptyLedger(namespace),
    ...(open && {
      pods: new Map(Object.entries(open.pods)),
      asleep: new Map(
        Object.entries(open.asleep).map(([model, [since, accelerators]]) => [model, { since, accelerators }]),
      ),
      batches: new Map(Object.entries(open.batches)),
    }),
    days: new Map([...daysOf(old?.days), ...daysOf(open?.days)]),
    months: new Map(
      Object.entries(old?.months ?? {}).map(([name, models]) => [
        name,
        new Map(Object.entries(models).map(([model, stored]) => [model, bucketOf(stored)])),
      ]),
    ),
  };
  const dates = Object.keys(old?.days ?? {}).filter((date) => !Object.hasOwn(open?.days ?? {}, date));
  return { ledger, archived: new Set(dates) };
}

function parsed<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function storedDay({ models, keys }: Day): StoredDay {
  return {
    models: mapped(models, (rows) =>
      Object.fromEntries([...rows].map(([row, bucket]) => [String(row), storedBucket(bucket)])),
    ),
    keys: mapped(keys, (tenants) =>
      mapped(tenants, (counted) => withoutZeros(KEY_FIELDS.map((field) => counted[field]))),
    ),
  };
}

function daysOf(days: Record<string, StoredDay> = {}): [string, Day][] {
  return Object.entries(days).map(([name, { models, keys }]) => [
    name,
    {
      models: new Map(
        Object.entries(models).map(([model, rows]) => [
          model,
          new Map(Object.entries(rows).map(([row, stored]) => [Number(row), bucketOf(stored)])),
        ]),
      ),
      keys: new Map(
        Object.entries(keys).map(([model, tenants]) => [
          model,
          new Map(Object.entries(tenants).map(([tenant, stored]) => [tenant, keyCountOf(stored)])),
        ]),
      ),
    },
  ]);
}

function storedBucket(bucket: Bucket): number[] {
  return withoutZeros(BUCKET_FIELDS.map((field) => bucket[field]));
}

function bucketOf(stored: readonly number[]): Bucket {
  const fields = BUCKET_FIELDS.map((field, at) => [field, stored[at] ?? 0]);
  return { ...EMPTY_BUCKET, ...Object.fromEntries(fields) };
}

function keyCountOf(stored: readonly number[]): KeyCount {
  return Object.fromEntries(KEY_FIELDS.map((field, at) => [field, stored[at] ?? 0])) as Record<
    (typeof KEY_FIELDS)[number],
    number
  >;
}

function withoutZeros(list: readonly number[]): number[] {
  return list.slice(0, list.findLastIndex((value) => value !== 0) + 1);
}

function mapped<V, R>(map: ReadonlyMap<string, V>, to: (value: V) => R): Record<string, R> {
  return Object.fromEntries([...map].map(([name, value]) => [name, to(value)]));
}

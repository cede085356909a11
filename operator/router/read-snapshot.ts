/** Reads the route table that a previous leader published in a ConfigMap. */
import { z } from 'zod';
import { routeVersion } from './protocol.ts';
import type { RouteTable } from './route-table.ts';

/** The fields that are read again. The others are only compared with a new table. */
const published = z.looseObject({
  version: routeVersion,
  pool: z.looseObject({ namespace: z.string(), name: z.string() }),
  models: z.array(
    z.looseObject({
      uid: z.string(),
      servedNames: z.array(z.string()),
      adapters: z.array(z.string()),
      endpoints: z.array(z.looseObject({ host: z.string(), capacity: z.number().min(0) })),
    }),
  ),
  keys: z.array(z.looseObject({ sha256: z.string(), tenant: z.string() })),
});

/** Parses a snapshot; undefined if the text is invalid, for example after a manual edit. */
export function readSnapshot(text: string): RouteTable | undefined {
  try {
    return published.parse(JSON.parse(text)) as unknown as RouteTable;
  } catch {
    return undefined;
  }
}

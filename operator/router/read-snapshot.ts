/** The route table of an operator before this one, as a ConfigMap has it. */
import { z } from 'zod';
import { routeVersion } from './protocol.ts';
import type { RouteTable } from './route-table.ts';

/** What is read of it again; the rest is only compared with what a new table says. */
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

/** Reads a snapshot; undefined when the text is none, as after an edit by hand. */
export function readSnapshot(text: string): RouteTable | undefined {
  try {
    return published.parse(JSON.parse(text)) as unknown as RouteTable;
  } catch {
    return undefined;
  }
}

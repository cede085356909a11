/** The chart of the version before, as far as an upgrade can tell. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { CHART } from './chart.ts';

/** A field of routers that its definitions lack. */
export const NEW_FIELD = 'hostUsers';

interface Definition {
  spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
}

interface Schema {
  properties: Record<string, Schema>;
}

/** Writes it into a directory, and returns the path of the chart. */
export async function previousChart(directory: string): Promise<string> {
  const chart = join(directory, 'previous');
  await cp(CHART, chart, { recursive: true });
  await change<Record<string, string>>(join(chart, 'Chart.yaml'), (metadata) => {
    metadata.version = '0.0.9';
    metadata.appVersion = '0.0.9';
  });
  await change<Definition>(
    join(chart, 'files/crds/vllm-operator.dev_inferencepools.yaml'),
    ({ spec: { versions } }) => {
      const router = versions[0]?.schema.openAPIV3Schema.properties.spec?.properties.router;
      if (!router?.properties[NEW_FIELD]) throw new Error(`routers have no field ${NEW_FIELD}`);
      delete router.properties[NEW_FIELD];
    },
  );
  return chart;
}

async function change<T>(file: string, edit: (content: T) => void): Promise<void> {
  const content = parse(await readFile(file, 'utf8')) as T;
  edit(content);
  await writeFile(file, stringify(content, { lineWidth: 0 }));
}

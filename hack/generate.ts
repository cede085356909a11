/** Writes the generated files, or with --check names those that are stale and exits 1. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { acceleratorFiles } from './generate/accelerators.ts';
import { alertTableFiles } from './generate/alert-table.ts';
import { apiFiles } from './generate/api-files.ts';
import { chartFiles } from './generate/chart.ts';
import { engineProfileFiles } from './generate/engine-profiles.ts';
import { engineVersionFiles } from './generate/engine-versions.ts';
import { experimentFiles } from './generate/experiment-schema.ts';
import { installFiles } from './generate/install.ts';
import { monitoringFiles } from './generate/monitoring.ts';
import { performanceFiles } from './generate/performance.ts';
import { planExampleFiles } from './generate/plan-examples.ts';
import { routerProtocolFiles } from './generate/router-protocol.ts';
import { snippetFiles } from './generate/snippets.ts';
import { transitionFiles } from './generate/transitions.ts';

const root = join(import.meta.dirname, '..');
const check = process.argv.includes('--check');

/** In this order: the install manifest is rendered from the files of the chart. */
const PARTS = [
  acceleratorFiles,
  apiFiles,
  engineProfileFiles,
  engineVersionFiles,
  chartFiles,
  experimentFiles,
  monitoringFiles,
  alertTableFiles,
  installFiles,
  performanceFiles,
  planExampleFiles,
  routerProtocolFiles,
  snippetFiles,
  transitionFiles,
];

const stale: string[] = [];
for (const part of PARTS) {
  for (const [path, content] of await part()) {
    const file = join(root, path);
    if ((await readOptional(file)) === content) continue;
    stale.push(path);
    if (check) continue;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

if (check && stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}\nrun \`npm run generate\` and commit what it changes`);
  process.exitCode = 1;
} else {
  console.log(check ? 'generated files are up to date' : `written: ${stale.join(', ') || 'nothing to do'}`);
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

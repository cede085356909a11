/** `npm run bench -- NAME`: one `metric value unit` per line, always with a baseline of the same run. */
import { existsSync, readdirSync } from 'node:fs';

interface Benchmark {
  /** @param args what follows the name */
  run(signal: AbortSignal, args: readonly string[]): Promise<void>;
}

const here = new URL('./', import.meta.url);
const names = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/main.ts`, here)))
  .map(({ name }) => name);

const [name = '', ...args] = process.argv.slice(2);
if (names.includes(name)) {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  const benchmark = (await import(new URL(`${name}/main.ts`, here).href)) as Benchmark;
  await benchmark.run(controller.signal, args);
} else {
  console.error(`usage: npm run bench -- NAME [OPTIONS]\nNAME is one of: ${names.join(', ')}`);
  process.exitCode = 2;
}

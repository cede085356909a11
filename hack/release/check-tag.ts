/**
 * `node hack/release/check-tag.ts vX.Y.Z`: prints the notes of a release, or what the tag disagrees with.
 * Runs before anything is installed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** The section of a version in CHANGELOG.md, without its heading; empty when there is none. */
function notesOf(version: string): string {
  const sections = read('CHANGELOG.md').split(/^## /m);
  const section = sections.find((text) => text.startsWith(`[${version}]`)) ?? '';
  return section.slice(section.indexOf('\n') + 1).trim();
}

/** The reasons why a tag must not be released, one sentence each. */
function faults(tag: string): string[] {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const found: string[] = [];
  if (tag !== `v${version}`)
    found.push(
      `The tag is ${tag}, but package.json has version ${version}: tag v${version}, or set the version.`,
    );
  const chart = read('charts/vllm-operator/Chart.yaml');
  for (const field of ['version', 'appVersion']) {
    if (!chart.includes(`\n${field}: ${version}\n`)) {
      found.push(
        `charts/vllm-operator/Chart.yaml has another ${field} than package.json (${version}): npm run generate.`,
      );
    }
  }
  if (notesOf(version) === '')
    found.push(`CHANGELOG.md has no section [${version}]: rename Unreleased, and start a new one.`);
  return found;
}

const tag = process.argv[2];
if (tag === undefined) {
  console.error('usage: node hack/release/check-tag.ts vX.Y.Z');
  process.exitCode = 2;
} else {
  const found = faults(tag);
  for (const fault of found) console.error(fault);
  if (found.length > 0) process.exitCode = 1;
  else console.log(notesOf(tag.slice(1)));
}

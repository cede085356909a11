import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { apiFiles } from '../../../hack/generate/api-files.ts';

const root = join(import.meta.dirname, '../../..');

describe('generated files', () => {
  it.each([...apiFiles()])('%s is up to date', async (path, content) => {
    expect(await readFile(join(root, path), 'utf8'), 'run `npm run generate`').toBe(content);
  });
});

import { lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VolumeFiles } from './volume-files.ts';

/**
 * Makes a directory hold exactly these files, all at once: readers see the old set or the new one. Laid out as
 * kubelet's AtomicWriter does it: the files are in a hidden directory, `..data` links to it, and each name of the top
 * level links through `..data`. Returns false when nothing had to change.
 */
export async function writeAtomicDirectory(directory: string, files: VolumeFiles): Promise<boolean> {
  await mkdir(directory, { recursive: true });
  const data = join(directory, '..data');
  const current = await readlink(data).catch(() => undefined);
  if (current !== undefined && (await holds(join(directory, current), files))) return false;

  const generation = Number(current?.split('_')[1] ?? 0) + 1;
  const hidden = `..v_${generation}`;
  await rm(join(directory, hidden), { recursive: true, force: true });
  await mkdir(join(directory, hidden));
  for (const [path, { content, mode }] of files) {
    const target = join(directory, hidden, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content, { mode });
  }
  await symlink(hidden, `${data}_next`);
  await rename(`${data}_next`, data);

  const wanted = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path));
  for (const name of await readdir(directory)) {
    if (!name.startsWith('..') && !wanted.has(name)) await rm(join(directory, name));
  }
  for (const name of wanted) {
    const link = join(directory, name);
    const exists = await lstat(link).then(
      () => true,
      () => false,
    );
    if (!exists) await symlink(join('..data', name), link);
  }
  if (current !== undefined) await rm(join(directory, current), { recursive: true, force: true });
  return true;
}

async function holds(directory: string, files: VolumeFiles): Promise<boolean> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  if (entries.filter((entry) => entry.isFile()).length !== files.size) return false;
  for (const [path, { content }] of files) {
    const found = await readFile(join(directory, path)).catch(() => undefined);
    if (!found?.equals(content)) return false;
  }
  return true;
}

/** The end of the demo: everything is deleted. */
import type { Chapter } from './chapter.ts';

/** Deletes what was applied. Throws when an object that the operator created is left. */
export async function removeAll({ demo, shell }: Chapter, manifests: readonly string[]): Promise<void> {
  await demo.step('Delete everything, and see that nothing is left', async () => {
    const files = manifests.flatMap((file) => ['-f', file]);
    await shell.run('delete', '--ignore-not-found', ...files, '--timeout=90s');
    const label = 'app.kubernetes.io/managed-by=vllm-operator';
    const left = await shell.run('get', 'deploy,svc,cm,pdb,netpol,sa,pods', '-A', '-l', label, '-o', 'name');
    if (left.trim() !== '') throw new Error(`left behind:\n${left}`);
    return `no object with ${label} is left`;
  });
}

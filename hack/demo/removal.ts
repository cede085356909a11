/** The end of the demo: everything goes. */
import type { Chapter } from './chapter.ts';

/** Deletes what was applied. Throws when an object of the operator is left. */
export async function removeAll({ demo, shell }: Chapter): Promise<void> {
  await demo.step('Delete everything, and see that nothing is left', async () => {
    // Models of the second file go with the namespaces of the first.
    const files = ['-f', 'examples/quickstart.yaml', '-f', 'examples/scale-to-zero.yaml'];
    await shell.run('delete', '--ignore-not-found', ...files, '--timeout=90s');
    const label = 'app.kubernetes.io/managed-by=vllm-operator';
    const left = await shell.run('get', 'deploy,svc,cm,pdb,netpol,sa,pods', '-A', '-l', label, '-o', 'name');
    if (left.trim() !== '') throw new Error(`left behind:\n${left}`);
    return `no object with ${label} is left`;
  });
}

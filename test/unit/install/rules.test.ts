import { expect, it } from 'vitest';
import { installObjects } from '../../support/install-objects.ts';

interface Role {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
}

const roles = installObjects().filter(
  ({ kind }) => kind === 'Role' || kind === 'ClusterRole',
) as unknown as Role[];
const words = (role: Role) =>
  role.rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs]);

it('grants nothing by wildcard, and nothing that could grant more', () => {
  expect(roles.length).toBeGreaterThan(0);
  for (const role of roles) {
    for (const word of [
      '*',
      'escalate',
      'bind',
      'impersonate',
      'deletecollection',
      'pods/exec',
      'nodes/proxy',
    ]) {
      expect(words(role)).not.toContain(word);
    }
    for (const { verbs } of role.rules.filter(({ resources }) => resources.includes('nodes')))
      expect(verbs).toEqual(['list', 'watch']);
  }
});

it('grants Secrets in the operator’s namespace only, and reading them by name only', () => {
  const rules = roles.flatMap(({ metadata, rules }) =>
    rules.map((rule) => ({ ...rule, namespace: metadata.namespace })),
  );
  const secrets = rules.filter(({ resources }) => resources.includes('secrets'));
  expect(secrets.map(({ verbs, resourceNames, namespace }) => ({ verbs, resourceNames, namespace }))).toEqual(
    [
      { verbs: ['create'], resourceNames: undefined, namespace: 'vllm-operator-system' },
      { verbs: ['get', 'patch'], resourceNames: ['vllm-operator-root'], namespace: 'vllm-operator-system' },
    ],
  );
});

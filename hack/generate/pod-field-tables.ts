/** The answer for every field of a Pod, as Markdown: where it is set, or why not and what to do instead. */
import { POD_FIELDS, type PodFieldAnswer } from '../../operator/api/pod-fields.ts';

const TITLES = {
  PodSpec: 'Of the pod (`spec.template.spec` of a Deployment)',
  Container: 'Of the engine container',
  PodSecurityContext: 'Of the security context of the pod',
} as const;

function row([field, answer]: readonly [string, PodFieldAnswer]): string {
  return 'use' in answer
    ? `| \`${field}\` | \`${answer.use}\` | |`
    : `| \`${field}\` | refused: ${answer.refused} | ${answer.instead} |`;
}

/** A section with one table for each Kubernetes type. */
export function podFieldTables(): string[] {
  const tables = Object.entries(POD_FIELDS).flatMap(([kind, fields]) => [
    `### ${TITLES[kind as keyof typeof POD_FIELDS]}`,
    '',
    '| field in Kubernetes | here | instead |',
    '| --- | --- | --- |',
    ...Object.entries<PodFieldAnswer>(fields)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(row),
    '',
  ]);
  return [
    '## Fields of a Pod',
    '',
    'What a pod template of a Deployment can say, and where to say it here. Routers and Redis take the same fields of the pod as engines, in `router` and `responseCache.redis.managed` of the InferencePool, but for volumes, variables, init containers and accounts.',
    '',
    'Containers in `spec.template.initContainers` take all fields of a container but `hostPort`, extended resources and what the Pod Security Standard `restricted` does not admit. `allowPrivilegeEscalation: false` and `capabilities: {drop: [ALL]}` are filled in.',
    '',
    ...tables,
  ];
}

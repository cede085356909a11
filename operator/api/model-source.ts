/** What is served: source of the weights, cache, and names. */
import { z } from 'zod';
import { withRules } from '../values/rule.ts';
import { quantity, servedName } from '../values/scalars.ts';
import { HUB_NAME, NO_WAY_UP } from '../values/source-rules.ts';
import { modelFacts } from '../vllm/model-facts.ts';
import { objectName, secretKeyRef } from './common.ts';

const SOURCE_PATTERN = `^(hf://${HUB_NAME}/${HUB_NAME}|s3://\\S+|gs://\\S+|pvc://[a-z0-9][-a-z0-9.]*(/\\S*)?|oci://\\S+|file:///\\S+)$`;
const SOURCE = new RegExp(SOURCE_PATTERN);
const SOURCE_REMEDY =
  'use hf://org/name, s3://bucket/path, gs://bucket/path, pvc://claim/path, oci://image or file:///path';

/** An id with a revision appended, as in other tools. */
const REVISION_PATTERN = `^hf://${HUB_NAME}/${HUB_NAME}[@:]\\S+$`;
const WITH_REVISION = new RegExp(REVISION_PATTERN);
const REVISION_PROBLEM = 'has a revision in it';
const REVISION_REMEDY = 'use hf://org/name, and move the rest to model.revision';
const cel = (pattern: string): string => pattern.replaceAll('\\', '\\\\');

/** Where the weights are, as `spec.model.source`. */
export const modelSource = withRules(z.string().min(1).max(1024), [
  {
    rule: `self.matches('${cel(SOURCE_PATTERN)}')`,
    problem: 'unknown model source',
    remedy: SOURCE_REMEDY,
    messageExpression: `self.matches('${cel(REVISION_PATTERN)}') ? "model source '" + self + "' ${REVISION_PROBLEM}: ${REVISION_REMEDY}" : "unknown model source '" + self + "': ${SOURCE_REMEDY}"`,
    holds: (self) => SOURCE.test(self),
    explain: (self) =>
      WITH_REVISION.test(self)
        ? { problem: `model source '${self}' ${REVISION_PROBLEM}`, remedy: REVISION_REMEDY }
        : { problem: `unknown model source '${self}'`, remedy: SOURCE_REMEDY },
  },
  NO_WAY_UP,
]);

const claim = withRules(
  z.object({
    claimName: objectName
      .optional()
      .describe('An existing claim. If unset, the operator creates one of `size`.'),
    size: quantity.optional().describe('Size of the claim that the operator creates.'),
    storageClassName: objectName
      .optional()
      .describe('StorageClass of the claim that the operator creates. Default: that of the cluster.'),
    accessModes: z
      .array(z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadOnlyMany', 'ReadWriteOncePod']))
      .max(4)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe(
        'Access modes of the claim that the operator creates. Several replicas on several nodes need `ReadWriteMany`.',
      ),
  }),
  [
    {
      rule: 'has(self.claimName) != has(self.size)',
      problem: 'exactly one of claimName and size is required',
      remedy: 'set claimName to an existing claim, or set the size of a new one',
      holds: (self) => (self.claimName !== undefined) !== (self.size !== undefined),
    },
    {
      rule: '!has(self.claimName) || !(has(self.storageClassName) || has(self.accessModes))',
      problem: 'storageClassName and accessModes apply only to a claim that the operator creates',
      remedy: 'remove them, or remove claimName',
      fieldPath: '.claimName',
      reason: 'FieldValueForbidden',
      holds: (self) =>
        self.claimName === undefined ||
        (self.storageClassName === undefined && self.accessModes === undefined),
    },
  ],
  [
    {
      rule:
        'has(self.claimName) || has(oldSelf.claimName) || ' +
        '(has(self.storageClassName) == has(oldSelf.storageClassName) && ' +
        '(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName) && ' +
        'has(self.accessModes) == has(oldSelf.accessModes) && ' +
        '(!has(self.accessModes) || self.accessModes == oldSelf.accessModes))',
      problem: 'storageClassName and accessModes of a claim cannot change',
      remedy: 'keep them, or remove the cache, wait until the claim is deleted, and set it again',
      reason: 'FieldValueForbidden',
    },
  ],
);

const modelCache = withRules(
  z.object({
    pvc: claim.optional().describe('A PersistentVolumeClaim: weights are downloaded once.'),
    emptyDir: z
      .object({ sizeLimit: quantity.optional().describe('Limit of the volume. Default: none.') })
      .optional()
      .describe('A volume of the pod: weights are downloaded for every pod. The default.'),
  }),
  [
    {
      rule: 'has(self.pvc) != has(self.emptyDir)',
      problem: 'exactly one of pvc and emptyDir is required',
      remedy: 'keep one of them, or remove cache',
      holds: (self) => (self.pvc !== undefined) !== (self.emptyDir !== undefined),
    },
  ],
);

export const modelSettings = withRules(
  z.object({
    source: modelSource.describe(
      '`hf://org/name`, `s3://bucket/path`, `gs://bucket/path`, `pvc://claim/path`, `oci://image` (image volume) or `file:///path` (a path in the container: in the image, or on a volume of `template`).',
    ),
    revision: z
      .string()
      .min(1)
      .max(128)
      .regex(/^\S+$/)
      .optional()
      .describe('Branch, tag or commit of the Hugging Face repository.'),
    tokenSecretRef: secretKeyRef.optional().describe('Hugging Face token.'),
    trustRemoteCode: z
      .boolean()
      .default(false)
      .describe('Whether to run code from the model repository in the engine pod.'),
    cache: modelCache.optional().describe('Where downloaded weights are stored. Default: `emptyDir`.'),
    servedNames: z
      .array(servedName)
      .min(1)
      .max(16)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .optional()
      .describe('Names in the OpenAI API, unique in the pool. Default: the name of the InferenceModel.'),
    facts: modelFacts
      .optional()
      .describe(
        'Shape of a model that is not in the catalog, from its config.json, for the memory plan. `vllm-operator plan --config` prints it.',
      ),
  }),
  [
    {
      rule: "!has(self.revision) || self.source.startsWith('hf://')",
      problem: 'only hf:// sources have a revision',
      remedy: 'remove revision, or put the version into the path of source',
      fieldPath: '.revision',
      reason: 'FieldValueForbidden',
      holds: (self) => self.revision === undefined || self.source.startsWith('hf://'),
    },
  ],
);

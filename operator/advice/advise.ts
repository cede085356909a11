/** Right-sizing advice for one model, from what it used. Pure. */
import type { Advice, Finding, Lack, RuleName } from './advice.ts';
import { contextUnused } from './context-unused.ts';
import type { Evidence } from './evidence.ts';
import { kvCacheUnused } from './kv-cache-unused.ts';
import { quietHours } from './quiet-hours.ts';
import { enoughReplicas, replicasUnused } from './replicas-unused.ts';
import { sleepCostsMore } from './sleep-costs-more.ts';
import type { Subject } from './subject.ts';

export interface Advised {
  /** What saves most comes first. */
  advice: Advice[];
  /** Rules that apply to the model and lack evidence. */
  lacks: Lack[];
}

/**
 * Judges each rule so that all advice can be followed at once, and savings add up: quiet hours build on the lowered minimum, and
 * other accelerators are not advised together with fewer replicas, which would have to do more each. A suspended model
 * gets none.
 */
export function advise(subject: Subject, evidence: Evidence): Advised {
  if (subject.model.spec.suspend) return { advice: [], lacks: [] };
  const replicas = replicasUnused(subject, evidence);
  const fewer = adviceIn(replicas) && enoughReplicas(subject, evidence.hours);
  const [context, kvCache] = memoryFindings(subject, evidence, fewer === undefined);
  const findings: Record<RuleName, Finding> = {
    ReplicasUnused: replicas,
    QuietHours: quietHours(subject, evidence, fewer),
    ContextUnused: context,
    KVCacheUnused: kvCache,
    SleepCostsMore: sleepCostsMore(subject, evidence),
  };
  const found = Object.entries(findings) as [RuleName, Finding][];
  return {
    advice: found
      .flatMap(([, finding]) => adviceIn(finding) ?? [])
      .toSorted((a, b) => (b.saving.money ?? 0) - (a.saving.money ?? 0)),
    lacks: found.flatMap(([rule, finding]) =>
      finding && 'lacks' in finding ? [{ rule, needs: finding.lacks }] : [],
    ),
  };
}

/** Only one of both may move the model: the one that saves more. */
function memoryFindings(subject: Subject, evidence: Evidence, mayMove: boolean): [Finding, Finding] {
  const context = contextUnused(subject, evidence, mayMove);
  const kvCache = mayMove ? kvCacheUnused(subject, evidence) : undefined;
  const saved = (finding: Finding) => adviceIn(finding)?.saving.money ?? 0;
  if (!adviceIn(context) || !adviceIn(kvCache)) return [context, kvCache];
  return saved(context) > saved(kvCache)
    ? [context, undefined]
    : [contextUnused(subject, evidence, false), kvCache];
}

function adviceIn(finding: Finding): Advice | undefined {
  return finding && 'advice' in finding ? finding.advice : undefined;
}

/** What the status of a model says about its usage. */
import type { AdviceStatus, UsageStatus } from '../../api/status.ts';
import type { InferenceModel } from '../../api/types.ts';
import type { AdviceStatuses } from './advice-statuses.ts';
import type { UsageStatuses } from './usage-statuses.ts';

export type UsageView = (model: InferenceModel) => { usage?: UsageStatus; advice?: AdviceStatus };

export interface UsageViewOptions {
  usage: Pick<UsageStatuses, 'of'>;
  advice: Pick<AdviceStatuses, 'of'>;
}

/** What this process does not know is absent. */
export function usageView({ usage: usages, advice: advices }: UsageViewOptions): UsageView {
  return (model) => {
    const usage = usages.of(model);
    const advice = advices.of(model);
    return { ...(usage && { usage }), ...(advice && { advice }) };
  };
}

/**
 * Why steps of recorded scenarios are answered in another way than by kube-apiserver: for each scenario, a reason with
 * the steps.
 */
const EXCEPTIONS: Record<string, [reason: string, ...steps: number[]][]> = {
  accepts: [['v1beta1 of tables and metadata is refused with 406: every client asks for v1 first', 7]],
  builtins: [
    ['writes of kinds without a controller or admission plug-in here are refused with 501', 0, 1, 2, 3],
    ['the same, of Jobs and CronJobs', 13, 14, 15, 16, 17, 18, 19, 20],
    ['the same, of LimitRanges', 46],
  ],
  'definition-checks': [['the cost of rules is not estimated: a run on kube-apiserver shows it', 9]],
  pods: [
    ['recorded where pods get one more certificate', 3, 24],
    ['writes of ResourceQuotas are refused with 501, and what follows on one', 25, 26, 27, 29, 30],
    ['writes of CronJobs are refused with 501', 41],
  ],
  policies: [['writes of admission policies are refused with 501', 0, 1, 2, 3, 4, 5, 7, 8, 10, 11]],
};

/** The steps of a scenario that need not be alike, with the reason. */
export function exceptionsOf(scenario: string): Map<number, string> {
  return new Map(
    (EXCEPTIONS[scenario] ?? []).flatMap(([reason, ...steps]) =>
      steps.map((step): [number, string] => [step, reason]),
    ),
  );
}

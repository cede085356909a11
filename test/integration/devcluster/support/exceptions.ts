/**
 * Why steps of recorded scenarios are answered in another way than by kube-apiserver: for each scenario, a reason with
 * the steps.
 */
const EXCEPTIONS: Record<string, [reason: string, ...steps: number[]][]> = {
  accepts: [['v1beta1 of tables and metadata is refused with 406: every client asks for v1 first', 7]],
  builtins: [['no controller runs Jobs here, so nothing writes their status', 20]],
  'definition-checks': [['the cost of rules is not estimated: a run on kube-apiserver shows it', 9]],
  pods: [
    ['service accounts and priority classes of pods are not looked up', 1, 8],
    ['recorded where pods get one more certificate', 3, 24],
    ['the node agent answers for the log of a pod without a node', 7],
    ['quotas are stored, not enforced', 26, 27, 29, 30],
    ['pod security levels are checked, not enforced', 34, 36, 38, 39, 41],
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

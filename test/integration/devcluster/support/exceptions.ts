/**
 * Why steps of recorded scenarios are answered in another way than by kube-apiserver: for each scenario, a reason with
 * the steps.
 */
const EXCEPTIONS: Record<string, [reason: string, ...steps: number[]][]> = {
  accepts: [['v1beta1 of tables and metadata is refused with 406: every client asks for v1 first', 7]],
  builtins: [['no controller runs Jobs here, so nothing writes their status', 20]],
  'definition-checks': [['the cost of rules is not estimated: a run on kube-apiserver shows it', 9]],
  pods: [
    [
      'not mended yet',
      1,
      2,
      3,
      4,
      5,
      6,
      7,
      8,
      12,
      14,
      17,
      18,
      19,
      21,
      24,
      26,
      27,
      28,
      29,
      30,
      34,
      36,
      37,
      38,
      39,
      40,
      41,
    ],
  ],
  policies: [['not mended yet', 0, 1, 2, 3, 4, 5, 7, 8, 10, 11]],
  'u-watch': [['not mended yet', 1]],
};

/** The steps of a scenario that need not be alike, with the reason. */
export function exceptionsOf(scenario: string): Map<number, string> {
  return new Map(
    (EXCEPTIONS[scenario] ?? []).flatMap(([reason, ...steps]) =>
      steps.map((step): [number, string] => [step, reason]),
    ),
  );
}

/** As long as a real one, as UIDs are most of a report: the UID of the n-th model of a measurement, for this process and that of the fake routers. */
export function modelUid(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

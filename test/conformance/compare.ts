/** Where two values differ: `path: theirs | ours`. Empty when they are alike. */
export function differences(theirs: unknown, ours: unknown, path = ''): string[] {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    const length = Math.max(theirs.length, ours.length);
    return Array.from({ length }, (_, i) => differences(theirs[i], ours[i], `${path}[${i}]`)).flat();
  }
  if (isRecord(theirs) && isRecord(ours)) {
    const names = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
    return [...names].flatMap((name) =>
      differences(theirs[name], ours[name], path === '' ? name : `${path}.${name}`),
    );
  }
  return Object.is(theirs, ours) ? [] : [`${path}: ${show(theirs)} | ${show(ours)}`];
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'absent';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

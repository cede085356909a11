/** UID of a model in the simulation. */
export function uidOf(model: string): string {
  return `uid-${model}`;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

interface Level {
  /** Keys seen so far; undefined for an array. */
  keys: Set<string> | undefined;
  /** The current key, or the index of the current item. */
  at: string | number;
}

/** Paths of keys that come twice in one object of a JSON text, such as `spec.ports[0].name`. */
export function duplicateKeys(text: string): string[] {
  const out: string[] = [];
  const levels: Level[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ keys: new Set(), at: '' });
    else if (token === '[') levels.push({ keys: undefined, at: 0 });
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',' && typeof level?.at === 'number') level.at++;
    else if (token === ':' && level?.keys) {
      level.at = JSON.parse(last) as string;
      if (level.keys.has(level.at)) out.push(pathOf(levels));
      level.keys.add(level.at);
    } else if (token.startsWith('"')) last = token;
  }
  return [...new Set(out)];
}

function pathOf(levels: Level[]): string {
  return levels
    .map(({ at }) => (typeof at === 'number' ? `[${at}]` : `.${at}`))
    .join('')
    .slice(1);
}

/** A path inside the container and the path on this machine that replaces it. */
export interface PathMapping {
  from: string;
  to: string;
}

/**
 * Returns a function that replaces the container's paths in a text by this machine's. A path counts where it stands
 * as a whole or is followed by `/`; `/etc/app` in `/etc/app-data` or `/opt/etc/app` is left alone.
 */
export function pathRewriter(mappings: readonly PathMapping[]): (text: string) => string {
  const targets = new Map(mappings.map((m) => [trimSlash(m.from), trimSlash(m.to)]));
  if (targets.size === 0) return (text) => text;
  // The longest path wins: a volume may be mounted inside another one.
  const alternatives = [...targets.keys()].sort((a, b) => b.length - a.length).map(escapeRegExp);
  const pattern = new RegExp(`(?<![\\w.}])(?:${alternatives.join('|')})(?![\\w.-])`, 'g');
  return (text) => text.replace(pattern, (path) => targets.get(path) ?? path);
}

function trimSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

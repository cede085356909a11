/** Version of a vLLM engine. Which flags it knows follows from it. */
export interface EngineVersion {
  major: number;
  minor: number;
  patch: number;
}

/** The version whose flags the table lists completely, and the default image's. */
export const PINNED_VERSION: EngineVersion = { major: 0, minor: 28, patch: 0 };

/** The oldest engine we render: its image is the first with the entrypoint `vllm serve` (vLLM #25967). */
export const OLDEST_VERSION: EngineVersion = { major: 0, minor: 11, patch: 1 };

/** Reads `v0.28.0`, `0.28`, `v0.28.0-cu129` or `0.28.0rc1`; undefined when the text does not start with a version. */
export function parseVersion(text: string): EngineVersion | undefined {
  const match = /^v?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:$|[^0-9])/.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/** Negative when a is older than b, 0 when equal, positive when newer. */
export function compareVersions(a: EngineVersion, b: EngineVersion): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** `0.28.0` */
export function formatVersion(version: EngineVersion): string {
  return `${version.major}.${version.minor}.${version.patch}`;
}

/** Version in the tag of an image reference; undefined for a digest alone, `latest` and tags that are not versions. */
export function imageVersion(image: string): EngineVersion | undefined {
  const name = image.split('@')[0] ?? '';
  const lastPart = name.slice(name.lastIndexOf('/') + 1);
  const colon = lastPart.indexOf(':');
  return colon < 0 ? undefined : parseVersion(lastPart.slice(colon + 1));
}

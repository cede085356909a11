/** Version of a vLLM engine. Which flags it knows follows from it. */
export interface EngineVersion {
  major: number;
  minor: number;
  patch: number;
}

/** The version whose flags the table lists completely, and the default image's. */
export const PINNED_VERSION: EngineVersion = { major: 0, minor: 32, patch: 0 };

/** The first version whose official image starts with `vllm serve` (vLLM #25967). */
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

/**
 * Repositories of vLLM's own images, by the end of their name, which mirrors keep. Their tags are vLLM's versions. The last
 * part alone would not do: `lmcache/vllm-openai` counts its own releases.
 */
const OFFICIAL_REPOSITORIES: ReadonlySet<string> = new Set([
  'vllm/vllm-openai',
  'vllm/vllm-openai-rocm',
  'vllm/vllm-openai-cpu',
  'q9t5s3a7/vllm-cpu-release-repo',
]);

function repositoryAndTag(image: string): [repository: string, tag: string | undefined] {
  const parts = (image.split('@')[0] ?? '').split('/');
  const [name = '', tag] = (parts.at(-1) ?? '').split(':');
  return [`${parts.at(-2) ?? ''}/${name}`, tag];
}

/** Whether an image is one of vLLM's own, or a mirror of one. */
export function isOfficialImage(image: string): boolean {
  return OFFICIAL_REPOSITORIES.has(repositoryAndTag(image)[0]);
}

/**
 * Version in the tag of vLLM's own images; undefined for a digest alone, `latest` and tags that are not versions, and for
 * every other image: numbers of vendors and private builds are their own.
 */
export function imageVersion(image: string): EngineVersion | undefined {
  const [, tag] = repositoryAndTag(image);
  return isOfficialImage(image) && tag !== undefined ? parseVersion(tag) : undefined;
}

import type { ProfileSettings } from '../vllm/engine-profiles.ts';

/** The profile that a model uses, by its own spec or that of its pool. */
export interface NamedProfile {
  name: string;
  /** Whether it is one of the pool's own. */
  isOwn: boolean;
  settings: ProfileSettings;
}

import type { ClusterOptions } from '../devcluster/cluster.ts';
import type { Chapter } from './chapter.ts';

/** The steps of the demo with one kind of engine. */
export interface Story {
  /** What replaces vLLM and its GPUs, for the first lines. */
  readonly engines: string;
  /** What the cluster is started with. Installs first what is missing. */
  cluster(signal: AbortSignal): Promise<ClusterOptions>;
  /** Applies resources and shows what they do; `directory` is for files. Returns the URL of the OpenAI API. */
  tell(chapter: Chapter, directory: string): Promise<string>;
  /** Files with everything that was applied, given the directory. */
  manifests(directory: string): readonly string[];
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, FileSource, Pod, Volume } from '../kinds.ts';
import { writeAtomicDirectory } from './atomic-directory.ts';
import type { PodAddresses } from './field-ref.ts';
import type { PathMapping } from './path-rewriter.ts';
import { MissingSourceError, type PodSources } from './pod-sources.ts';
import { readVolumeFiles, type VolumeFiles } from './volume-files.ts';

/** Changes a text file of a ConfigMap or Secret volume on its way into one container. */
export type FileRewrite = (path: string, content: string) => string;

/**
 * The volumes of one pod as directories. What a volume is filled with from the API (ConfigMap, Secret, downward API,
 * projected) is written per container, because an image handler may adapt it; the rest is shared by the containers.
 */
export class PodVolumes {
  readonly #directory: string;
  readonly #claims: string;
  readonly #sources: PodSources;
  readonly #addresses: PodAddresses;
  #filling: Promise<void> = Promise.resolve();

  /** @param options.claims directory with one directory per PersistentVolumeClaim, `<namespace>/<name>` */
  constructor(options: { directory: string; claims: string; sources: PodSources; addresses: PodAddresses }) {
    this.#directory = options.directory;
    this.#claims = options.claims;
    this.#sources = options.sources;
    this.#addresses = options.addresses;
  }

  /** Where each mount of the container is on this machine. */
  mappings(pod: Pod, container: Container): PathMapping[] {
    return (container.volumeMounts ?? []).flatMap((mount) => {
      const volume = pod.spec.volumes?.find((v) => v.name === mount.name);
      if (!volume) return [];
      const root = this.#path(pod, volume, container);
      return [{ from: mount.mountPath, to: mount.subPath ? join(root, mount.subPath) : root }];
    });
  }

  /**
   * Makes the container's volumes exist and hold what the API says now; also called when one of their sources has
   * changed. Throws {@link MissingSourceError} when a source does not exist.
   */
  fill(pod: Pod, container: Container, rewrite: FileRewrite | undefined, signal: AbortSignal): Promise<void> {
    // One after the other: two at once would remove each other's files.
    const filled = this.#filling.then(() => this.#fill(pod, container, rewrite, signal));
    this.#filling = filled.catch(() => undefined);
    return filled;
  }

  async #fill(
    pod: Pod,
    container: Container,
    rewrite: FileRewrite | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const mounted = new Set(container.volumeMounts?.map((mount) => mount.name));
    for (const volume of pod.spec.volumes ?? []) {
      if (!mounted.has(volume.name)) continue;
      const directory = this.#path(pod, volume, container);
      const sources = fileSources(volume);
      if (sources) {
        const files = await this.#read(volume, sources, pod, signal);
        await writeAtomicDirectory(directory, rewrite ? rewritten(files, rewrite) : files);
        continue;
      }
      const claim = volume.persistentVolumeClaim?.claimName;
      const namespace = pod.metadata.namespace ?? '';
      if (claim !== undefined && !(await this.#sources.claimExists(namespace, claim, signal))) {
        throw new MissingSourceError(`persistentvolumeclaim "${claim}" not found`);
      }
      if (!volume.hostPath) await mkdir(directory, { recursive: true });
    }
    for (const mount of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find((v) => v.name === mount.name);
      // kubelet makes the directory of a subPath in a writable volume.
      if (volume && mount.subPath && !fileSources(volume)) {
        await mkdir(join(this.#path(pod, volume, container), mount.subPath), { recursive: true });
      }
    }
  }

  async #read(volume: Volume, sources: FileSource[], pod: Pod, signal: AbortSignal): Promise<VolumeFiles> {
    try {
      return await readVolumeFiles(sources, pod, {
        addresses: this.#addresses,
        sources: this.#sources,
        signal,
      });
    } catch (error) {
      if (!(error instanceof MissingSourceError)) throw error;
      throw new MissingSourceError(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`);
    }
  }

  #path(pod: Pod, volume: Volume, container: Container): string {
    if (volume.hostPath) return volume.hostPath.path;
    if (volume.persistentVolumeClaim) {
      return join(this.#claims, pod.metadata.namespace ?? '', volume.persistentVolumeClaim.claimName);
    }
    if (fileSources(volume)) return join(this.#directory, container.name, volume.name);
    return join(this.#directory, 'shared', volume.name);
  }
}

/** What the volume is filled with; undefined for a volume that containers write to. */
function fileSources(volume: Volume): FileSource[] | undefined {
  if (volume.projected) return volume.projected.sources ?? [];
  if (volume.configMap || volume.secret || volume.downwardAPI) return [volume];
  return undefined;
}

function rewritten(files: VolumeFiles, rewrite: FileRewrite): VolumeFiles {
  return new Map(
    [...files].map(([path, file]) => {
      const text = file.content.toString('utf8');
      const isText = Buffer.from(text, 'utf8').equals(file.content);
      return [path, isText ? { ...file, content: Buffer.from(rewrite(path, text)) } : file];
    }),
  );
}

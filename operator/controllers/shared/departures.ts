/** Engine pods that are leaving their nodes. Only the evacuation controller writes; routes and budget read. */
import type { InferenceModel } from '../../api/types.ts';
import { PerObject } from '../../kube/per-object.ts';
import type { Watchable } from '../../kube/store.ts';
import type { LeavingPods } from '../../router/endpoints-from-slices.ts';

/** Read-only view for other controllers. */
export interface DeparturesView {
  /** Pods of a model that have an eviction notice, for the route table. The same object until they change. */
  leaving(modelUid: string): LeavingPods | undefined;
  /** Whether the pod is being released from its ReplicaSet. The budget then needs room for its replacement. */
  isReleasing(modelUid: string, podUid: string): boolean;
}

interface Departure {
  leaving?: LeavingPods | undefined;
  releasing?: ReadonlySet<string> | undefined;
}

export class Departures implements DeparturesView {
  readonly #byModel: PerObject<Departure>;

  constructor(models: Watchable<InferenceModel>) {
    this.#byModel = new PerObject(models);
  }

  leaving(modelUid: string): LeavingPods | undefined {
    return this.#byModel.get(modelUid)?.leaving;
  }

  isReleasing(modelUid: string, podUid: string): boolean {
    return this.releasing(modelUid).has(podUid);
  }

  /** UIDs of the pods that are being released from their ReplicaSet. */
  releasing(modelUid: string): ReadonlySet<string> {
    return this.#byModel.get(modelUid)?.releasing ?? NONE;
  }

  /** Whether any departure is recorded for the model. */
  has(modelUid: string): boolean {
    return this.#byModel.has(modelUid);
  }

  setLeaving(modelUid: string, leaving: LeavingPods | undefined): void {
    this.#set(modelUid, { ...this.#byModel.get(modelUid), leaving });
  }

  setReleasing(modelUid: string, releasing: ReadonlySet<string>): void {
    this.#set(modelUid, {
      ...this.#byModel.get(modelUid),
      releasing: releasing.size > 0 ? releasing : undefined,
    });
  }

  #set(modelUid: string, departure: Departure): void {
    this.#byModel.set(modelUid, departure.leaving || departure.releasing ? departure : undefined);
  }
}

const NONE: ReadonlySet<string> = new Set();

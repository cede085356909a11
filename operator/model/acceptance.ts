/**
 * Which models a pool accepts: namespace, served names, number of models, budget and quota. Everything is first come, first
 * served (docs/adr/0013): a model keeps its grant until it requests and gets another one, or is deleted. A rejected model
 * gets nothing. Pure, and independent of the order of the models.
 */
import type { InferenceModel } from '../api/types.ts';
import { type Key, keyOf } from '../kube/key.ts';
import type { Grant } from './grant.ts';
import { type Holdings, isSame, MAX_NAME_LENGTH_PER_NAMESPACE, nameLength, namespaceOf } from './holdings.ts';
import { namespaceVerdict } from './namespace-verdict.ts';
import type { Resolution, ResolvedPool } from './resolved-model.ts';
import type { Verdict } from './verdict.ts';
import { type HoldingsView, withoutReserved } from './without-reserved.ts';

export interface AcceptanceInput extends ResolvedPool {
  /**
   * Every model whose poolRef names the pool, including models that are being deleted, because they keep their grant until
   * they are gone.
   */
  models: readonly InferenceModel[];
  /** Labels of the models' namespaces. A namespace that is not cached yet is not allowed yet. */
  namespaceLabels: (namespace: string) => Readonly<Record<string, string>> | undefined;
  /** The claim of a model, and the fault of its spec. A model with a fault is granted nothing. */
  resolve: (model: InferenceModel) => Pick<Resolution, 'claim' | 'fault'>;
  /** The grants so far. They are updated in place. */
  holdings: Holdings;
  /** Whether the grant of a model that was deleted, or lost access to the pool, is still reserved for its namespace. */
  isReserved?: (key: Key) => boolean;
  /** Number of pods of a model that hold accelerators of this pool. */
  podsOf?: (key: Key) => number;
}

export interface Acceptance {
  /** By UID, for every model that is not being deleted. */
  verdicts: Map<string, Verdict>;
  /** Models that hold more than they claim, or are deleted, until their engines have terminated. */
  pendingRelease: Set<Key>;
  /** False if some rejected models may be accepted in another run. */
  isSettled: boolean;
}

/** Most rounds over the rejected models in one run, so that a long chain of exchanges does not block other work. */
const MAX_ROUNDS = 8;

const NOTHING: Grant = { names: [], replicas: 0 };
const ACCEPTED: Verdict = { accepted: true };

/** Decides on every model and updates the grants. */
export function acceptModels(input: AcceptanceInput): Acceptance {
  return new Judge(input).judge();
}

class Judge {
  readonly #input: AcceptanceInput;
  readonly #holdings: Holdings;
  readonly #podsOf: (key: Key) => number;
  /** By key: models that may hold a grant. */
  readonly #present = new Map<Key, InferenceModel>();
  /** By namespace: deleted models whose grant is reserved for that namespace. */
  readonly #reserved = new Map<string, Key[]>();
  /** By namespace: the holdings without these reservations. Valid until one of them is used. */
  readonly #withoutReserved = new Map<string, HoldingsView>();
  /** How often a name or replica may have become free. */
  #releases = 0;

  constructor(input: AcceptanceInput) {
    this.#input = input;
    this.#holdings = input.holdings;
    this.#podsOf = input.podsOf ?? (() => 0);
  }

  judge(): Acceptance {
    const verdicts = new Map<string, Verdict>();
    const claimants: Claimant[] = [];
    const pendingRelease = new Set<Key>();
    const { pool, namespaceLabels } = this.#input;
    const refusals = new Map<string, Verdict | undefined>();
    for (const model of this.#input.models) {
      const { namespace = '', uid = '' } = model.metadata;
      if (!refusals.has(namespace))
        refusals.set(namespace, namespaceVerdict(pool, namespace, namespaceLabels(namespace)));
      const refusal = refusals.get(namespace);
      const key = keyOf(model);
      if (!refusal) this.#present.set(key, model);
      if (isLeaving(model)) continue;
      verdicts.set(uid, refusal ?? ACCEPTED);
      if (refusal) continue;
      const { claim } = this.#input.resolve(model);
      const held = this.#holdings.of(key);
      // Most models hold exactly their claim, which is never taken away.
      if (!held || (held !== claim && !isSame(held, claim))) claimants.push({ key, model, claim });
    }
    this.#letGo(pendingRelease);
    const isSettled = this.#decideAll(claimants, verdicts);
    for (const { key, claim } of claimants) {
      if ((this.#holdings.of(key)?.replicas ?? 0) > claim.replicas) pendingRelease.add(key);
    }
    return { verdicts, pendingRelease, isSettled };
  }

  #decideAll(claimants: Claimant[], verdicts: Map<string, Verdict>): boolean {
    // A model that claims no more than it holds conflicts with nobody and may free something, so it is first.
    let undecided = claimants.sort(byStanding((key) => this.#holdings.of(key)));
    for (let round = 0; undecided.length > 0 && round < MAX_ROUNDS; round++) {
      const before = this.#releases;
      const refused = undecided.filter((candidate) => {
        const verdict = this.#decide(candidate);
        verdicts.set(candidate.model.metadata.uid ?? '', verdict);
        return !verdict.accepted;
      });
      // What one model gave up may be what another was denied.
      undecided = this.#releases === before ? [] : refused;
    }
    return undecided.length === 0;
  }

  /** Handles the grants of deleted models. Their pods hold accelerators for as long as they run. */
  #letGo(pendingRelease: Set<Key>): void {
    const gone = [...this.#holdings.grants].filter(([key]) => !this.#present.has(key));
    for (const [key, grant] of gone) {
      pendingRelease.add(key);
      if (this.#input.isReserved?.(key)) {
        const namespace = namespaceOf(key);
        const others = this.#reserved.get(namespace);
        if (others) others.push(key);
        else this.#reserved.set(namespace, [key]);
      } else this.#release(key, grant);
    }
  }

  #release(key: Key, grant: Grant): void {
    const left = this.#leftOf(key, grant);
    this.#holdings.set(key, left > 0 ? { names: [], replicas: left } : undefined);
  }

  /** Replicas of a deleted model whose engines still run. */
  #leftOf(key: Key, { replicas } = this.#holdings.of(key) ?? NOTHING): number {
    return replicas > 0 ? Math.min(replicas, this.#podsOf(key)) : 0;
  }

  /**
   * Why the claim is rejected even if the reservations of its namespace are counted as free. Uses reservations only if that
   * helps.
   */
  #refusalInSpiteOfReserved(key: Key, claim: Grant): Verdict | undefined {
    let refusal = this.#refusal(key, claim);
    const namespace = namespaceOf(key);
    const kept = this.#reserved.get(namespace);
    if (!refusal || !kept) return refusal;
    const hopeless = this.#refusal(key, claim, this.#without(namespace, kept));
    if (hopeless) return hopeless;
    const wanted = new Set(claim.names.map((name) => this.#holdings.holder(name)));
    const byUse = [...kept].sort((a, b) => Number(wanted.has(b)) - Number(wanted.has(a)));
    const released = new Set<Key>();
    for (const other of byUse) {
      released.add(other);
      this.#release(other, this.#holdings.of(other) ?? NOTHING);
      refusal = this.#refusal(key, claim);
      if (!refusal) break;
    }
    this.#reserved.set(
      namespace,
      kept.filter((other) => !released.has(other)),
    );
    this.#withoutReserved.delete(namespace);
    this.#releases += 1;
    return refusal;
  }

  #without(namespace: string, kept: readonly Key[]): HoldingsView {
    const known = this.#withoutReserved.get(namespace);
    if (known) return known;
    const found = withoutReserved(this.#holdings, namespace, kept, (other) => this.#leftOf(other));
    this.#withoutReserved.set(namespace, found);
    return found;
  }

  #decide({ key, model, claim }: Claimant): Verdict {
    // Faults of the spec are reported separately.
    if (this.#input.resolve(model).fault) return ACCEPTED;
    const refusal = this.#refusalInSpiteOfReserved(key, claim);
    if (refusal) return refusal;
    const before = this.#holdings.of(key) ?? NOTHING;
    const { replicas: held } = before;
    const replicas =
      held > claim.replicas ? Math.max(claim.replicas, Math.min(held, this.#podsOf(key))) : claim.replicas;
    this.#holdings.set(key, { names: claim.names, replicas });
    if (isLess({ names: claim.names, replicas }, before)) this.#releases += 1;
    return ACCEPTED;
  }

  #refusal(key: Key, claim: Grant, holdings: HoldingsView = this.#holdings): Verdict | undefined {
    return (
      this.#nameTaken(key, claim, holdings) ??
      this.#tooMany(key, claim, holdings) ??
      this.#overBudget(key, claim, holdings)
    );
  }

  #nameTaken(key: Key, { names }: Grant, holdings: HoldingsView): Verdict | undefined {
    for (const name of names) {
      const holder = holdings.holder(name);
      if (holder === undefined || holder === key) continue;
      const reason = this.#present.has(holder)
        ? `it is already served in pool ${this.#pool} by ${holder}`
        : `it is reserved in pool ${this.#pool} for ${holder}, which was deleted seconds ago`;
      return {
        accepted: false,
        reason: 'ServedNameConflict',
        issue: { field: 'spec.model.servedNames', value: name, reason, remedy: 'choose another name' },
      };
    }
    return undefined;
  }

  #tooMany(key: Key, { names }: Grant, holdings: HoldingsView): Verdict | undefined {
    const { modelsPerNamespace } = this.#input.pool.spec.capacity;
    const namespace = namespaceOf(key);
    const share = holdings.share(namespace);
    const held = holdings.of(key);
    const subject = `namespace "${namespace}" has`;
    if (!held && share.models >= modelsPerNamespace)
      return quota(
        'spec.poolRef',
        `${subject} ${share.models} of the ${modelsPerNamespace} models that it may have in pool ${this.#pool}`,
        'delete a model, or raise spec.capacity.modelsPerNamespace of the pool',
      );
    const before = nameLength(held?.names ?? []);
    const length = nameLength(names);
    if (length <= before || share.nameLength - before + length <= MAX_NAME_LENGTH_PER_NAMESPACE)
      return undefined;
    return quota(
      'spec.poolRef',
      `${subject} served names and LoRA adapters of ${share.nameLength} characters in pool ${this.#pool}; the limit is ${MAX_NAME_LENGTH_PER_NAMESPACE}`,
      'remove or shorten some of them',
    );
  }

  #overBudget(key: Key, claim: Grant, holdings: HoldingsView): Verdict | undefined {
    const { accelerators, namespaceQuotas = [], overcommit } = this.#input.pool.spec.capacity;
    const acceleratorsPerReplica = this.#input.accelerator.count;
    const namespace = namespaceOf(key);
    const { replicas: own } = holdings.of(key) ?? NOTHING;
    if (claim.replicas <= own) return undefined;
    const replicas = overcommit ? Math.min(1, claim.replicas) : claim.replicas;
    const needed = replicas * acceleratorsPerReplica;
    const need = `needs ${needed} accelerators (${replicas} × ${acceleratorsPerReplica}), but`;
    const remedy = 'lower maxReplicas';
    const others = (held: number) => (overcommit ? 0 : (held - own) * acceleratorsPerReplica);
    const quotaOf = namespaceQuotas.find((entry) => entry.namespace === namespace)?.accelerators;
    const ofNamespace = others(holdings.share(namespace).replicas);
    if (quotaOf !== undefined && ofNamespace + needed > quotaOf)
      return quota(
        'spec.scaling',
        `${need} namespace "${namespace}" has ${Math.max(0, quotaOf - ofNamespace)} of its ${quotaOf} left in pool ${this.#pool}`,
        `${remedy}, or raise spec.capacity.namespaceQuotas of the pool`,
      );
    const ofPool = others(holdings.replicas);
    if (accelerators !== undefined && ofPool + needed > accelerators)
      return quota(
        'spec.scaling',
        `${need} pool ${this.#pool} has ${Math.max(0, accelerators - ofPool)} of ${accelerators} left`,
        `${remedy}, or raise spec.capacity.accelerators or set spec.capacity.overcommit of the pool`,
      );
    return undefined;
  }

  get #pool(): Key {
    return keyOf(this.#input.pool);
  }
}

interface Claimant {
  key: Key;
  model: InferenceModel;
  claim: Grant;
}

function isLeaving({ metadata }: InferenceModel): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function quota(field: string, reason: string, remedy: string): Verdict {
  return { accepted: false, reason: 'QuotaExceeded', issue: { field, value: undefined, reason, remedy } };
}

/**
 * Models that claim no more than they hold come first, then older ones, then by name, because many may be created within a
 * second.
 */
function byStanding(held: (key: Key) => Grant | undefined) {
  const rank = new Map<Key, number>();
  const rankOf = ({ key, claim }: Claimant) => {
    const known = rank.get(key) ?? (asksForMore(held(key), claim) ? 1 : 0);
    rank.set(key, known);
    return known;
  };
  return (a: Claimant, b: Claimant): number =>
    rankOf(a) - rankOf(b) ||
    order(a.model.metadata.creationTimestamp ?? '', b.model.metadata.creationTimestamp ?? '') ||
    order(a.key, b.key);
}

function asksForMore(held: Grant | undefined, claim: Grant): boolean {
  if (!held || claim.replicas > held.replicas) return true;
  const own = new Set(held.names);
  return claim.names.some((name) => !own.has(name));
}

/** Whether `before` contains something that `now` does not. */
function isLess(now: Grant, before: Grant): boolean {
  const names = new Set(now.names);
  return now.replicas < before.replicas || before.names.some((name) => !names.has(name));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

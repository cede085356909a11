/** What one typed setting of the engine is: its schema, its words, the flags it comes to, and how pool and model merge. */
import { z } from 'zod';
import { type Rule, withRules } from '../values/rule.ts';

/** A flag with its value: text after `=`, several arguments after the flag, or on and off of a switch. */
export interface FlagValue {
  flag: string;
  value: string | readonly string[] | boolean;
}

/** What decides how a value is written besides the value. */
export interface RenderContext {
  /** Whether the engine's version has a flag. */
  has: (flag: string) => boolean;
  /** Accelerators of one data-parallel rank. */
  acceleratorsPerRank: number;
  drainTimeoutSeconds: number;
}

export interface Setting<S extends z.ZodType = z.ZodType> {
  schema: S;
  /** For the field reference and `kubectl explain`. */
  docs: string;
  /** The flags that stand for it, and that `extraArgs` may therefore not have. The first one has the value. */
  flags: readonly string[];
  /** How lists of pool and model become one; without it the model's value replaces the pool's. */
  merge?: 'byName';
  /** Default: the first flag with the value as text, or on or off for a boolean. */
  render?: (value: z.output<S>, context: RenderContext) => FlagValue[];
}

/** Settings below one name, such as `batching`. Those of pool and model are merged member by member. */
export interface SettingGroup<M extends SettingMap = SettingMap> {
  docs: string;
  members: M;
  rules: readonly Rule<z.output<z.ZodObject<ShapeOf<M>>>>[];
  /** The flag that turns the group on; rendered when the group is there. */
  switch?: string;
}

export type SettingMap = Readonly<Record<string, Setting>>;
export type SettingTree = Readonly<Record<string, Setting | SettingGroup>>;

/** The members of an object in the schema. */
type ShapeOf<M> = {
  [K in keyof M]: M[K] extends Setting<infer S>
    ? z.ZodOptional<S>
    : M[K] extends SettingGroup<infer G>
      ? z.ZodOptional<z.ZodObject<ShapeOf<G>>>
      : never;
};

export function setting<S extends z.ZodType>(definition: Setting<S>): Setting<S> {
  return definition;
}

export function group<const M extends SettingMap>(definition: SettingGroup<M>): SettingGroup<M> {
  return definition;
}

export function isGroup(entry: Setting | SettingGroup): entry is SettingGroup {
  return 'members' in entry;
}

/** The schema's members for settings, all optional and with their words. */
export function shapeOf<const T extends SettingTree>(tree: T): ShapeOf<T> {
  const members = Object.entries(tree).map(([name, entry]) => {
    const schema = isGroup(entry) ? groupSchema(entry) : entry.schema;
    return [name, schema.optional().describe(entry.docs)];
  });
  return Object.fromEntries(members) as ShapeOf<T>;
}

function groupSchema({ members, rules }: SettingGroup): z.ZodType {
  const object = z.object(shapeOf(members));
  return rules.length === 0 ? object : withRules(object, rules as readonly Rule<unknown>[]);
}

/** Every setting of a tree with its path, in order; a group comes before its members. */
export function flatten(tree: SettingTree): [path: string, entry: Setting | SettingGroup][] {
  return Object.entries(tree).flatMap(([name, entry]): [string, Setting | SettingGroup][] => [
    [name, entry],
    ...(isGroup(entry)
      ? flatten(entry.members).map(([path, member]): [string, Setting] => [
          `${name}.${path}`,
          member as Setting,
        ])
      : []),
  ]);
}

/** Renders one setting by its default: on or off, or the value as text. */
export function plain([flag]: readonly string[], value: unknown): FlagValue[] {
  if (flag === undefined) return [];
  return [{ flag, value: typeof value === 'boolean' ? value : String(value) }];
}

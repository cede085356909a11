import { renderFlags } from '../../../../operator/model/engine-args.ts';
import { InvalidSpecError, type SpecIssue } from '../../../../operator/values/spec-issue.ts';
import { model, pool } from '../../render/support/objects.ts';
import { merged } from './resolve.ts';

/** A model that the catalog knows. */
export const llama = 'hf://meta-llama/Llama-3.1-8B-Instruct';
/** A model that it does not know. */
export const unknown = 'hf://acme/secret-sauce';

export type Engine = NonNullable<Parameters<typeof model>[1]>['engine'];

/** The arguments of an engine on a type of accelerator. Throws InvalidSpecError. */
export function flags(type: string, engine: Engine, source = llama): string[] {
  return renderFlags(merged(pool(type), model(source, { engine })));
}

/** What is wrong with an engine on a type of accelerator. */
export function issues(
  type: string,
  engine: Engine,
  source = llama,
  more: Parameters<typeof model>[1] = {},
): SpecIssue[] {
  try {
    merged(pool(type), model(source, { ...more, engine }));
  } catch (error) {
    if (error instanceof InvalidSpecError) return [...error.issues];
    throw error;
  }
  return [];
}

import { StatusError } from './status-error.ts';

/** How the client wants objects: as they are, as table rows or as metadata only. */
export type Representation = 'object' | 'table' | 'partial';

/** The kind of answer to a request. */
export interface Answered {
  what: 'object' | 'list' | 'events';
  /** Whether it can be shown as a table. */
  tables: boolean;
}

const ACCEPTED = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
const KINDS: Readonly<Record<string, Representation>> = {
  Table: 'table',
  PartialObjectMetadata: 'partial',
  PartialObjectMetadataList: 'partial',
};

/**
 * Reads the Accept header: of the media types that we have, in the order of their weights, the first whose transform is
 * known. Tables and metadata are of meta.k8s.io/v1. Throws NotAcceptable.
 */
export function representation(accept: string | undefined, answered: Answered): Representation {
  const clauses = (accept ?? '').trim() === '' ? ['*/*'] : (accept ?? '').split(',');
  const parsed = clauses.map(parseClause).sort((a, b) => b.weight - a.weight);
  for (const { type, as, group, version } of parsed) {
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue;
    if (as === undefined) return 'object';
    const shape = KINDS[as];
    if (!shape || group !== 'meta.k8s.io' || version !== 'v1') continue;
    if (shape === 'table' && !answered.tables) continue;
    if (shape === 'partial') assertKind(as, answered);
    return shape;
  }
  throw notAcceptable(`only the following media types are accepted: ${ACCEPTED}`);
}

function assertKind(as: string, { what }: Answered): void {
  const forLists = as === 'PartialObjectMetadataList';
  if (what === 'list' && !forLists)
    throw notAcceptable(`you requested ${as}, but the requested object is a list`);
  if (what === 'object' && forLists)
    throw notAcceptable(`you requested ${as}, but the requested object is not a list`);
}

interface Clause {
  type: string;
  weight: number;
  as: string | undefined;
  group: string;
  version: string;
}

function parseClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map(rest.map((part): [string, string] => split(part)));
  const weight = Number(parameters.get('q') ?? 1);
  return {
    type,
    weight: Number.isNaN(weight) ? 1 : weight,
    as: parameters.get('as'),
    group: parameters.get('g') ?? '',
    version: parameters.get('v') ?? '',
  };
}

function split(part: string): [string, string] {
  const at = part.indexOf('=');
  return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)];
}

function notAcceptable(message: string): StatusError {
  return new StatusError(406, 'NotAcceptable', message);
}

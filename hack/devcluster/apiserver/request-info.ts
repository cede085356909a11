import { badRequest } from './status-error.ts';

/** The parsed URL of a request, like RequestInfo of kube-apiserver. */
export interface RequestInfo {
  /** HTTP method in upper case. */
  method: string;
  path: string;
  query: URLSearchParams;
  isResource: boolean;
  /** get, list, watch, create, update, patch, delete, deletecollection; for other paths the method in lower case */
  verb: string;
  group: string;
  version: string;
  namespace: string;
  plural: string;
  name: string;
  subresource: string;
  /** What follows the subresource: paths of proxies. */
  rest: string;
}

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** Splits a URL of the API into its parts. */
export function parseRequestInfo(method: string, url: URL): RequestInfo {
  // An encoded slash (%2F) also separates segments, as in Go's URL.Path.
  const parts = decoded(url.pathname)
    .split('/')
    .filter((part) => part !== '');
  const info: RequestInfo = {
    method,
    path: url.pathname,
    query: url.searchParams,
    isResource: false,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    namespace: '',
    plural: '',
    name: '',
    subresource: '',
    rest: '',
  };
  const core = parts[0] === 'api';
  const prefix = core ? 2 : 3;
  if ((!core && parts[0] !== 'apis') || parts.length <= prefix) return info;
  info.isResource = true;
  info.group = core ? '' : (parts[1] ?? '');
  info.version = parts[core ? 1 : 2] ?? '';
  let rest = parts.slice(prefix);
  const watched = rest[0] === 'watch';
  if (watched) rest = rest.slice(1);
  if (rest[0] === 'namespaces' && rest.length > 1) {
    info.namespace = rest[1] ?? '';
    if (rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2] ?? '')) rest = rest.slice(2);
  }
  info.plural = rest[0] ?? '';
  info.name = rest[1] ?? '';
  info.subresource = rest[2] ?? '';
  info.rest = rest.slice(3).join('/');
  info.verb = watched && method === 'GET' ? 'watch' : verbOf(method, info);
  if (watched && info.name !== '') {
    info.query = new URLSearchParams(info.query);
    info.query.set('fieldSelector', `metadata.name=${info.name}`);
  }
  return info;
}

function verbOf(method: string, info: RequestInfo): string {
  const verb = VERBS[method] ?? '';
  if (info.name !== '') return verb;
  if (verb === 'get') return isWatch(info.query) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** Whether a list request asks to watch. */
export function isWatch(query: URLSearchParams): boolean {
  const watch = query.get('watch');
  return watch !== null && watch !== 'false' && watch !== '0';
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw badRequest(`invalid URL escape in ${JSON.stringify(path)}`);
  }
}

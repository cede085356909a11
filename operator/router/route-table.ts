/** The route table: all that a router knows. Compiled by the operator, pushed whole, applied atomically. Names are short where Lua reads them per request. */
import type { ModelState } from '../api/inference-model.ts';

/** One engine pod. */
export interface RouteEndpoint {
  /** `ip:port` of the engine's HTTP server. */
  address: string;
  /** Requests that the engine runs at once (its `--max-num-seqs`). */
  capacity: number;
  /** True once the pod is being stopped: requests in flight go on, new ones go elsewhere. */
  draining: boolean;
}

/** Rules of the response cache for one model. */
export interface RouteCache {
  enabled: boolean;
  ttlSeconds: number;
  policy: 'Deterministic' | 'All';
}

/** Rules of admission for one model. */
export interface RouteAdmission {
  maxQueue: number;
  queueTimeoutMs: number;
  wakeTimeoutMs: number;
  degradation: { queueAbove: number; maxTokens: number }[];
}

/** One InferenceModel as the routers see it. */
export interface RouteModel {
  /** UID of the InferenceModel; key of counters and of cache entries. */
  uid: string;
  namespace: string;
  name: string;
  /** Part of the cache key, so that a changed model never answers from old entries. */
  generation: number;
  /** Hash of the engine settings that come from the pool: part of the cache key for the same reason. */
  engine: string;
  /** Seconds since 1970, for `created` in `/v1/models`. */
  created: number;
  servedNames: string[];
  /** LoRA adapters, listed and routed as models of their own. */
  adapters: string[];
  maxModelLen?: number;
  state: ModelState;
  /** Why the model cannot be woken, for the 503 that clients get; absent while it can. */
  unavailable?: { reason: string; message: string };
  endpoints: RouteEndpoint[];
  /** `clusterIP:port` of the model's Service, the last resort when no endpoint is known to work. */
  fallback?: string;
  cache: RouteCache;
  admission: RouteAdmission;
}

/** Where the response cache lives. Only ever sent over the admin channel, because it carries a password. */
export interface RouteRedis {
  host: string;
  port: number;
  username: string;
  password: string;
}

/** An API key by its SHA-256 (lower-case hex). */
export interface RouteKey {
  sha256: string;
  tenant: string;
  models?: string[];
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

/** Which web pages may read answers. Lists of header names and methods are as headers have them. */
export interface RouteCors {
  allowOrigins: string[];
  allowCredentials: boolean;
  /** Absent: all that the router serves. */
  allowMethods?: string;
  /** Absent: those that the browser asks for. */
  allowHeaders?: string;
  /** Absent: none. */
  exposeHeaders?: string;
  maxAge: number;
}

export interface RouteTable {
  /** Grows with every change, also across leaders: milliseconds since 1970 at the change, or the last version plus one. */
  version: number;
  pool: { namespace: string; name: string };
  loadBalancing: 'PrefixAffinity' | 'LeastRequests';
  auth: 'None' | 'APIKey';
  /** Absent: the router says nothing of other origins. */
  cors?: RouteCors;
  /** Absent: no cache, or the snapshot that carries no secrets. */
  redis?: RouteRedis;
  cacheMaxEntryBytes: number;
  models: RouteModel[];
  keys: RouteKey[];
}

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { JsonObject } from '../json.ts';

/** A resource as a group's discovery lists it. */
export interface ListedResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  verbs: string[];
  group?: string;
  version?: string;
  shortNames?: string[];
  categories?: string[];
}

/** The built-in API of kube-apiserver 1.36: resources by path (`api/v1`, `apis/apps/v1`) and their schemas. */
export interface BuiltinApi {
  kubernetes: string;
  resources: Record<string, ListedResource[]>;
  schemas: Record<string, JsonObject>;
}

/** Reads the recorded API from `data/openapi.json.gz`. */
export function loadBuiltinApi(): BuiltinApi {
  const file = new URL('../data/openapi.json.gz', import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as BuiltinApi;
}

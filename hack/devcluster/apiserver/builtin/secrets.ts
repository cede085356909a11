import type { ApiObject } from '../api-object.ts';
import type { Faults } from '../faults.ts';
import { ensureObject, isObject, objectAt, setDefault, stringAt } from '../json.ts';
import type { Behaviour } from '../resource.ts';
import { dataFaults } from './simple-kinds.ts';

/** Keys that Secrets of a type must have; of `basic-auth` one of them is enough. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/basic-auth': ['username', 'password'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
};

/** Secrets: stringData goes into data. */
export const SECRETS: Behaviour = {
  default(object) {
    setDefault(object, 'type', 'Opaque');
    const texts = object.stringData;
    if (!isObject(texts)) return;
    const data = ensureObject(object, 'data');
    for (const [key, value] of Object.entries(texts))
      data[key] = Buffer.from(String(value)).toString('base64');
    delete object.stringData;
  },
  validate(faults, object, old) {
    dataFaults(faults, object, old);
    if (old && old.type !== object.type) faults.invalid('type', object.type ?? '', 'field is immutable');
    typeFaults(faults, object);
  },
};

function typeFaults(faults: Faults, object: ApiObject): void {
  const type = stringAt(object, 'type');
  const keys = KEYS[type] ?? [];
  const data = objectAt(object, 'data');
  const missing = keys.filter((key) => data[key] === undefined);
  if (type === 'kubernetes.io/basic-auth' && missing.length < keys.length) return;
  for (const key of missing) faults.required(`data[${key}]`);
  if (!type.startsWith('kubernetes.io/docker')) return;
  for (const key of keys)
    if (data[key] !== undefined && !isJson(Buffer.from(stringAt(data, key), 'base64').toString('utf8')))
      faults.invalid(`data[${key}]`, '<secret contents redacted>', 'unexpected end of JSON input');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    // JSON.parse reports invalid JSON only by throwing. The error is dropped, because it quotes the secret.
    return false;
  }
}

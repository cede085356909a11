import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { ApiObject } from '../api-object.ts';
import { isObject, stringAt, stringsAt } from '../json.ts';
import type { UserInfo } from '../server-context.ts';
import type { Store } from '../store.ts';

/** Audience of tokens that are for the API server itself. */
export const API_AUDIENCE = 'https://kubernetes.default.svc';

/** The object that a token is bound to: the token is invalid once the object is gone. */
export interface BoundObject {
  kind: string;
  name: string;
  uid: string;
}

/** A verified token: its user and its audiences. */
export interface CheckedToken {
  user: UserInfo;
  audiences: string[];
}

/** Makes and checks tokens of service accounts (JWTs, signed with a key of this process). */
export class ServiceAccountTokens {
  readonly #key = randomBytes(32);
  readonly #store: Store;
  readonly #now: () => Date;

  constructor(store: Store, now: () => Date) {
    this.#store = store;
    this.#now = now;
  }

  /** A token for an account; `seconds` until it expires. */
  issue(
    account: ApiObject,
    audiences: string[],
    seconds: number,
    bound?: BoundObject,
  ): { token: string; expires: Date } {
    const now = Math.floor(this.#now().getTime() / 1000);
    const { namespace = '', name, uid = '' } = account.metadata;
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      nbf: now,
      iss: API_AUDIENCE,
      jti: randomUUID(),
      sub: `system:serviceaccount:${namespace}:${name}`,
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid },
        ...(bound?.kind === 'Pod' ? { pod: { name: bound.name, uid: bound.uid } } : {}),
      },
    };
    const head = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
    return { token: `${head}.${this.#sign(head)}`, expires: new Date((now + seconds) * 1000) };
  }

  /** The user of a token. Undefined if the token is invalid or expired, or its account or pod is gone. */
  check(token: string): CheckedToken | undefined {
    const [header, payload, signature] = token.split('.');
    if (header === undefined || payload === undefined || signature === undefined) return undefined;
    const wanted = Buffer.from(this.#sign(`${header}.${payload}`));
    const given = Buffer.from(signature);
    if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) return undefined;
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (!isObject(claims) || Number(claims.exp) * 1000 <= this.#now().getTime()) return undefined;
    const own = isObject(claims['kubernetes.io']) ? claims['kubernetes.io'] : {};
    const namespace = stringAt(own, 'namespace');
    const name = stringAt(own, 'serviceaccount', 'name');
    const uid = stringAt(own, 'serviceaccount', 'uid');
    if (this.#store.get('serviceaccounts', namespace, name)?.metadata.uid !== uid) return undefined;
    const pod = stringAt(own, 'pod', 'name');
    const podUid = stringAt(own, 'pod', 'uid');
    if (pod !== '' && this.#store.get('pods', namespace, pod)?.metadata.uid !== podUid) return undefined;
    const extra: Record<string, string[]> = {
      'authentication.kubernetes.io/credential-id': [`JTI=${stringAt(claims, 'jti')}`],
    };
    if (pod !== '') {
      extra['authentication.kubernetes.io/pod-name'] = [pod];
      extra['authentication.kubernetes.io/pod-uid'] = [podUid];
    }
    return { user: accountUser(namespace, name, uid, extra), audiences: stringsAt(claims, 'aud') };
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function accountUser(
  namespace: string,
  name: string,
  uid: string,
  extra: Record<string, string[]>,
): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra,
  };
}

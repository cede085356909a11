/** Authenticates requests by front proxy, client certificate or bearer token, in this order. */
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../kube/clock.ts';
import type { AuthenticationConfig } from './authentication-config.ts';
import type { AuthenticationConfigSource } from './authentication-config-source.ts';
import { frontProxyUser } from './front-proxy-user.ts';
import type { TokenReviewer } from './token-reviewer.ts';
import { authenticated, type UserInfo } from './user.ts';
import { isIssuedBy, subjectOf } from './verify-certificate.ts';

/** The user of a certificate. */
interface CertificateVerdict {
  config: AuthenticationConfig;
  isFrontProxy: boolean;
  user: UserInfo | undefined;
}

export class Authenticator {
  readonly #config: Pick<AuthenticationConfigSource, 'current' | 'newerThan'>;
  readonly #tokens: Pick<TokenReviewer, 'userOf'>;
  readonly #clock: Clock;
  /** A connection carries many requests, so its certificate is verified once per configuration. */
  readonly #verdicts = new WeakMap<TLSSocket, CertificateVerdict>();

  constructor(options: {
    config: Pick<AuthenticationConfigSource, 'current' | 'newerThan'>;
    tokens: Pick<TokenReviewer, 'userOf'>;
    clock?: Clock | undefined;
  }) {
    this.#config = options.config;
    this.#tokens = options.tokens;
    this.#clock = options.clock ?? systemClock;
  }

  /** Undefined if the request is not authenticated. Throws KubeError if a token cannot be reviewed. */
  async userOf(request: IncomingMessage): Promise<UserInfo | undefined> {
    const user = (await this.#byCertificate(request)) ?? (await this.#byToken(request));
    return user && authenticated(user);
  }

  async #byCertificate(request: IncomingMessage): Promise<UserInfo | undefined> {
    const { socket } = request;
    if (!(socket instanceof TLSSocket)) return undefined;
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return undefined;
    const verdict = await this.#verdict(socket, certificate);
    const proxied =
      verdict.isFrontProxy && verdict.config.requestHeader
        ? frontProxyUser(request.headersDistinct, verdict.config.requestHeader)
        : undefined;
    return proxied ?? verdict.user;
  }

  async #verdict(socket: TLSSocket, certificate: X509Certificate): Promise<CertificateVerdict> {
    const config = await this.#config.current();
    const known = this.#verdicts.get(socket);
    if (known?.config === config && this.#clock.now() <= certificate.validToDate.getTime()) return known;
    let verdict = judge(certificate, config, this.#clock.now());
    if (!verdict.isFrontProxy && !verdict.user) {
      verdict = judge(certificate, await this.#config.newerThan(config), this.#clock.now());
    }
    this.#verdicts.set(socket, verdict);
    return verdict;
  }

  async #byToken(request: IncomingMessage): Promise<UserInfo | undefined> {
    const token = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    return token === undefined ? undefined : await this.#tokens.userOf(token);
  }
}

function judge(certificate: X509Certificate, config: AuthenticationConfig, now: number): CertificateVerdict {
  const { commonName, organizations } = subjectOf(certificate);
  const { requestHeader, clientCas } = config;
  const isFrontProxy =
    requestHeader !== undefined &&
    isIssuedBy(certificate, requestHeader.cas, now) &&
    (requestHeader.allowedNames.length === 0 || requestHeader.allowedNames.includes(commonName));
  const isUser = commonName !== '' && isIssuedBy(certificate, clientCas, now);
  return {
    config,
    isFrontProxy,
    user: isUser ? { username: commonName, groups: organizations, extra: {} } : undefined,
  };
}

/** The authentication configuration for aggregated API servers, as kube-apiserver publishes it. */
import { X509Certificate } from 'node:crypto';

/** Namespace and name of the ConfigMap that every kube-apiserver writes. */
export const AUTHENTICATION_CONFIG_MAP = {
  namespace: 'kube-system',
  name: 'extension-apiserver-authentication',
} as const;

/** Configuration of the front proxy: the API server, which passes on requests of users it has authenticated. */
export interface RequestHeaderConfig {
  cas: readonly X509Certificate[];
  /** Common names that its certificate may have; empty allows any. */
  allowedNames: readonly string[];
  /** Header names in lower case. */
  usernameHeaders: readonly string[];
  uidHeaders: readonly string[];
  groupHeaders: readonly string[];
  extraHeaderPrefixes: readonly string[];
}

export interface AuthenticationConfig {
  /** CAs of client certificates; empty if the cluster has none. */
  clientCas: readonly X509Certificate[];
  requestHeader?: RequestHeaderConfig;
}

/** The ConfigMap is not in the form that the API server writes. */
export class AuthenticationConfigError extends Error {
  override readonly name = 'AuthenticationConfigError';
  readonly code = 'AUTHENTICATION_CONFIG';

  constructor(field: string, reason: string, options?: ErrorOptions) {
    const { namespace, name } = AUTHENTICATION_CONFIG_MAP;
    super(
      `data of ConfigMap ${namespace}/${name}: ${field}: ${reason}; the API server rewrites it when it starts`,
      options,
    );
  }
}

/** No client certificate is trusted. */
export const NO_AUTHENTICATION_CONFIG: AuthenticationConfig = { clientCas: [] };

/**
 * Parses the data of the ConfigMap.
 * @throws {AuthenticationConfigError}
 */
export function parseAuthenticationConfig(
  data: Readonly<Record<string, string>> | undefined,
): AuthenticationConfig {
  const clientCas = certificates('client-ca-file', data?.['client-ca-file']);
  const proxyCas = certificates('requestheader-client-ca-file', data?.['requestheader-client-ca-file']);
  if (proxyCas.length === 0) return { clientCas };
  const list = (field: string) => stringList(field, data?.[field]);
  const headers = (field: string) => list(field).map((name) => name.trim().toLowerCase());
  return {
    clientCas,
    requestHeader: {
      cas: proxyCas,
      allowedNames: list('requestheader-allowed-names'),
      usernameHeaders: headers('requestheader-username-headers'),
      uidHeaders: headers('requestheader-uid-headers'),
      groupHeaders: headers('requestheader-group-headers'),
      extraHeaderPrefixes: headers('requestheader-extra-headers-prefix'),
    },
  };
}

const PEM_BEGIN = '-----BEGIN CERTIFICATE-----';

function certificates(field: string, pem: string | undefined): X509Certificate[] {
  if (!pem?.trim()) return [];
  const [, ...blocks] = pem.split(PEM_BEGIN);
  if (blocks.length === 0) throw new AuthenticationConfigError(field, 'no PEM certificate');
  try {
    return blocks.map((block) => new X509Certificate(`${PEM_BEGIN}${block}`));
  } catch (cause) {
    throw new AuthenticationConfigError(field, 'the certificate is invalid', { cause });
  }
}

function stringList(field: string, json: string | undefined): string[] {
  if (!json?.trim()) return [];
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new AuthenticationConfigError(field, 'not JSON', { cause });
  }
  if (value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new AuthenticationConfigError(field, 'not a list of strings');
}

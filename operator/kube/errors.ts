/** Errors of the API server and of the connection to it. */

const CODES_BY_STATUS = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'TooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'Throttled',
  500: 'Internal',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Timeout',
} as const;

/**
 * Stable codes of a KubeError. `Timeout`: the client's deadline or the server's (504) passed. `ConnectionFailed`: no
 * response. `Malformed`: a response that violates the API. `Unknown`: a status that is not in this list.
 */
export type KubeErrorCode =
  | (typeof CODES_BY_STATUS)[keyof typeof CODES_BY_STATUS]
  | 'AlreadyExists'
  | 'ConnectionFailed'
  | 'Malformed'
  | 'Unknown';

const RETRYABLE: ReadonlySet<KubeErrorCode> = new Set<KubeErrorCode>([
  'Conflict',
  'Throttled',
  'Internal',
  'Unavailable',
  'Timeout',
  'ConnectionFailed',
]);

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** `details` of a metav1.Status. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** The fields of metav1.Status that errors use. */
export interface Status {
  kind?: string;
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

export interface KubeErrorOptions {
  code: KubeErrorCode;
  /** HTTP status; 0 if there was no response. */
  status?: number;
  /** The server's `reason`, such as `NotFound`. */
  reason?: string;
  /** The request, such as `GET /api/v1/pods`. */
  request: string;
  message: string;
  details?: StatusDetails | undefined;
  /** Delay that the server asks for, in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A failed request. Contains neither headers nor the request body. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  readonly status: number;
  readonly reason: string;
  readonly request: string;
  readonly details: StatusDetails | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(options: KubeErrorOptions) {
    super(`${options.request}: ${options.message}`, { cause: options.cause });
    this.code = options.code;
    this.status = options.status ?? 0;
    this.reason = options.reason ?? options.code;
    this.request = options.request;
    this.details = options.details;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same request can succeed later without any change. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/** Whether an error is a KubeError with one of these codes, or with any code if none is given. */
export function isKubeError(error: unknown, ...codes: KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/**
 * Whether the request failed because the namespace is being deleted or is already deleted. The admission plugin
 * NamespaceLifecycle answers Forbidden with a cause in the first case, and NotFound of the namespace in the second.
 */
export function isNamespaceGone(error: unknown): boolean {
  if (isKubeError(error, 'NotFound')) return error.details?.kind === 'namespaces';
  return (
    isKubeError(error, 'Forbidden') &&
    (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}

/**
 * Prefix of the API server's error for an apply with unknown fields or duplicate list keys. The status is 500, although the
 * request is at fault (apimachinery, structuredmerge.go).
 */
const NOT_APPLICABLE = 'failed to create typed patch object';

function codeOf(httpStatus: number, { reason, message }: Status): KubeErrorCode {
  if (httpStatus === 409 && reason === 'AlreadyExists') {
    return 'AlreadyExists';
  }
  if (httpStatus === 500 && message?.startsWith(NOT_APPLICABLE)) {
    return 'BadRequest';
  }
  const codes: Record<number, KubeErrorCode> = CODES_BY_STATUS;
  return codes[httpStatus] ?? 'Unknown';
}

/** Converts a metav1.Status from a response body or an ERROR event to an error. */
export function errorFromStatus(
  status: Status,
  {
    request,
    httpStatus,
    retryAfterMs,
  }: { request: string; httpStatus?: number; retryAfterMs?: number | undefined },
): KubeError {
  const code = httpStatus ?? status.code ?? 500;
  const seconds = status.details?.retryAfterSeconds;
  return new KubeError({
    code: codeOf(code, status),
    status: code,
    ...(status.reason ? { reason: status.reason } : {}),
    request,
    message: status.message ?? `HTTP ${code}`,
    details: status.details,
    retryAfterMs: retryAfterMs ?? (seconds ? seconds * 1000 : undefined),
  });
}

/** Converts an HTTP response to an error. `body` may be a metav1.Status or text from a proxy. */
export function errorFromResponse(
  httpStatus: number,
  body: string,
  options: { request: string; retryAfterMs?: number | undefined },
): KubeError {
  return errorFromStatus(parseStatus(body) ?? { message: plain(httpStatus, body) }, {
    ...options,
    httpStatus,
  });
}

function parseStatus(body: string): Status | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    return isStatus(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a value is a metav1.Status. */
export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}

function plain(httpStatus: number, body: string): string {
  const text = body.trim().slice(0, 200);
  return text ? `HTTP ${httpStatus}: ${text}` : `HTTP ${httpStatus}`;
}

/** What the API server, or the way to it, can answer instead of an object. */

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
 * Stable codes of a KubeError. `Timeout`: our deadline or the server's (504) passed. `ConnectionFailed`: no answer.
 * `Malformed`: an answer that is not what the API promises. `Unknown`: a status that this list does not have.
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

/** The part of metav1.Status that errors are made of. */
export interface Status {
  kind?: string;
  code?: number;
  reason?: string;
  message?: string;
  details?: StatusDetails;
}

export interface KubeErrorOptions {
  code: KubeErrorCode;
  /** HTTP status; 0 when there was no answer. */
  status?: number;
  /** The server's `reason`, such as `NotFound`. */
  reason?: string;
  /** What was asked, such as `GET /api/v1/pods`. */
  request: string;
  message: string;
  details?: StatusDetails | undefined;
  /** How long the server wants us to wait, in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A request that failed. Never carries headers or the request's body. */
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

  /** Whether the same request can succeed later without anybody changing it. */
  get retryable(): boolean {
    return RETRYABLE.has(this.code);
  }
}

/** Whether an error is a KubeError, and one of these codes if any are given. */
export function isKubeError(error: unknown, ...codes: KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether nothing can be made in a namespace because it is being deleted: the cause that NamespaceLifecycle gives. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isKubeError(error, 'Forbidden') &&
    (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating')
  );
}

/**
 * How an API server begins its answer to an apply of fields that a type does not have, or of list items with the same
 * key. It is a 500, and yet the fault of what was sent (apimachinery, structuredmerge.go).
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

/** The error of a metav1.Status, from a response's body or a watch's ERROR event. */
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

/** The error of an HTTP response. `body` may be a metav1.Status or anything a proxy in between wrote. */
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

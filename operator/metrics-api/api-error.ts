/** Error responses in the form and wording of API servers. */
import type { StatusDetails } from '../kube/errors.ts';

const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type ApiErrorReason = keyof typeof CODES;

/** Ends a request with a metav1.Status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorReason;
  readonly status: number;
  readonly details: StatusDetails | undefined;

  constructor(
    code: ApiErrorReason,
    message: string,
    options: ErrorOptions & { details?: StatusDetails } = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = CODES[code];
    this.details = options.details;
  }

  /** The metav1.Status of the response. */
  toStatus(): object {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.code,
      ...(this.details && { details: this.details }),
      code: this.status,
    };
  }
}

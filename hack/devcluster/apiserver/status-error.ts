import type { JsonObject } from './json.ts';

/** One entry of details.causes, as `field.Error` of apimachinery turns into. */
export interface Cause {
  reason: string;
  field: string;
  message: string;
}

/** The resource that an error is about. */
export interface ErrorSubject {
  group: string;
  plural: string;
  kind: string;
}

/** An API error: answers the request with a Status object. `code` is its reason. */
export class StatusError extends Error {
  readonly code: string;
  readonly status: number;
  readonly body: JsonObject;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    reason: string,
    message: string,
    details?: JsonObject,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = 'StatusError';
    this.code = reason;
    this.status = status;
    this.headers = headers;
    this.body = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason === '' ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code: status,
    };
  }
}

function about(subject: ErrorSubject, name: string): JsonObject {
  return {
    ...(name === '' ? {} : { name }),
    ...(subject.group === '' ? {} : { group: subject.group }),
    kind: subject.plural,
  };
}

function qualified(subject: ErrorSubject): string {
  return subject.group === '' ? subject.plural : `${subject.plural}.${subject.group}`;
}

/** 404 for an object. */
export function notFound(subject: ErrorSubject, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualified(subject)} "${name}" not found`, about(subject, name));
}

/** 404 for a path that no resource serves. */
export function noSuchResource(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

/** 409 for creating an object that exists. */
export function alreadyExists(subject: ErrorSubject, name: string): StatusError {
  return new StatusError(
    409,
    'AlreadyExists',
    `${qualified(subject)} "${name}" already exists`,
    about(subject, name),
  );
}

/** 409 for a write based on an outdated resourceVersion, or on other outdated preconditions. */
export function conflict(subject: ErrorSubject, name: string, why?: string): StatusError {
  const reason =
    why ?? 'the object has been modified; please apply your changes to the latest version and try again';
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(subject)} "${name}": ${reason}`,
    about(subject, name),
  );
}

/** 422 with the fields that are wrong. */
export function invalid(subject: ErrorSubject, name: string, causes: Cause[]): StatusError {
  const kind = subject.group === '' ? subject.kind : `${subject.kind}.${subject.group}`;
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const text = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${text}`, {
    ...(name === '' ? {} : { name }),
    ...(subject.group === '' ? {} : { group: subject.group }),
    ...(subject.kind === '' ? {} : { kind: subject.kind }),
    causes: causes.map((cause) => ({ reason: cause.reason, message: cause.message, field: cause.field })),
  });
}

/** 400. */
export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** 403. */
export function forbidden(
  subject: Pick<ErrorSubject, 'group' | 'plural'>,
  name: string,
  why: string,
  causes?: Cause[],
): StatusError {
  const full = about({ ...subject, kind: '' }, name);
  if (causes) full.causes = causes.map((cause) => ({ ...cause }));
  const what = subject.plural === '' ? '' : qualified({ ...subject, kind: '' });
  const named = name === '' ? what : `${what} "${name}"`;
  return new StatusError(403, 'Forbidden', `${named} is forbidden: ${why}`, full);
}

/** 405. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
}

/** 405 for a verb that a custom resource does not take. */
export function methodNotSupported(subject: ErrorSubject, verb: string): StatusError {
  const why = `${verb} is not supported on resources of kind "${qualified(subject)}"`;
  return new StatusError(405, 'MethodNotAllowed', why, about(subject, ''));
}

/** 415 with what would be accepted. */
export function unsupportedMediaType(accepted: string[]): StatusError {
  return new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );
}

/** 410: the requested resourceVersion or continue token is no longer available. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

/** 501 for what a real server does and this one does not implement. */
export function notImplemented(message: string): StatusError {
  return new StatusError(501, 'NotImplemented', message);
}

/** 401. */
export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

/** Errors in the shapes that vLLM answers with (vllm/entrypoints/serve/exception_handling). */

export class ApiError extends Error {
  readonly code = 'Api';
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.param = param;
  }

  /** The nested error body. */
  body(): { error: { message: string; type: string; param: string | null; code: number } } {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.status } };
  }
}

/** A value that the engine refuses (VLLMValidationError). */
export function badValue(message: string, param: string | null, value?: unknown): ApiError {
  const parts = [
    param === null ? '' : `parameter=${param}`,
    value === undefined ? '' : `value=${String(value)}`,
  ];
  const detail = parts.filter(Boolean).join(', ');
  return new ApiError(400, 'BadRequestError', detail === '' ? message : `${message} (${detail})`, param);
}

/** A body that does not fit the schema (pydantic's RequestValidationError). */
export function badSchema(
  kind: string,
  location: readonly (string | number)[],
  message: string,
  input: unknown,
): ApiError {
  const loc = ['body', ...location];
  const python = pythonOf(input).slice(0, 200);
  const text = `{'type': '${kind}', 'loc': (${loc.map((part) => (typeof part === 'number' ? part : `'${part}'`)).join(', ')}), 'msg': '${message}', 'input': ${python}}`;
  return new ApiError(400, 'Bad Request', `1 validation error:\n  ${text}`, loc.join('.'));
}

/** A rule over several fields, checked while the body is read. */
export function badFields(message: string, param: string): ApiError {
  return badValue(message, param);
}

/** @param aliases names that would be served, where the version lists them */
export function modelNotFound(model: string, aliases: readonly string[]): ApiError {
  const valid = aliases.length > 0 ? ` Valid aliases: ${aliases.join(', ')}.` : '';
  return new ApiError(404, 'NotFoundError', `The model \`${model}\` does not exist.${valid}`, 'model');
}

/** The engine's answer once its core has died. */
export function engineDead(): ApiError {
  return new ApiError(
    500,
    'InternalServerError',
    'EngineCore encountered an issue. See stack trace (above) for the root cause.',
  );
}

/** A generation that ended with finish_reason `error`. */
export function generationFailed(): ApiError {
  return new ApiError(500, 'InternalServerError', 'Internal server error');
}

/** What the renderer answers while the server drains: its thread pool is gone. */
export function shuttingDown(): ApiError {
  return new ApiError(500, 'InternalServerError', 'cannot schedule new futures after shutdown');
}

/** A value as Python writes it. */
function pythonOf(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return `'${value}'`;
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(', ')}]`;
  if (typeof value !== 'object') return String(value);
  return `{${Object.entries(value)
    .map(([name, field]) => `'${name}': ${pythonOf(field)}`)
    .join(', ')}}`;
}

/** A floating-point number as Python writes it. */
export function floatText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

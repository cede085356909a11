/** Small helpers over fetch for the simulator's tests. */

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: number };
}

export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** The data of a stream's events, `[DONE]` included. */
export async function events(response: Response): Promise<string[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.slice(event.indexOf('data: ') + 'data: '.length));
}

/** Reads a stream until its first event arrived. */
export async function firstEvent(response: Response): Promise<() => Promise<string>> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const more = async (): Promise<boolean> => {
    const part = await reader?.read();
    text += part?.value ?? '';
    return part?.done !== false;
  };
  while (!text.includes('\n\n')) {
    if (await more()) {
      break;
    }
  }
  return async () => {
    while (!(await more())) {
      // Reading on until the end.
    }
    return text;
  };
}

/** POST /v1/audio/transcriptions and translations: accepts the form and answers with words. */
import { TextWriter } from '../engine/text-writer.ts';
import { tokenize } from '../engine/tokenizer.ts';
import { ApiError, badSchema, modelNotFound } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { prefill } from './generation.ts';

/** Bytes of 16 kHz, 16 bit sound per second. */
const BYTES_PER_SECOND = 32_000;

export async function transcribe(exchange: Exchange): Promise<void> {
  const { sim } = exchange;
  const type = exchange.request.headers['content-type'] ?? '';
  const boundary = /^multipart\/form-data.*boundary="?([^";]+)"?/i.exec(type)?.[1];
  if (boundary === undefined) {
    throw new ApiError(
      400,
      'Bad Request',
      "1 validation error:\n  {'type': 'missing', 'loc': ('body', 'file'), 'msg': 'Field required', 'input': None}",
      'body.file',
    );
  }
  const form = readForm(await exchange.readBytes(), boundary);
  const file = form.get('file');
  if (file === undefined) {
    throw badSchema('missing', ['file'], 'Field required', null);
  }
  const model = form.get('model')?.toString() ?? '';
  if (model !== '' && !sim.settings.servedNames.includes(model)) {
    throw modelNotFound(model, sim.settings.recent ? sim.settings.servedNames : []);
  }
  await prefill(sim, tokenize('<audio>'));
  const writer = new TextWriter(file.length + 1);
  const text = Array.from({ length: 8 }, () => writer.word()).join('');
  const seconds = Math.ceil(file.length / BYTES_PER_SECOND);
  if (form.get('stream')?.toString() === 'true') {
    const stream = exchange.stream();
    for (const [index, word] of text.split(/(?= )/).entries()) {
      stream.send(
        JSON.stringify({
          id: `trsc-${exchange.id}`,
          object: 'transcription.chunk',
          created: sim.startedAt,
          model,
          choices: [{ index: 0, delta: { content: word }, finish_reason: index === 7 ? 'stop' : null }],
        }),
      );
    }
    stream.end('[DONE]');
    return;
  }
  if (form.get('response_format')?.toString() === 'text') {
    exchange.send(200, 'application/json', text);
    return;
  }
  exchange.json(200, { text, usage: { type: 'duration', seconds } });
}

/** Fields of a multipart body by name; a file's value is its bytes. */
function readForm(body: Buffer, boundary: string): Map<string, Buffer> {
  const form = new Map<string, Buffer>();
  const mark = Buffer.from(`--${boundary}`);
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length);
    const head = body.indexOf('\r\n\r\n', at);
    if (next < 0 || head < 0 || head > next) {
      break;
    }
    const name = /[;\s]name=(?:"([^"]*)"|([^\s;"]+))/i
      .exec(body.toString('latin1', at, head))
      ?.slice(1)
      .find((value) => value !== undefined);
    if (name !== undefined) {
      form.set(name, body.subarray(head + 4, next - 2));
    }
    at = next;
  }
  return form;
}

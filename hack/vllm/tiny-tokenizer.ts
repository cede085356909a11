import { type BytePairs, isPlain } from './byte-pairs.ts';

/** Special tokens behind the byte pairs, in the order of their ids. */
const SPECIAL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<s>', '</s>', '<pad>'] as const;
type Special = (typeof SPECIAL)[number];

/** Rows of the embedding: a multiple of 64, as real models have. */
export function vocabularySize(pairs: BytePairs): number {
  return Math.ceil((pairs.tokens.length + SPECIAL.length) / 64) * 64;
}

export function specialId(pairs: BytePairs, token: Special): number {
  return pairs.tokens.length + SPECIAL.indexOf(token);
}

/** Ids whose text is printable ASCII. */
export function plainIds(pairs: BytePairs): number[] {
  return pairs.tokens.flatMap((token, id) => (isPlain(token) ? [id] : []));
}

/** ChatML, with tools as Qwen's and Hermes' templates list them. */
const CHAT_TEMPLATE = `{%- if tools %}<|im_start|>system
# Tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content or [] %}{{ part.text }}{% endfor %}{% endif %}
{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

/** The tokenizer's files for a model that chats. Ends a turn with `<|im_end|>`. */
export function chatTokenizer(pairs: BytePairs): Record<string, unknown> {
  return {
    'tokenizer.json': tokenizerJson(pairs, null),
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: '<|endoftext|>',
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      clean_up_tokenization_spaces: false,
      model_max_length: 2048,
      chat_template: CHAT_TEMPLATE,
    },
  };
}

/** The tokenizer's files for an encoder: `<s> text </s>`, or `<s> a </s> b </s>` for a pair. */
export function encoderTokenizer(pairs: BytePairs): Record<string, unknown> {
  const token = (id: Special, type: number) => ({ SpecialToken: { id, type_id: type } });
  const text = (id: 'A' | 'B', type: number) => ({ Sequence: { id, type_id: type } });
  const single = [token('<s>', 0), text('A', 0), token('</s>', 0)];
  const ids = Object.fromEntries(
    (['<s>', '</s>'] as const).map((id) => [id, { id, ids: [specialId(pairs, id)], tokens: [id] }]),
  );
  return {
    'tokenizer.json': tokenizerJson(pairs, {
      type: 'TemplateProcessing',
      single,
      pair: [...single, text('B', 1), token('</s>', 1)],
      special_tokens: ids,
    }),
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: '<s>',
      eos_token: '</s>',
      cls_token: '<s>',
      sep_token: '</s>',
      pad_token: '<pad>',
      clean_up_tokenization_spaces: false,
      model_max_length: 512,
    },
  };
}

function tokenizerJson({ tokens, merges }: BytePairs, postProcessor: object | null): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: SPECIAL.map((content, i) => ({
      id: tokens.length + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: postProcessor,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

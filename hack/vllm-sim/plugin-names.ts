/** Names that vLLM checks after parsing, because plugins may add to them. */
import type { ServeArguments } from './cli/arguments.ts';
import { StartError } from './cli/start-error.ts';

const QUANTIZATIONS = `awq auto_awq awq_marlin gptq gptq_marlin auto_gptq fp8 fbgemm_fp8 fp_quant modelopt
  modelopt_fp4 modelopt_mxfp8 modelopt_mixed compressed-tensors experts_int8 quark moe_wna16 torchao inc mxfp4
  gpt_oss_mxfp4 deepseek_v4_fp8 humming online fp8_per_tensor fp8_per_block fp8_per_channel
  int8_per_channel_weight_only nvfp4_per_token mxfp8`.split(/\s+/);

const DEPRECATED_QUANTIZATIONS = ['fbgemm_fp8', 'fp_quant'];

const TOOL_PARSERS =
  `deepseek_v3 deepseek_v31 deepseek_v32 deepseek_v4 ernie45 functiongemma gemma4 gigachat3 glm45
  glm47 granite granite-20b-fc granite4 hermes hunyuan_a13b internlm jamba kimi_k2 lfm2 llama3_json llama4_json
  llama4_pythonic longcat minimax minimax_m2 mistral olmo3 openai phi4_mini_json pythonic qwen3_coder qwen3_xml
  seed_oss step3 step3p5 xlam`.split(/\s+/);

/** Throws StartError for a quantization that v0.28.0 lacks, such as gguf and bitsandbytes, which moved to plugins. */
export function checkQuantization(args: ServeArguments): void {
  const name = args.text('quantization');
  if (name === undefined) {
    return;
  }
  if (!QUANTIZATIONS.includes(name)) {
    throw new StartError(
      'ValueError',
      `Unknown quantization method: ${name}. Must be one of [${QUANTIZATIONS.join(', ')}].`,
    );
  }
  if (DEPRECATED_QUANTIZATIONS.includes(name) && args.flag('allow-deprecated-quantization') !== true) {
    throw new StartError(
      'ValueError',
      `The quantization method ${name} is deprecated. Set --allow-deprecated-quantization to use it.`,
    );
  }
}

/** Throws StartError for flags that need another one (validate_parsed_serve_args). */
export function checkPairs(args: ServeArguments): void {
  if (args.flag('enable-auto-tool-choice') === true && !args.has('tool-call-parser')) {
    throw new StartError('TypeError', 'Error: --enable-auto-tool-choice requires --tool-call-parser');
  }
  if (args.flag('enable-log-outputs') === true && args.flag('enable-log-requests') !== true) {
    throw new StartError('TypeError', 'Error: --enable-log-outputs requires --enable-log-requests');
  }
  if (args.flag('enable-per-request-metrics') === true && args.flag('disable-log-stats') === true) {
    throw new StartError(
      'ValueError',
      'Error: --enable-per-request-metrics requires engine statistics logging; remove --disable-log-stats to enable ' +
        'per-request metrics.',
    );
  }
}

/** Throws StartError for an unknown tool call parser without a plugin. */
export function checkToolParser(args: ServeArguments): void {
  const name = args.text('tool-call-parser');
  if (name !== undefined && !TOOL_PARSERS.includes(name) && !args.has('tool-parser-plugin')) {
    throw new StartError(
      'KeyError',
      `'invalid tool call parser: ${name} (chose from { ${TOOL_PARSERS.join(',')} })'`,
    );
  }
}

/** Names that vLLM checks after parsing, because plugins may add to them. */
import type { ServeArguments } from './cli/arguments.ts';
import { DEPRECATED_QUANTIZATIONS, namesOf } from './cli/flags.ts';
import { StartError } from './cli/start-error.ts';

const QUANTIZATIONS = namesOf('quantization');
const TOOL_PARSERS = namesOf('tool-call-parser');

/** Throws StartError for a quantization that the version lacks, such as gguf and bitsandbytes, which moved to plugins. */
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

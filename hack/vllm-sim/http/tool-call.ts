/** Which tool a request makes the simulated model call, and with what. */
import { badFields, badSchema, badValue } from './api-error.ts';
import { type Body, isRecord } from './fields.ts';
import { sampleOf } from './sample-value.ts';

export interface ToolCall {
  name: string;
  /** JSON of the arguments. */
  arguments: string;
  /** True for a tool named in `tool_choice`: finish_reason is then `stop`. */
  named: boolean;
  /** True where the model itself decided to call. */
  auto: boolean;
}

/**
 * Decides on a tool call: always for a named or required tool, for `auto` when the last message is not a tool's
 * result. Throws ApiError for what vLLM refuses.
 */
export function planToolCall(
  body: Body,
  messages: readonly Body[],
  autoToolChoice: boolean,
): ToolCall | undefined {
  const tools = readTools(body);
  const choice = body.tool_choice ?? (tools.length > 0 ? 'auto' : 'none');
  if (choice === 'none') {
    return undefined;
  }
  if (tools.length === 0) {
    throw badFields('When using `tool_choice`, `tools` must be set.', 'tool_choice');
  }
  if (isRecord(choice)) {
    const wanted = isRecord(choice.function) ? choice.function.name : undefined;
    const tool = tools.find(({ name }) => name === wanted);
    if (tool === undefined) {
      throw badFields(
        'The tool specified in `tool_choice` does not match any of the specified `tools`',
        'tool_choice',
      );
    }
    return {
      name: tool.name,
      arguments: JSON.stringify(sampleOf(tool.parameters)),
      named: true,
      auto: false,
    };
  }
  if (choice !== 'auto' && choice !== 'required') {
    throw badFields(
      `Invalid value for \`tool_choice\`: ${String(choice)}! Only named tools, "none", "auto" or "required" are supported.`,
      'tool_choice',
    );
  }
  if (choice === 'auto' && !autoToolChoice) {
    throw badValue(
      '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
      null,
    );
  }
  const answered = choice === 'auto' && messages.at(-1)?.role === 'tool';
  const [tool] = tools;
  return answered || tool === undefined
    ? undefined
    : {
        name: tool.name,
        arguments: JSON.stringify(sampleOf(tool.parameters)),
        named: false,
        auto: choice === 'auto',
      };
}

function readTools(body: Body): { name: string; parameters: unknown }[] {
  const tools = body.tools;
  if (tools === undefined || tools === null) {
    return [];
  }
  if (!Array.isArray(tools) || tools.length === 0) {
    throw badFields(
      '`tools` must not be an empty array. Either provide at least one tool or omit the field entirely.',
      'tools',
    );
  }
  return tools.map((tool: unknown, i) => {
    const definition = isRecord(tool) ? tool.function : undefined;
    if (!isRecord(definition) || typeof definition.name !== 'string') {
      throw badSchema('missing', ['tools', i, 'function'], 'Field required', tool);
    }
    return { name: definition.name, parameters: definition.parameters };
  });
}

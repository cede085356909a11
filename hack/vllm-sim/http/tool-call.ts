/** Which tool a request makes the simulated model call, and with what. */
import { Random } from '../engine/random.ts';
import { badFields, badValue } from './api-error.ts';
import { type Body, isRecord } from './fields.ts';

export interface ToolCall {
  name: string;
  /** JSON of the arguments. */
  arguments: string;
  /** True for a tool named in `tool_choice`: finish_reason is then `stop`. */
  named: boolean;
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
    return { name: tool.name, arguments: sampleArguments(tool.parameters), named: true };
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
    : { name: tool.name, arguments: sampleArguments(tool.parameters), named: false };
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
  return tools.map((tool: unknown) => {
    const definition = isRecord(tool) ? tool.function : undefined;
    if (!isRecord(definition) || typeof definition.name !== 'string') {
      throw badFields('tools must be functions with a name', 'tools');
    }
    return { name: definition.name, parameters: definition.parameters };
  });
}

/** A value that fits a JSON schema, plain and repeatable. */
function sampleArguments(schema: unknown): string {
  return JSON.stringify(isRecord(schema) ? sample(schema, new Random(42), 0) : {});
}

function sample(schema: Body, random: Random, depth: number): unknown {
  const options = schema.enum;
  if (Array.isArray(options) && options.length > 0) {
    return options[0];
  }
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object': {
      const properties = isRecord(schema.properties) ? schema.properties : {};
      return Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [
          name,
          isRecord(child) && depth < 8 ? sample(child, random, depth + 1) : null,
        ]),
      );
    }
    case 'array':
      return isRecord(schema.items) && depth < 8 ? [sample(schema.items, random, depth + 1)] : [];
    case 'integer':
    case 'number':
      return random.integer(100);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'value';
  }
}

/** GET /v1/models and run-time adapters. */
import { ApiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { flag, required, text } from './fields.ts';

export function listModels(exchange: Exchange): void {
  const { sim } = exchange;
  const { servedNames, model, maxModelLen } = sim.settings;
  const created = Math.floor(Date.now() / 1000);
  const card = (id: string, root: string, parent: string | null, length: number | null): object => ({
    id,
    object: 'model',
    created,
    owned_by: 'vllm',
    root,
    parent,
    max_model_len: length,
    permission: [
      {
        id: `modelperm-${sim.requestId()}`,
        object: 'model_permission',
        created,
        allow_create_engine: false,
        allow_sampling: true,
        allow_logprobs: true,
        allow_search_indices: false,
        allow_view: true,
        allow_fine_tuning: false,
        organization: '*',
        group: null,
        is_blocking: false,
      },
    ],
  });
  exchange.json(200, {
    object: 'list',
    data: [
      ...servedNames.map((name) => card(name, model, null, maxModelLen)),
      ...[...sim.adapters.values()].map(({ name, path }) => card(name, path, servedNames[0] ?? model, null)),
    ],
  });
}

export async function loadAdapter(exchange: Exchange): Promise<void> {
  const { sim } = exchange;
  const body = await exchange.readJson();
  required(body, 'lora_name');
  required(body, 'lora_path');
  const name = text(body, 'lora_name');
  const path = text(body, 'lora_path');
  if (!name || !path) {
    throw new ApiError(400, 'InvalidUserInput', "Both 'lora_name' and 'lora_path' must be provided.");
  }
  if (sim.settings.recent && sim.settings.servedNames.includes(name)) {
    throw new ApiError(
      400,
      'InvalidUserInput',
      `The lora adapter '${name}' conflicts with a served base model.`,
    );
  }
  const { folder } = sim.settings.lora;
  if (folder !== undefined && !path.startsWith(folder)) {
    throw new ApiError(404, 'NotFoundError', `Loading lora ${name} failed: No adapter found for ${path}`);
  }
  if (sim.adapters.has(name) && flag(body, 'load_inplace') !== true) {
    throw new ApiError(
      400,
      'InvalidUserInput',
      `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set ` +
        "'load_inplace' to True.",
    );
  }
  sim.adapters.set(name, { name, path });
  exchange.send(200, undefined, `Success: LoRA adapter '${name}' added successfully.`);
}

export async function unloadAdapter(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson();
  required(body, 'lora_name');
  const name = text(body, 'lora_name');
  if (!name) {
    throw new ApiError(400, 'InvalidUserInput', "'lora_name' needs to be provided to unload a LoRA adapter.");
  }
  if (!exchange.sim.adapters.delete(name)) {
    throw new ApiError(404, 'NotFoundError', `The lora adapter '${name}' cannot be found.`);
  }
  exchange.send(200, undefined, `Success: LoRA adapter '${name}' removed successfully.`);
}

/** `node hack/vllm-sim/main.ts serve <model> [flags]`: one simulated vLLM engine process. See README.md. */
import { pullConfigFile } from './cli/config-file.ts';
import { checkEnvironment } from './cli/environment.ts';
import { parseArguments } from './cli/parse-arguments.ts';
import { StartError } from './cli/start-error.ts';
import { UsageError } from './cli/usage-error.ts';
import { pause, SYSTEM_CLOCK } from './clock.ts';
import { DEFAULT_VERSION } from './engine-version.ts';
import { readStartFailure } from './failures.ts';
import { createLog } from './log.ts';
import { SimServer } from './sim-server.ts';

/** Python's exit code after an unhandled KeyboardInterrupt. */
const INTERRUPTED = 130;

const log = createLog(process.env.VLLM_LOGGING_LEVEL, (text) => process.stdout.write(text));

/** Ends the process with the engine's standard input, so that no engine outlives the test that started it. */
function followParent(): void {
  if (process.env.VLLM_SIM_EXIT_WITH_STDIN === '1') {
    process.stdin.resume();
    process.stdin.once('end', () => process.exit(1));
    process.stdin.once('error', () => process.exit(1));
  }
}

/** The time a real engine takes to load, with the ways it may fail. */
async function load(server: SimServer): Promise<void> {
  const { settings } = server.sim;
  const { scale, startupSeconds } = settings.timing;
  const failure = readStartFailure(process.env);
  log('INFO', 'gpu_model_runner.py:3', `Starting to load model ${settings.model}...`);
  const limit = settings.engineReadyTimeoutSeconds;
  if (startupSeconds > limit || failure === 'hang') {
    await pause(SYSTEM_CLOCK, limit * 1000 * scale);
    throw new StartError(
      'TimeoutError',
      `Engine core did not become ready within ${limit} s (VLLM_ENGINE_READY_TIMEOUT_S).`,
    );
  }
  await pause(SYSTEM_CLOCK, startupSeconds * 1000 * scale * 0.7);
  if (failure === 'oom') {
    throw new StartError(
      'torch.OutOfMemoryError',
      'CUDA out of memory. Tried to allocate 1.96 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.02 GiB is free.',
    );
  }
  if (failure === 'exit') {
    throw new StartError(
      'RuntimeError',
      'Engine core initialization failed. See root cause above. Failed core proc(s): {}',
    );
  }
  await pause(SYSTEM_CLOCK, startupSeconds * 1000 * scale * 0.3);
  const tokens = settings.numBlocks * settings.blockSize;
  log('INFO', 'kv_cache_utils.py:1', `GPU KV cache size: ${tokens.toLocaleString('en')} tokens`);
  const concurrency = (tokens / settings.maxModelLen).toFixed(2);
  log(
    'INFO',
    'kv_cache_utils.py:2',
    `Maximum concurrency for ${settings.maxModelLen.toLocaleString('en')} tokens per request: ${concurrency}x`,
  );
}

async function serve(argv: readonly string[]): Promise<void> {
  let ready = false;
  let stopping = false;
  let server: SimServer | undefined;
  const stop = (): void => {
    if (!ready || stopping) {
      process.stderr.write(ready ? '' : 'KeyboardInterrupt: terminated\n');
      process.exit(ready ? 0 : INTERRUPTED);
    }
    stopping = true;
    log('INFO', 'launcher.py:1', 'Shutting down FastAPI HTTP server.');
    void server?.shutdown().then(() => {
      process.stderr.write('INFO:     Application shutdown complete.\n');
      process.exit(0);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const args = await pullConfigFile(argv);
  const parsed = parseArguments(args);
  log(
    'INFO',
    'api_server.py:1',
    `vLLM API server version ${process.env.VLLM_SIM_VERSION ?? DEFAULT_VERSION}`,
  );
  const shown = parsed
    .entries()
    .map(([name, value]) => [name.replaceAll('-', '_'), name === 'api-key' ? ['***'] : value]);
  log('INFO', 'utils.py:1', `non-default args: ${JSON.stringify(Object.fromEntries(shown))}`);
  for (const warning of checkEnvironment(process.env, parsed.flag('fail-on-environ-validation') ?? false)) {
    log('WARNING', 'envs.py:1', warning);
  }
  server = new SimServer({
    args,
    env: process.env,
    log: (line) => process.stdout.write(`${line}\n`),
    exit: (code, crash) => (crash === 'kill' ? process.kill(process.pid, 'SIGKILL') : process.exit(code)),
  });
  await load(server);
  if (parsed.flag('headless') === true) {
    log('INFO', 'serve.py:1', 'Running in headless mode, no API server on this node.');
    setInterval(() => {}, 2 ** 30);
    return;
  }
  await server.listen();
  ready = true;
  log('INFO', 'api_server.py:2', `Starting vLLM server on ${server.url}`);
  process.stderr.write('INFO:     Application startup complete.\n');
}

function fail(cause: unknown): never {
  if (cause instanceof UsageError) {
    process.stderr.write(`${cause.usage}\n${cause.message}\n`);
    process.exit(cause.exitCode);
  }
  const text =
    cause instanceof StartError
      ? cause.message
      : cause instanceof Error
        ? (cause.stack ?? cause.message)
        : String(cause);
  log('ERROR', 'core.py:1', 'EngineCore failed to start.');
  process.stderr.write(`Traceback (most recent call last):\n${text}\n`);
  process.exit(1);
}

followParent();
const [command, ...argv] = process.argv.slice(2);
if (command === 'serve') {
  serve(argv).catch(fail);
} else if (command === '--version' || command === '-v') {
  process.stdout.write(`${process.env.VLLM_SIM_VERSION ?? DEFAULT_VERSION}\n`);
} else {
  fail(
    new UsageError(
      'vllm',
      `argument subparser: invalid choice: '${command ?? ''}' (choose from chat, complete, serve, launch, bench, collect-env, run-batch)`,
    ),
  );
}

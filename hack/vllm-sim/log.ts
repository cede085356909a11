/** Log lines as vLLM writes them: `(APIServer pid=7) INFO 11-21 10:00:00 [api_server.py:1] text`. */

type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

const RANK: Readonly<Record<LogLevel, number>> = { DEBUG: 0, INFO: 1, WARNING: 2, ERROR: 3 };

/** A function that writes lines of at least `VLLM_LOGGING_LEVEL`. */
export function createLog(
  minimum: string | undefined,
  write: (text: string) => void,
): (level: LogLevel, source: string, text: string) => void {
  const least = RANK[(minimum?.toUpperCase() ?? 'INFO') as LogLevel] ?? RANK.INFO;
  return (level, source, text) => {
    if (RANK[level] < least) {
      return;
    }
    const time = new Date().toISOString();
    const stamp = `${time.slice(5, 10)} ${time.slice(11, 19)}`;
    for (const line of text.split('\n')) {
      write(`(APIServer pid=${process.pid}) ${level} ${stamp} [${source}] ${line}\n`);
    }
  };
}

/** The HTTP and process metrics beside the engine's, as prometheus-fastapi-instrumentator and prometheus_client give them. */
import { type Histogram, HistogramFamily, Scalar } from './registry.ts';

const SKIPPED = new Set(['/metrics', '/health', '/load', '/ping', '/version']);

export class HttpMetrics {
  readonly #requests = new Scalar(
    'http_requests_total',
    'counter',
    'Total number of requests by method, status and handler.',
  );
  readonly #durations = new HistogramFamily('http_request_duration_seconds', 'Latency by handler.');
  readonly #series = new Map<string, Histogram>();
  readonly #resident = new Scalar('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.');
  readonly #cpu = new Scalar(
    'process_cpu_seconds_total',
    'counter',
    'Total user and system CPU time spent in seconds.',
  );

  observe(handler: string, method: string, status: number, seconds: number): void {
    if (SKIPPED.has(handler)) {
      return;
    }
    this.#requests.cell({ handler, method, status: `${Math.floor(status / 100)}xx` }).value += 1;
    const key = `${handler} ${method}`;
    const series = this.#series.get(key) ?? this.#durations.series({ handler, method }, [0.1, 0.5, 1]);
    this.#series.set(key, series);
    series.observe(seconds);
  }

  render(): string {
    this.#resident.cell({}).value = process.memoryUsage.rss();
    const { user, system } = process.cpuUsage();
    this.#cpu.cell({}).value = (user + system) / 1e6;
    return [this.#requests, this.#durations, this.#resident, this.#cpu]
      .map((metric) => metric.render())
      .join('');
  }
}

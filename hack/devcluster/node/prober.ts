import type { Probe } from '../kinds.ts';
import { type HandlerTarget, runHandler } from './lifecycle-handler.ts';
import type { Timing } from './timing.ts';

export interface ProberOptions {
  kind: 'Startup' | 'Readiness' | 'Liveness';
  probe: Probe;
  target: HandlerTarget;
  timing: Timing;
  /** Called for each single failure. */
  onFailure: (message: string) => void;
  /** Called when a threshold is reached and the result differs from the last one, and for the first result. */
  onResult: (healthy: boolean) => void;
}

/** Probes a running container, with kubelet's thresholds, until the signal is aborted. Never rejects. */
export async function runProber(options: ProberOptions, signal: AbortSignal): Promise<void> {
  const { probe, target } = options;
  const { period, failures } = limits(options);
  const { timing } = options;
  let outcome: boolean | undefined;
  let last: boolean | undefined;
  let run = 0;
  try {
    await timing.sleep(probe.initialDelaySeconds ?? 0, signal);
    while (!signal.aborted) {
      const timeout = AbortSignal.timeout((probe.timeoutSeconds ?? 1) * 1000);
      const result = await runHandler(probe, target, AbortSignal.any([signal, timeout]));
      if (signal.aborted) return;
      if (!result.ok) options.onFailure(`${options.kind} probe failed: ${result.message}`);
      run = result.ok === last ? run + 1 : 1;
      last = result.ok;
      const threshold = result.ok ? (probe.successThreshold ?? 1) : failures;
      if (run >= threshold && outcome !== result.ok) {
        outcome = result.ok;
        options.onResult(result.ok);
        if (signal.aborted) return;
      }
      await period(signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/**
 * How the time scale applies to a probe. A startup probe runs more often, but allows the same total time. A liveness probe
 * is not scaled, because it is a limit.
 */
function limits({ kind, probe, timing }: ProberOptions): {
  period: (signal: AbortSignal) => Promise<void>;
  failures: number;
} {
  const { periodSeconds = 10, failureThreshold = 3 } = probe;
  const seconds = kind === 'Liveness' ? periodSeconds / timing.scale : periodSeconds;
  return {
    period: (signal) => timing.sleep(seconds, signal),
    failures: kind === 'Startup' ? Math.ceil(failureThreshold / timing.scale) : failureThreshold,
  };
}

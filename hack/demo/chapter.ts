/** What every chapter of the demo has at hand. */
import type { Narrator } from './narrator.ts';
import type { Shell } from './shell.ts';

export interface Chapter {
  demo: Narrator;
  shell: Shell;
  signal: AbortSignal;
}

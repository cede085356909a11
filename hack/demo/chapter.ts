/** The parameters of every chapter of the demo. */
import type { Narrator } from './narrator.ts';
import type { Shell } from './shell.ts';

export interface Chapter {
  demo: Narrator;
  shell: Shell;
  signal: AbortSignal;
}

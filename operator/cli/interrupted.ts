/** Exit code of a command that a signal has ended: 128 + SIGINT, as shells have it. */
export const INTERRUPTED = 130;

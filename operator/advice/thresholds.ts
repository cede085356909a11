/** How much evidence advice needs, and what its thresholds are. */

/** Days that advice looks back at most: four of each weekday. */
export const WINDOW_DAYS = 28;

/** Days of record that any advice needs: one of each weekday. Azure Advisor looks back 7 days, the VPA of Kubernetes 8. */
export const MIN_DAYS = 7;

/** Days that a schedule needs: two of each weekday. AWS Compute Optimizer looks back 14 days. */
export const MIN_SCHEDULE_DAYS = 14;

/** Share of the time in which the demand has to be known: one restart of the operator must not hide a peak. */
export const MIN_WATCHED = 0.9;

/** If none of n requests was longer, less than 3/n are, with 95 % confidence ("rule of three"): here 0.3 %. */
export const MIN_REQUESTS = 1_000;

/** Starts of a model from which a mean is taken. */
export const MIN_WAKES = 20;

/** Replicas beyond those that the highest demand needed. They serve while another one is replaced. */
export const SPARE_REPLICAS = 1;

/** Hours that a quiet time of a day has to have. A shorter one saves little and wakes people at its edges. */
export const MIN_QUIET_HOURS = 4;

/** Hours before the first use of a day in which the replicas start again. */
export const EARLIER_HOURS = 1;

/** The context and the KV cache count as larger than needed if no more than this share was ever used. */
export const MAX_USED = 0.5;

/** What is kept beyond the most that was used, as a factor. */
export const MARGIN = 1.25;

/** How much longer a token may take on other accelerators: with half as many, about twice as long. */
export const MAX_SLOWDOWN = 2;

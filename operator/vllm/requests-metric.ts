/** The External metric that moves replicas between 1 and N: named where it is served, and where an HPA asks for it. */

/** Requests in flight, queued or held for a model, over all routers of its pool. */
export const REQUESTS_METRIC = 'vllm-operator-requests';

/** Label of a value: the name of the InferenceModel, cut as label values are. */
export const MODEL_METRIC_LABEL = 'model';

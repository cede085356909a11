/** A devcluster in a process of its own, so that nothing it does is in the way of what is measured; ends with its parent. */
import { once } from 'node:events';
import { type ClusterOptions, startCluster } from '../../../hack/devcluster/cluster.ts';

const [options] = (await once(process, 'message')) as [ClusterOptions];
const { close, ...cluster } = await startCluster(options);
process.send?.(cluster);
await once(process, 'disconnect');
await close();

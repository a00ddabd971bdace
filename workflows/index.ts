/** The entry of the workflow bundle: every workflow by the name that clients and schedules start it with. */
export { loadReference } from './loadReference.ts';
export { mergeMart } from './mergeMart.ts';
export { mergePartition } from './mergePartition.ts';
export { relayOutbox } from './relayOutbox.ts';
export { resyncTable } from './resyncTable.ts';
export { snapshotTables } from './snapshotTables.ts';
export { startScheduled } from './startScheduled.ts';
export { superviseStream } from './superviseStream.ts';
export { verifyPipeline } from './verifyPipeline.ts';

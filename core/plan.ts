/** What `plan` shows and `apply` does, one item an object, in the order in which they are created. */

/**
 * create, change: apply will do it. drop: left over; only apply --prune drops it. none: as it should be. later: made by a workflow, not by apply.
 * warn: apply goes on; `detail` says what will not reach the target as it is. blocked: apply refuses until a person has
 * done what `detail` says.
 */
export type PlanAction = 'create' | 'change' | 'drop' | 'none' | 'later' | 'warn' | 'blocked';

export type PlanSystem = 'postgres' | 'kafka' | 'clickhouse' | 'connect' | 'temporal';

export interface PlanItem {
  system: PlanSystem;
  /** Kind and name, such as `publication tidegate_wms` or `table wms.products`. */
  object: string;
  action: PlanAction;
  /** Why, or what a person has to do, in one line; SQL where that mends it. */
  detail: string;
}

/** An item with the step that carries it out. Only `create`, `change` and `drop` have one. */
export interface PlannedStep extends PlanItem {
  apply?: () => Promise<void>;
}

/** Items that hold `apply` up. */
export function blockedItems(items: readonly PlanItem[]): PlanItem[] {
  return items.filter((item) => item.action === 'blocked');
}

/** `3 to create, 1 to change, 12 as they should be`, leaving out what is nil. */
export function summarizePlan(items: readonly PlanItem[]): string {
  const words: Record<PlanAction, string> = {
    create: 'to create',
    change: 'to change',
    drop: 'left over',
    blocked: 'blocked',
    warn: 'to be warned of',
    none: 'as they should be',
    later: 'made by the workflows',
  };
  const counted = (Object.keys(words) as PlanAction[]).map((action) => ({
    action,
    count: items.filter((item) => item.action === action).length,
  }));
  return counted
    .filter(({ count }) => count > 0)
    .map(({ action, count }) => `${count} ${words[action]}`)
    .join(', ');
}

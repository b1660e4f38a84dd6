import { type Fiber, FiberRef, Scheduler } from "effect"

/** Runs fibers in an order that depends on their own actions alone: one queue for all fibers, emptied in microtasks. */
export class VirtualScheduler implements Scheduler.Scheduler {
  private tasks = new Scheduler.PriorityBuckets()
  private scheduled = false
  private count = 0

  /** Tasks so far: where the number is the same twice, no fiber ran in between. */
  get activity(): number {
    return this.count
  }
  shouldYield(fiber: Fiber.RuntimeFiber<unknown, unknown>): number | false {
    return fiber.currentOpCount > fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) ? fiber.getFiberRef(FiberRef.currentSchedulingPriority) : false
  }
  scheduleTask(task: Scheduler.Task, priority: number): void {
    this.count++
    this.tasks.scheduleTask(task, priority)
    if (this.scheduled) return
    this.scheduled = true
    queueMicrotask(this.drain)
  }
  private readonly drain = (): void => {
    this.scheduled = false
    const { buckets } = this.tasks
    this.tasks.buckets = []
    for (const [, tasks] of buckets) for (const task of tasks) task()
  }
}

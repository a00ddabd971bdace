/**
 * Lets callers that ask the same at the same time share one answer. A caller joins only a run that begins after its call, so
 * an answer is never older than its question; of each key one run is under way and at most one waits.
 */
export function freshly<T>(run: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const runs = new Map<string, { current: Promise<unknown>; next: Promise<T> | undefined }>();
  const begin = (key: string): Promise<T> => {
    const answer = run(key);
    const entry = { current: answer, next: undefined };
    runs.set(key, entry);
    const done = () => {
      if (runs.get(key) === entry && entry.next === undefined) runs.delete(key);
    };
    answer.then(done, done);
    return answer;
  };
  return (key) => {
    const entry = runs.get(key);
    if (!entry) return begin(key);
    entry.next ??= entry.current.then(
      () => begin(key),
      () => begin(key),
    );
    return entry.next;
  };
}

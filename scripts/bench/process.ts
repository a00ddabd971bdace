import { readFileSync, writeFileSync } from 'node:fs';

/** Processor time and memory of one process, as Linux counts them. */
export class ProcessMeter {
  readonly #pid: number;
  #cpuAtStart = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.reset();
  }

  /** Forgets the peak and the time until now. */
  reset(): void {
    writeFileSync(`/proc/${this.#pid}/clear_refs`, '5');
    this.#cpuAtStart = this.#cpu();
  }

  /** The most memory held since the last reset, in MB (10^6 bytes). */
  peakMb(): number {
    const kb = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))?.[1];
    return (Number(kb) * 1024) / 1e6;
  }

  /** Seconds of processor time since the last reset. */
  cpuSeconds(): number {
    return this.#cpu() - this.#cpuAtStart;
  }

  #cpu(): number {
    // The name in brackets may hold blanks; times follow it, in hundredths of a second.
    const fields = readFileSync(`/proc/${this.#pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedPath, ensureCached } from '../cache.ts';
import { withHeartbeat } from '../progress.ts';
import type { Service, ServiceContext } from '../service.ts';
import { run, which } from '../tools.ts';

const module = fileURLToPath(new URL('../temporal/', import.meta.url));
const cli = 'github.com/temporalio/cli/cmd/temporal';

/** Temporal's development server with its Web UI, and the search attributes that the workflows set. */
export const temporal: Service = {
  name: 'temporal',
  ending: [{ signal: 'SIGTERM', graceMs: 10_000 }],

  async missingTools() {
    if ((await onPath()) !== undefined || existsSync(buildFolder()) || (await canBuild())) return [];
    return [{ what: 'Go 1.21 or later (or the temporal command)', aptPackage: 'golang' }];
  },

  async prepare(context) {
    const { home, ports } = context;
    const file = (await onPath()) ?? (await ensureBuilt(context));
    const searchAttributes = ['Pipeline', 'TableName', 'Stage'];
    const args = [
      ...['server', 'start-dev', '--headless=false', '--ip', '127.0.0.1', '--ui-ip', '127.0.0.1'],
      ...['--port', String(ports.temporal), '--ui-port', String(ports.temporalUi)],
      ...['--db-filename', join(home.data, 'temporal.db'), '--log-level', 'warn'],
      ...searchAttributes.flatMap((attribute) => ['--search-attribute', `${attribute}=Keyword`]),
    ];
    return { file, args };
  },

  async check({ ports }) {
    // Imported here: the client takes half a second to load, during which the process is already starting.
    const { Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({ address: `127.0.0.1:${ports.temporal}`, connectTimeout: 2000 });
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' });
    } finally {
      await connection.close();
    }
    const ui = await fetch(`http://127.0.0.1:${ports.temporalUi}/`, { signal: AbortSignal.timeout(5000) });
    await ui.arrayBuffer();
    if (!ui.ok) throw new Error(`the Web UI answered ${ui.status}`);
  },

  env: ({ ports }) => ({
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.temporal}`,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_UI_URL: `http://127.0.0.1:${ports.temporalUi}`,
  }),
};

/** A temporal command on PATH that has a development server. */
async function onPath(): Promise<string | undefined> {
  const file = await which('temporal');
  if (file === undefined) return undefined;
  const works = run(file, { args: ['server', 'start-dev', '--help'] });
  return await works.then(
    () => file,
    () => undefined,
  );
}

/** From 1.21 on, Go gets the toolchain that a module asks for by itself. */
async function canBuild(): Promise<boolean> {
  if ((await which('go')) === undefined) return false;
  const version = await run('go', { args: ['version'] }).catch(() => '');
  return Number(/go1\.(\d+)/.exec(version)?.[1] ?? 0) >= 21;
}

function buildFolder(): string {
  return cachedPath(
    'temporal',
    ['go.mod', 'go.sum'].map((name) => readFileSync(join(module, name), 'utf8')),
  );
}

/** Builds the command from the pinned Go module unless an earlier run has. */
async function ensureBuilt({ say, signal }: ServiceContext): Promise<string> {
  const folder = buildFolder();
  const make = async (into: string): Promise<void> => {
    let packages = 0;
    let modules = 0;
    const onLine = (line: string): void => {
      if (line.startsWith('go: downloading ')) modules++;
      else packages++;
    };
    const args = ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', join(into, 'temporal'), cli];
    const toolchain = process.env['GOTOOLCHAIN'] ?? 'auto';
    await withHeartbeat(
      {
        say,
        doing: 'building with Go, some minutes the first time',
        detail: () => `${modules} modules downloaded, ${packages} packages built`,
      },
      () => run('go', { args, cwd: module, env: { GOWORK: 'off', GOTOOLCHAIN: toolchain }, signal, onLine }),
    );
  };
  await ensureCached(folder, { say, signal, make });
  return join(folder, 'temporal');
}

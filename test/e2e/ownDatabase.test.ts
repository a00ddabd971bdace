import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import pg from 'pg';
import { changesSql, pagilaSql } from '../pagila/pagila.ts';
import { Home } from './command.ts';

/** The numbered steps of README's section, with what `init` prints. */
test("somebody else's database, from tidegate init to a verified replica", async () => {
  await using home = new Home();
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-own-'));
  try {
    await home.startUntil(`npm run --silent stack -- --ports auto --home ${home.path}`, 'Up in');
    const url = await createDatabase(home.settings()['POSTGRES_URL'] as string);
    const file = join(folder, 'pagila', 'pipeline.ts');
    const init = await home.run(`npx tidegate init ${url} --out ${file}`);
    assert.equal(init.code, 0, init.stderr);
    const { password } = new URL(url);
    assert.ok(!`${init.stdout}${readFileSync(file, 'utf8')}`.includes(password), 'the password is in what was written');
    const again = await home.run(`npx tidegate init ${url} --out ${file}`);
    assert.match(again.stderr, /^tidegate: .* is there already\. .*--force\.\n$/);

    const owner = new pg.Client({ connectionString: url });
    await owner.connect();
    const printed = (from: RegExp, to: RegExp) => init.stdout.split(from)[1]!.split(to)[0]!;
    await owner.query(printed(/^1\. .*\n/m, /^2\. /m).replace('choose one', 'of my own'));
    const settings = Object.fromEntries(
      printed(/^2\. .*\n/m, /^3\. /m)
        .split('\n')
        .filter((line) => line.includes('='))
        .map((line) => line.trim().replace('PASSWORD', 'of%20my%20own').split(/=(.*)/, 2) as [string, string]),
    );
    const inline = Object.entries(settings).map(([name, value]) => `${name}='${value}'`);
    await home.startUntil(`${inline.join(' ')} npm run --silent worker`, 'worker ready');
    const commands = printed(/^3\. .*\n/m, /$(?![\s\S])/)
      .trim()
      .split(/\n\s*/);
    assert.deepEqual(
      commands.map((line) => line.split(' ').slice(0, 3).join(' ')),
      [
        'npx tidegate plan',
        'npx tidegate apply',
        'npm run schedule',
        'npm run trigger',
        'npm run trigger',
        'npx tidegate verify',
      ],
    );
    for (const command of commands) {
      const { code, stdout, stderr } = await home.run(command, settings);
      assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
      if (command.includes(' apply ')) await owner.query(changesSql());
    }
    await owner.query(
      "UPDATE film SET rating = NULL, title = title || '!'; DELETE FROM payment WHERE payment_id % 2 = 0",
    );
    const verify = await home.run('npx tidegate verify pagila --json', settings);
    const report = JSON.parse(verify.stdout) as { ok: boolean; pipelines: [{ tables: { sourceRows: number }[] }] };
    assert.equal(report.ok, true, verify.stdout);
    const { tables } = report.pipelines[0];
    assert.equal(tables.length, 17);
    assert.ok(tables.every(({ sourceRows }) => sourceRows > 0));
    await owner.end();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

async function createDatabase(server: string): Promise<string> {
  const url = new URL(server);
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  await admin.query('CREATE DATABASE pagila');
  await admin.end();
  url.pathname = '/pagila';
  const owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  await owner.query(pagilaSql());
  await owner.end();
  return url.href;
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedPath, ensureCached } from './cache.ts';
import { stackFailed } from './error.ts';
import { withHeartbeat } from './progress.ts';
import type { MissingTool, ServiceContext } from './service.ts';
import { run, which } from './tools.ts';

const pom = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));
const logging = fileURLToPath(new URL('./kafka/log4j2.properties', import.meta.url));
const oldestJava = 17;

/** The folder with the jars of Kafka and Kafka Connect (`lib`) and the Debezium connector (`plugins`). */
export function kafkaFolder(): string {
  return cachedPath('kafka', [readFileSync(pom, 'utf8')]);
}

/** Downloads the jars by Maven unless an earlier run has. */
export async function ensureKafkaJars(context: Pick<ServiceContext, 'say' | 'signal'>): Promise<string> {
  const folder = kafkaFolder();
  const { say, signal } = context;
  const make = async (into: string): Promise<void> => {
    let files = 0;
    const onLine = (line: string): void => {
      if (line.includes('Downloaded from')) files++;
    };
    await withHeartbeat(
      { say, doing: 'downloading Kafka and Debezium with Maven', detail: () => `${files} files` },
      () => run('mvn', { args: ['-B', '-f', pom, `-Dstack.out=${into}`, 'package'], signal, onLine }),
    );
  };
  await ensureCached(folder, { say, signal, make });
  return folder;
}

/** A java command with the flags that Kafka and Kafka Connect share. */
export async function javaCommand(options: {
  heapMb: number;
  mainClass: string;
  args: readonly string[];
}): Promise<{ file: string; args: string[] }> {
  const file = await findJava();
  if (file === undefined) throw stackFailed('Java 17 or later is not installed', 'Install it, or set JAVA_HOME.');
  const args = [
    `-Xms${options.heapMb / 2}m`,
    `-Xmx${options.heapMb}m`,
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
    // Debezium hashes the bytes that a text has in the default encoding, which before Java 18 depends on the locale.
    '-Dfile.encoding=UTF-8',
    `-Dlog4j2.configurationFile=${logging}`,
    '-cp',
    join(kafkaFolder(), 'lib', '*'),
    options.mainClass,
    ...options.args,
  ];
  return { file, args };
}

export async function missingForKafka(): Promise<MissingTool[]> {
  const missing: MissingTool[] = [];
  if ((await findJava()) === undefined) {
    missing.push({ what: `Java ${oldestJava} or later`, aptPackage: 'openjdk-17-jre-headless' });
  }
  if (!existsSync(kafkaFolder()) && (await which('mvn')) === undefined) {
    missing.push({ what: 'Maven', aptPackage: 'maven' });
  }
  return missing;
}

let found: Promise<string | undefined> | undefined;

function findJava(): Promise<string | undefined> {
  found ??= searchJava();
  return found;
}

async function searchJava(): Promise<string | undefined> {
  const home = process.env['JAVA_HOME'];
  for (const file of [home && join(home, 'bin', 'java'), await which('java')]) {
    if (file && existsSync(file) && (await majorVersion(file)) >= oldestJava) return file;
  }
  return undefined;
}

async function majorVersion(java: string): Promise<number> {
  const text = await run(java, { args: ['-version'] }).catch(() => '');
  return Number(/version "(\d+)/.exec(text)?.[1] ?? 0);
}

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (file: string): string => readFileSync(`${root}/${file}`, 'utf8');

interface Service {
  image: string;
  build?: { context: string; dockerfile?: string; target?: string };
  restart?: string;
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string | number>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

const compose: { services: Record<string, Service>; volumes: Record<string, null> } = parse(
  text('docker-compose.yml'),
  { merge: true },
);
const services = Object.entries(compose.services);
/** A service that does one thing before others start; it ends, so it has no health. */
const isOneShot = (service: Service): boolean => service.restart === 'no';

test('every role has a service', () => {
  const roles = ['postgres', 'kafka', 'connect', 'clickhouse', 'temporal', 'temporal-ui', 'worker', 'akhq'];
  const missing = [...roles, 'prometheus', 'grafana', 'superset'].filter((role) => !compose.services[role]);
  assert.deepEqual(missing, []);
});

test('every image is pinned to a version, in docker-compose.yml and in each Dockerfile', () => {
  const pinned = /^[\w./-]+:v?\d+\.\d+[\w.-]*$/;
  for (const [name, { image }] of services) assert.match(image, pinned, name);
  for (const file of globSync('deploy/**/Dockerfile', { cwd: root })) {
    const stages = [...text(file).matchAll(/^FROM (\S+)/gm)].map((match) => match[1] ?? '');
    assert.ok(stages.length > 0, file);
    for (const image of stages) assert.match(image, pinned, file);
  }
});

test('every service that stays up has a health check and starts again', () => {
  for (const [name, service] of services.filter(([, service]) => !isOneShot(service))) {
    assert.ok((service.healthcheck?.test.length ?? 0) > 1, `${name} has no health check`);
    assert.equal(service.restart, 'unless-stopped', name);
  }
});

test('a service waits for the health of those it needs', () => {
  for (const [name, { depends_on = {} }] of services) {
    for (const [needed, { condition }] of Object.entries(depends_on)) {
      const service = compose.services[needed];
      assert.ok(service, `${name} needs ${needed}`);
      assert.equal(condition, isOneShot(service) ? 'service_completed_successfully' : 'service_healthy', name);
    }
  }
});

test('ports are published on the loopback address only, each once', () => {
  const ports = services.flatMap(([, service]) => service.ports ?? []);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
  assert.equal(new Set(ports.map((port) => port.split(':')[1])).size, ports.length);
});

test('every password and key is a required variable without a default', () => {
  const secret = /PASSWORD|_PWD$|SECRET_KEY|password|secret\.generator\.secret/;
  const notSecret = /^(CONNECT_CONFIG_PROVIDERS|CONNECT_SECRETS_DIR)/;
  for (const [name, { environment = {} }] of services) {
    for (const [key, value] of Object.entries(environment)) {
      const lines = String(value).split('\n');
      const settings = lines.length > 1 ? lines.map((line) => line.trim()) : [`${key}: ${value}`];
      for (const setting of settings.filter(
        (line) => secret.test(line.split(': ')[0] ?? '') && !notSecret.test(line),
      )) {
        assert.match(setting, /^\S+: "?\$\{DEPLOY_\w+:\?[^}]+\}"?$/, `${name}: ${key}`);
      }
      // A URL's password as well; and nothing anywhere falls back to a default.
      assert.doesNotMatch(String(value), /:\/\/[^:/@\s]+:(?!\$\{DEPLOY_\w+:\?)[^@\s]*@/, `${name}: ${key}`);
      assert.doesNotMatch(String(value), /\$\{\w+:?-/, `${name}: ${key}`);
    }
  }
});

test('.env.example lists the variables of docker-compose.yml without values, and no others', () => {
  const used = new Set([...text('docker-compose.yml').matchAll(/\$\{(DEPLOY_\w+)/g)].map((match) => match[1]));
  const listed = [...text('.env.example').matchAll(/^(\w+)=(.*)$/gm)];
  assert.deepEqual(listed.map((match) => match[1]).sort(), [...used].sort());
  assert.ok(listed.every((match) => match[2] === ''));
});

test('.env.example lists every setting that the code reads', () => {
  const folders = '{adapters,activities,workers,scripts,server,pipelines}';
  const read = globSync(`${folders}/**/*.ts`, { cwd: root }).flatMap((file) => {
    const calls = text(file).matchAll(/\.(?:required|optional|url)\(\s*'([A-Z][A-Z0-9_]*)'/g);
    return [...calls].map((match) => match[1] ?? '');
  });
  const known = text('.env.example');
  const others = ['XDG_CACHE_HOME'];
  const missing = [...new Set(read)].filter(
    (name) => !others.includes(name) && !new RegExp(`^#?${name}=`, 'm').test(known),
  );
  assert.deepEqual(missing, []);
});

test('every file and folder that is mounted or built from exists, and every volume is declared', () => {
  for (const [name, { build, volumes = [] }] of services) {
    for (const source of volumes.map((volume) => volume.split(':')[0] ?? '')) {
      if (source.startsWith('.')) assert.ok(existsSync(`${root}/${source}`), `${name}: ${source}`);
      else assert.ok(source in compose.volumes, `${name}: ${source}`);
    }
    if (!build) continue;
    const dockerfile = `${build.dockerfile ? '.' : build.context}/${build.dockerfile ?? 'Dockerfile'}`;
    assert.ok(existsSync(`${root}/${dockerfile}`), `${name}: ${dockerfile}`);
    if (build.target) assert.match(text(dockerfile), new RegExp(`^FROM .* AS ${build.target}$`, 'm'));
  }
});

test('what the worker image copies exists', () => {
  const copied = [...text('deploy/worker/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)];
  for (const source of copied.flatMap((match) => (match[1] ?? '').split(' '))) {
    assert.ok(existsSync(`${root}/${source}`), source);
  }
});

test('workers and Kafka Connect share the secrets, and run as the one user who may read them', () => {
  const mounting = services.filter(([, { volumes = [] }]) =>
    volumes.some((each) => each.startsWith('connect-secrets:')),
  );
  assert.deepEqual(mounting.map(([name]) => name).sort(), ['connect', 'connect-secrets', 'worker']);
  assert.ok(compose.services['connect']?.volumes?.includes('connect-secrets:/secrets:ro'));
  assert.match(text('deploy/worker/Dockerfile'), /^USER 1001:1001$/m);
});

test('Grafana shows what is provisioned: each panel names a data source that exists', () => {
  const provisioned: { datasources: { uid: string }[] } = parse(
    text('deploy/grafana/provisioning/datasources/datasources.yml'),
  );
  const known = provisioned.datasources.map(({ uid }) => uid);
  for (const file of globSync('deploy/grafana/dashboards/*.json', { cwd: root })) {
    const { panels }: { panels: { title: string; datasource: { uid: string } }[] } = JSON.parse(text(file));
    assert.ok(panels.length > 0, file);
    for (const { title, datasource } of panels) assert.ok(known.includes(datasource.uid), `${file}: ${title}`);
  }
});

test('Prometheus asks services that exist', () => {
  const { scrape_configs }: { scrape_configs: { static_configs: { targets: string[] }[] }[] } = parse(
    text('deploy/prometheus/prometheus.yml'),
  );
  const targets = scrape_configs.flatMap((job) => job.static_configs.flatMap((each) => each.targets));
  const unknown = targets.filter((target) => !compose.services[target.split(':')[0] ?? '']);
  assert.deepEqual(unknown, []);
});

import * as charts from './charts.js';
import { forget, logIn, logOut, whoIsHere } from './login.js';

/** The page asks the API for the logged-in user's own rows, and shows what `about.json` says is to be shown. */

const LOOKED_BACK_DAYS = 30;
const WAIT_MS = 5000;
const DAY_MS = 86_400_000;
const on = (id) => document.getElementById(id);
const dayOf = (time) => new Date(time).toISOString().slice(0, 10);
const say = (text) => {
  on('message').textContent = text;
};

const about = await (await fetch('about.json')).json();
const dayColumn = Object.keys(about.columns).find((name) => about.columns[name].kind === 'day');
document.title = about.title;
on('title').textContent = about.title;
on('item-title').textContent = about.item.title;
let rows = [];
let asked = 0;
let shown = { from: '', to: '' };

/** Asks the API. A token that is not valid any more leads back to the login. */
async function ask(operation, query) {
  const session = await whoIsHere(about);
  const headers = { authorization: `Bearer ${session?.token}` };
  const answer = await fetch(`api/${operation}?${new URLSearchParams(query)}`, { headers });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401) {
    forget();
    showLogin('Your login has ended.');
  }
  throw Object.assign(new Error(problem.detail ?? `The service answered ${answer.status}.`), { problem });
}

function showLogin(message = '') {
  for (const id of ['who', 'choice', 'report']) on(id).hidden = true;
  on('welcome').hidden = false;
  say(message);
}

/** The newest days in a row that are processed. */
async function newestProcessed() {
  const yesterday = Date.now() - DAY_MS;
  const first = yesterday - (LOOKED_BACK_DAYS - 1) * DAY_MS;
  const query = { from: dayOf(first), to: dayOf(yesterday) };
  const { unprocessedDays } = await (await ask('isDataProcessedForPeriod', query)).json();
  const missing = new Set(unprocessedDays);
  const days = Array.from({ length: LOOKED_BACK_DAYS }, (_, index) => dayOf(first + index * DAY_MS));
  const last = days.findLastIndex((day) => !missing.has(day));
  if (last < 0) return null;
  const before = days.findLastIndex((day, index) => index < last && missing.has(day));
  return { from: days[before + 1], to: days[last] };
}

async function begin() {
  const session = await whoIsHere(about);
  if (!session) return showLogin();
  on('name').textContent = session.name;
  on('who').hidden = false;
  const period = await newestProcessed();
  if (!period) {
    say(`No day of the last ${LOOKED_BACK_DAYS} is processed yet. This page looks again by itself.`);
    setTimeout(() => begin().catch(fail), WAIT_MS);
    return;
  }
  on('choice').hidden = false;
  on('from').value = period.from;
  on('to').value = period.to;
  await load();
}

async function load() {
  asked++;
  const mine = asked;
  say('Loading…');
  const { from, to } = { from: on('from').value, to: on('to').value };
  const found = [];
  for (let cursor = null; ; ) {
    const query = { from, to, limit: 1000, ...(cursor && { cursor }) };
    const page = await (await ask('getReportsForUser', query)).json();
    found.push(...page.items);
    cursor = page.nextCursor;
    if (!cursor) break;
  }
  // Something else has been asked for meanwhile.
  if (mine !== asked) return;
  rows = found;
  shown = { from, to };
  chooseItems();
  show();
}

function chooseItems() {
  const items = [...new Set(rows.map((row) => row[about.item.column]))];
  const before = on('item').value;
  on('item').replaceChildren(...items.map((item) => new Option(item, item)));
  if (items.map(String).includes(before)) on('item').value = before;
  on('item-label').hidden = items.length < 2;
}

function show() {
  const mine = rows.filter((row) => String(row[about.item.column]) === on('item').value);
  on('report').hidden = mine.length === 0;
  if (mine.length === 0) return say('There is nothing in this period.');
  const names = Object.entries(about.columns).filter(([, { kind }]) => kind === 'text');
  const newest = mine.at(-1);
  const what = [`${about.item.title} ${newest[about.item.column]}`, ...names.map(([name]) => newest[name])];
  say(`${what.filter(Boolean).join(', ')}. Days are those of UTC.`);
  const days = [];
  for (let at = Date.parse(shown.from); at <= Date.parse(shown.to); at += DAY_MS) days.push(dayOf(at));
  const byDay = new Map(mine.map((row) => [row[dayColumn], row]));
  const values = (column) => days.map((day) => byDay.get(day)?.[column] ?? null);
  showFigures(mine);
  on('charts').replaceChildren(...about.charts.map((chart) => frame(chart, mine)));
  // Only now do the frames have a width.
  [...on('charts').children].forEach((figure, index) => {
    const chart = about.charts[index];
    figure.append(draw(chart, { days, values, mine, width: Math.max(200, figure.clientWidth - 32) }));
  });
  showTable(mine);
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function showFigures(mine) {
  const figures = about.charts
    .filter(({ kind }) => kind === 'bars')
    .map(({ title, unit, column }) => {
      const total = mine.reduce((sum, row) => sum + (row[column] ?? 0), 0);
      const value = element('dd', charts.numberText(total), element('small', unit && ` ${unit}`));
      return element('div', '', element('dt', title), value);
    });
  const used = element('dd', String(mine.length), element('small', ' days'));
  on('figures').replaceChildren(element('div', '', element('dt', 'With data'), used), ...figures);
}

function frame({ kind, title, unit, columns = [] }) {
  const caption = element('figcaption', '', element('h2', unit ? `${title}, ${unit}` : title));
  if (kind === 'lines') {
    const keys = columns.map((column, index) => {
      const key = element('span', about.columns[column].title);
      key.className = index === 0 ? 'key' : 'key second';
      return key;
    });
    caption.append(element('p', '', ...keys));
  }
  return element('figure', '', caption);
}

function draw(chart, { days, values, mine, width }) {
  const { kind, title, unit } = chart;
  if (kind === 'bars') return charts.bars({ title, unit, days, values: values(chart.column), width });
  if (kind === 'range') {
    return charts.range({ title, unit, days, low: values(chart.low), high: values(chart.high), width });
  }
  if (kind === 'lines') {
    const series = chart.columns.map((name) => ({ name: about.columns[name].title, values: values(name) }));
    return charts.lines({ title, unit, days, series, width });
  }
  const sums = new Map();
  for (const row of mine) {
    for (const [name, count] of Object.entries(row[chart.column])) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  const entries = [...sums].sort((a, b) => b[1] - a[1]);
  if (entries.length > 0) return charts.totals({ title, entries, width });
  return Object.assign(element('p', 'None in this period.'), { className: 'none' });
}

function showTable(mine) {
  const columns = Object.entries(about.columns).filter(([, { kind }]) => kind !== 'counts');
  const amount = ({ kind }) => (kind === 'whole' || kind === 'number' ? 'amount' : '');
  const cells = (tag, text) => columns.map(([name, column]) => {
    return Object.assign(element(tag, text(name, column)), { className: amount(column) });
  });
  const head = element('tr', '', ...cells('th', (_, { title }) => title));
  const body = mine.map((row) => element('tr', '', ...cells('td', (name, column) => cellText(row[name], column))));
  on('values').replaceChildren(element('thead', '', head), element('tbody', '', ...body));
}

function cellText(value, { kind }) {
  if (value === null) return '–';
  if (kind === 'number') return charts.numberText(value);
  if (kind === 'time') return value.slice(0, 19).replace('T', ' ');
  return String(value);
}

async function saveCsv() {
  const parts = [];
  const query = { from: on('from').value, to: on('to').value, format: 'csv', limit: 1000 };
  for (let next = query; next; ) {
    const answer = await ask('getReportsForUser', next);
    const text = await answer.text();
    // Every page has the header line; the file has it once.
    parts.push(parts.length === 0 ? text : text.slice(text.indexOf('\r\n') + 2));
    const link = /<\?([^>]*)>; rel="next"/.exec(answer.headers.get('link') ?? '');
    next = link && Object.fromEntries(new URLSearchParams(link[1]));
  }
  const url = URL.createObjectURL(new Blob(parts, { type: 'text/csv' }));
  Object.assign(document.createElement('a'), { href: url, download: `reports_${query.from}_${query.to}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), WAIT_MS);
}

/** What is shown belongs to what was asked for, so nothing is left to be seen of an earlier answer. */
function fail(error) {
  on('report').hidden = true;
  rows = [];
  const days = error.problem?.days;
  say(days ? `${error.message} These are: ${days.map(charts.dayText).join(', ')}.` : error.message);
}

const guarded = (work) => (event) => {
  event?.preventDefault();
  work().catch(fail);
};
on('login').addEventListener('click', guarded(() => logIn(about)));
on('logout').addEventListener('click', guarded(() => logOut(about)));
on('choice').addEventListener('submit', guarded(load));
on('csv').addEventListener('click', guarded(saveCsv));
on('item').addEventListener('change', show);
let resizing;
addEventListener('resize', () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => rows.length > 0 && show(), 100);
});
await begin().catch(fail);

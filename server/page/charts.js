/** Charts as SVG, one point a day. Every function gives an SVG element that is `width` pixels wide. */

const HEIGHT = 200;
const [TOP, BOTTOM, RIGHT] = [10, 24, 8];

function element(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const text = (attributes, content) => element('text', attributes, content);
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric', timeZone: 'UTC' });
export const dayText = (day) => short.format(new Date(`${day}T00:00:00Z`));
export const numberText = (value) => number.format(value);

/** Round figures from 0 to at least `most`, about four. */
function ticksTo(most) {
  const rough = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power, most <= 4 ? 1 : 0);
  const count = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** The axes, and places on them. `most` is the greatest value; `say` is what a day's tooltip says. */
function plane({ title, days, most, width, say }) {
  const ticks = ticksTo(most);
  const left = 12 + 7 * Math.max(...ticks.map((tick) => numberText(tick).length));
  const svg = element('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': title });
  const step = (width - left - RIGHT) / days.length;
  const y = (value) => HEIGHT - BOTTOM - (value / ticks.at(-1)) * (HEIGHT - BOTTOM - TOP);
  for (const tick of ticks) {
    svg.append(
      element('line', { class: 'grid', x1: left, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      text({ x: left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, numberText(tick)),
    );
  }
  const every = Math.ceil(60 / step);
  days.forEach((day, index) => {
    if (index % every !== 0) return;
    svg.append(text({ x: left + (index + 0.5) * step, y: HEIGHT - 6, 'text-anchor': 'middle' }, dayText(day)));
  });
  /** Above all marks, so that a whole day can be pointed at. */
  const finish = () => {
    days.forEach((day, index) => {
      const area = { class: 'touch', x: left + index * step, y: TOP, width: step, height: HEIGHT - BOTTOM - TOP };
      svg.append(element('rect', area, element('title', {}, `${dayText(day)}: ${say(index)}`)));
    });
    return svg;
  };
  return { svg, step, x: (index) => left + (index + 0.5) * step, y, finish };
}

const known = (value) => value !== null && value !== undefined;
const withUnit = (value, unit) => (known(value) ? `${numberText(value)}${unit ? ` ${unit}` : ''}` : 'no data');

/** A column with round upper corners. */
function column(x, { width, top, bottom }) {
  const r = Math.min(3, width / 2, Math.max(0, bottom - top));
  const d = `M${x} ${bottom}V${top + r}q0 ${-r} ${r} ${-r}h${width - 2 * r}q${r} 0 ${r} ${r}V${bottom}z`;
  return element('path', { class: 'mark', d });
}

export function bars({ title, unit, days, values, width }) {
  const most = Math.max(0, ...values.filter(known));
  const on = plane({ title, days, most, width, say: (index) => withUnit(values[index], unit) });
  const broad = Math.min(28, Math.max(1, on.step - 2));
  values.forEach((value, index) => {
    if (!value) return;
    on.svg.append(column(on.x(index) - broad / 2, { width: broad, top: on.y(value), bottom: on.y(0) }));
  });
  return on.finish();
}

export function range({ title, unit, days, low, high, width }) {
  const say = (index) => (known(low[index]) ? `${numberText(low[index])} to ${withUnit(high[index], unit)}` : 'no data');
  const most = Math.max(0, ...high.filter(known));
  const on = plane({ title, days, most, width, say });
  const broad = Math.min(14, Math.max(1, on.step - 2));
  days.forEach((_, index) => {
    if (!known(low[index])) return;
    const [top, bottom] = [on.y(high[index]), on.y(low[index])];
    const height = Math.max(2, bottom - top);
    const shape = { x: on.x(index) - broad / 2, y: top, width: broad, height, rx: Math.min(4, broad / 2) };
    on.svg.append(element('rect', { class: 'mark', ...shape }));
  });
  return on.finish();
}

/** @param series `{ name, values }` of each line. A day without a value breaks the line. */
export function lines({ title, unit, days, series, width }) {
  const most = Math.max(0, ...series.flatMap(({ values }) => values.filter(known)));
  const say = (index) => series.map(({ name, values }) => `${name} ${withUnit(values[index], unit)}`).join(', ');
  const on = plane({ title, days, most, width, say });
  series.forEach(({ values }, order) => {
    const second = order > 0 ? 'second ' : '';
    let d = '';
    values.forEach((value, index) => {
      if (!known(value)) return;
      d += `${known(values[index - 1]) ? 'L' : 'M'}${on.x(index)} ${on.y(value)}`;
      if (on.step > 12 || !(known(values[index - 1]) || known(values[index + 1]))) {
        on.svg.append(element('circle', { class: `${second}mark`, cx: on.x(index), cy: on.y(value), r: 3 }));
      }
    });
    on.svg.append(element('path', { class: `${second}line`, d }));
  });
  return on.finish();
}

/** @param entries `[name, total]`, the greatest first. */
export function totals({ title, entries, width }) {
  const row = 28;
  // Wide enough for capitals.
  const label = Math.min(width * 0.65, 10 + 8.5 * Math.max(...entries.map(([name]) => name.length)));
  const end = 10 + 8 * Math.max(...entries.map(([, total]) => numberText(total).length));
  const most = Math.max(1, ...entries.map(([, total]) => total));
  const height = row * entries.length;
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title });
  entries.forEach(([name, total], index) => {
    const long = Math.max(2, (total / most) * (width - label - end));
    const y = index * row;
    svg.append(
      text({ x: 0, y: y + 18 }, name),
      element('rect', { class: 'mark', x: label, y: y + 6, width: long, height: 16, rx: 3 }),
      text({ class: 'value', x: label + long + 8, y: y + 18 }, numberText(total)),
    );
  });
  return svg;
}

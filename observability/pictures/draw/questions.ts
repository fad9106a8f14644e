/** Asks a Prometheus for all that a dashboard shows, as Grafana would: the steps and the variables are its own. */

import type { Annotation, Answer, Dashboard, Exemplar, Mark, Panel, Picture, Range, Series, Variable } from './types.ts';

const SCRAPE_INTERVAL = '15s'; // What Grafana takes for a source of data that says nothing else.
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
// What a step is made of, in seconds: one that is easily read off the axis.
const STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];
const COLUMNS = 24;

export class Questions {
  readonly #url: string;
  readonly #range: Range;
  readonly #values = new Map<string, string>();

  constructor(url: string, range: Range) {
    this.#url = url;
    this.#range = range;
  }

  /** `width` is that of the dashboard, in pixels. */
  async all(board: Dashboard, width: number): Promise<Omit<Picture, 'theme'>> {
    const chosen: Picture['chosen'] = [];
    for (const variable of board.templating.list.filter((one) => one.type === 'query')) {
      const text = await this.#choose(variable);
      if (!variable.hide) chosen.push({ label: variable.label ?? variable.name, text });
    }
    const answers: Picture['answers'] = {};
    for (const panel of board.panels.filter((one) => one.targets)) {
      answers[panel.id] = await this.#panel(panel, (width * panel.gridPos.w) / COLUMNS);
    }
    const marks = await Promise.all(board.annotations.list.filter((one) => one.expr).map((one) => this.#marks(one)));
    return { board, range: this.#range, chosen, answers, marks: marks.flat() };
  }

  /** All there are, or the first; and what is written of it. */
  async #choose(variable: Variable): Promise<string> {
    const query = typeof variable.query === 'string' ? variable.query : variable.query.query;
    const [, series, label] = /^label_values\((.*), *(\w+)\)$/s.exec(query) ?? [];
    if (!series || !label) throw new Error(`the variable ${variable.name} asks for something else: ${query}`);
    const values = await this.#get<string[]>(`label/${label}/values`, { 'match[]': this.#filled(series) });
    const all = variable.allValue ?? values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\\\$&')).join('|');
    this.#values.set(variable.name, variable.includeAll ? all : (values[0] ?? ''));
    return variable.includeAll ? 'All' : (values[0] ?? '');
  }

  async #panel(panel: Panel, width: number): Promise<Answer[]> {
    const answers: Answer[] = [];
    for (const target of panel.targets ?? []) {
      const step = Math.max(nice((this.#range.to - this.#range.from) / width), milliseconds(target.interval ?? SCRAPE_INTERVAL));
      const expression = this.#filled(target.expr, step, milliseconds(target.interval ?? SCRAPE_INTERVAL));
      const series = target.instant ? await this.#now(expression) : await this.#overTime(expression, step);
      answers.push({ target, step, series, exemplars: target.exemplar ? await this.#exemplars(expression, step) : [] });
      if (series.length === 0) console.warn(`no data: ${panel.title}: ${target.refId}`);
    }
    return answers;
  }

  async #now(query: string): Promise<Series[]> {
    const { result } = await this.#get<{ result: { metric: Series['labels']; value: [number, string] }[] }>('query', {
      query,
      time: String(this.#range.to / 1_000),
    });
    return result.map(({ metric, value: [time, value] }) => ({ labels: metric, times: [time * 1_000], values: [Number(value)] }));
  }

  async #overTime(query: string, step: number): Promise<Series[]> {
    const { result } = await this.#get<{ result: { metric: Series['labels']; values: [number, string][] }[] }>('query_range', {
      query,
      step: String(step / 1_000),
      start: String((Math.floor(this.#range.from / step) * step) / 1_000),
      end: String((Math.floor(this.#range.to / step) * step) / 1_000),
    });
    return result.map(({ metric, values }) => ({
      labels: metric,
      times: values.map(([time]) => time * 1_000),
      values: values.map(([, value]) => Number(value)),
    }));
  }

  /** The highest of each step: all of them would be a cloud. */
  async #exemplars(query: string, step: number): Promise<Exemplar[]> {
    const found = await this.#get<{ exemplars: { timestamp: number; value: string }[] }[]>('query_exemplars', {
      query,
      start: String(this.#range.from / 1_000),
      end: String(this.#range.to / 1_000),
    });
    const highest = new Map<number, Exemplar>();
    for (const { timestamp, value } of found.flatMap((one) => one.exemplars)) {
      const exemplar = { time: timestamp * 1_000, value: Number(value) };
      const at = Math.floor(exemplar.time / step);
      if (exemplar.value > (highest.get(at)?.value ?? -Infinity)) highest.set(at, exemplar);
    }
    return [...highest.values()];
  }

  /** A mark lasts for as long as each step has a sample. */
  async #marks(annotation: Annotation): Promise<Mark[]> {
    const step = milliseconds(annotation.step ?? SCRAPE_INTERVAL);
    const series = await this.#overTime(this.#filled(annotation.expr ?? '', step), step);
    return series.flatMap(({ labels, times }) => {
      const title = (annotation.titleFormat ?? '').replaceAll(/\{\{ *(\w+) *\}\}/g, (_, name) => labels[name] ?? '');
      const marks: Mark[] = [];
      for (const time of times) {
        const last = marks.at(-1);
        if (last && time - last.to <= step) last.to = time;
        else marks.push({ colour: annotation.iconColor, title, from: time, to: time });
      }
      return marks;
    });
  }

  #filled(expression: string, step = 0, scrape = milliseconds(SCRAPE_INTERVAL)): string {
    const given = new Map(this.#values)
      .set('__rate_interval', `${Math.max(step + scrape, 4 * scrape)}ms`)
      .set('__interval', `${step}ms`)
      .set('__range', `${this.#range.to - this.#range.from}ms`);
    return expression.replaceAll(/\$(?:(\w+)|\{(\w+)(?::\w+)?\})/g, (text, bare, braced) => given.get(bare ?? braced) ?? text);
  }

  async #get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const asked = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await asked.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${parameters['query'] ?? parameters['match[]']}`);
    return answer.data;
  }
}

export function milliseconds(text: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (!amount || !unit) throw new Error(`no duration: ${text}`);
  return Number(amount) * (UNITS[unit] ?? NaN);
}

function nice(step: number): number {
  return (STEPS.find((one) => one * 1_000 >= step) ?? STEPS.at(-1) ?? NaN) * 1_000;
}

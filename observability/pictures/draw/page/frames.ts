/** Frames, as Grafana's components take them, of what Prometheus answered and of what the panel says of its fields. */

import {
  applyFieldOverrides,
  type DataFrame,
  FieldColorModeId,
  type FieldConfigPropertyItem,
  FieldConfigOptionsRegistry,
  type FieldConfigSource,
  FieldType,
  type GrafanaTheme2,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

import type { Answer, Panel, Series } from '../types.ts';

const STANDARD = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'mappings', 'thresholds', 'links', 'noValue'];
// Of the panels whose plugins colour by something else than thresholds, where the dashboard does not say.
const COLOURS: Record<string, FieldColorModeId> = {
  timeseries: FieldColorModeId.PaletteClassic,
  'state-timeline': FieldColorModeId.ContinuousGrYlRd,
};
const EVERY = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export interface Told {
  panel: Panel;
  answers: Answer[];
  theme: GrafanaTheme2;
}

/** A frame for each series, over time. */
export function overTime({ panel, answers, theme }: Told): DataFrame[] {
  const frames = answers.flatMap(({ target, step, series }) =>
    series.map((one): DataFrame => ({
      refId: target.refId,
      length: one.times.length,
      fields: [
        { name: 'Time', type: FieldType.time, config: { interval: step }, values: one.times },
        {
          name: 'Value',
          type: FieldType.number,
          labels: one.labels,
          config: { displayNameFromDS: legend(target.legendFormat, one) },
          values: one.values.map((value) => (Number.isFinite(value) ? value : null)),
        },
      ],
    })),
  );
  return configured(frames, panel, theme);
}

/** One frame, of what all answers say now, as the panel's transformations make it. */
export async function asTable({ panel, answers, theme }: Told): Promise<DataFrame | undefined> {
  const frames = answers.map(({ target, series }, at): DataFrame => {
    const labels = [...new Set(series.flatMap((one) => Object.keys(one.labels)))].sort();
    return {
      refId: target.refId,
      length: series.length,
      fields: [
        { name: 'Time', type: FieldType.time, config: {}, values: series.map((one) => one.times[0]) },
        ...labels.map((name) => ({ name, type: FieldType.string, config: {}, values: series.map((one) => one.labels[name]) })),
        {
          name: answers.length > 1 ? `Value #${EVERY[at]}` : 'Value',
          type: FieldType.number,
          config: {},
          values: series.map((one) => one.values[0]),
        },
      ],
    };
  });
  const [made] = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  return made && configured([made], panel, theme)[0];
}

function configured(data: DataFrame[], panel: Panel, theme: GrafanaTheme2): DataFrame[] {
  return applyFieldOverrides({
    data,
    fieldConfig: fieldConfig(panel),
    fieldConfigRegistry: registry(panel.fieldConfig),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
}

export function fieldConfig(panel: Panel): FieldConfigSource {
  const color = { mode: COLOURS[panel.type] ?? FieldColorModeId.Thresholds };
  return { overrides: panel.fieldConfig.overrides, defaults: { color, ...panel.fieldConfig.defaults } };
}

/** Of all options that the panel sets. In Grafana each has an editor; here only the values count. */
function registry({ defaults, overrides }: FieldConfigSource): FieldConfigOptionsRegistry {
  const overridden = overrides.flatMap((override) => override.properties.map(({ id }) => id));
  const custom = [...Object.keys(defaults.custom ?? {}).map((name) => `custom.${name}`), ...overridden.filter((id) => id.startsWith('custom.'))];
  const items = [...STANDARD, ...new Set(custom)].map((id): FieldConfigPropertyItem => ({
    id,
    path: id.replace(/^custom\./, ''),
    name: id,
    isCustom: id.startsWith('custom.'),
    editor: () => null,
    override: () => null,
    process: (value) => value,
    shouldApply: () => true,
  }));
  return new FieldConfigOptionsRegistry(() => items);
}

function legend(format: string | undefined, { labels }: Series): string {
  if (format && format !== '__auto') return format.replaceAll(/\{\{ *(\w+) *\}\}/g, (_, name) => labels[name] ?? '');
  return Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(', ') || 'Value';
}

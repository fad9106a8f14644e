/** The heatmap: how many there were in each bucket and each step. */

import { formattedValueToString, getDisplayProcessor, type GrafanaTheme2 } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';
import { type ReactElement, useMemo } from 'react';

import type { Answer, Panel, Series } from '../types.ts';
import { Nothing, type Shown } from './components.tsx';
import { type Drawing, Plot } from './plot.tsx';

const ROW_HEIGHT = 0.94;

export function Heat({ panel, picture, answers: [answer], width, height }: Shown): ReactElement {
  const theme = useTheme2();
  const drawing = useMemo(() => answer && drawn(answer, panel, theme), [panel, answer, theme]);
  if (!drawing?.cells.length) return <Nothing />;
  return <Plot drawing={drawing} picture={picture} width={width} height={height} />;
}

function drawn({ series, step, exemplars }: Answer, { options, fieldConfig }: Panel, theme: GrafanaTheme2): Drawing {
  const buckets = [...series].sort((one, other) => edge(one) - edge(other));
  const counts = buckets.flatMap((one, row) => counted(one, buckets[row - 1]).map((found) => ({ row, ...found })));
  const shown = counts.filter(({ count }) => count > (options['filterValues']?.le ?? 0));
  const most = Math.max(...shown.map(({ count }) => count));
  // Few are dark on what is dark.
  const colour = (count: number) => {
    const part = (count / most) ** (options['color']?.exponent ?? 0.5);
    return interpolateOranges(theme.isDark ? 1 - part : part);
  };
  const unit = options['yAxis']?.unit ?? fieldConfig.defaults.unit;
  const display = getDisplayProcessor({ field: { config: { unit } }, theme });
  return {
    rows: buckets.map((one) => (Number.isFinite(edge(one)) ? formattedValueToString(display(edge(one))) : 'more')),
    cells: shown.map(({ row, time, count }) => ({ row, from: time - step, to: time, colour: colour(count) })),
    // In the middle of their buckets.
    exemplars: exemplars.map(({ time, value }) => ({
      time,
      value: buckets.findIndex((one) => edge(one) >= value) + 0.5,
      colour: options['exemplars']?.color,
    })),
    legend: [1, most / 4, most].map((count) => ({ label: String(Math.round(count)), color: colour(count), yAxis: 1 })),
    height: ROW_HEIGHT,
    atEdges: true,
  };
}

/** A bucket of Prometheus holds all that is below its edge: what the one below it has is not its own. */
function counted({ times, values }: Series, below: Series | undefined): { time: number; count: number }[] {
  const others = new Map(below?.times.map((time, at) => [time, below.values[at]]));
  return times.map((time, at) => ({ time, count: values[at]! - (others.get(time) ?? 0) }));
}

function edge({ labels }: Series): number {
  return labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
}

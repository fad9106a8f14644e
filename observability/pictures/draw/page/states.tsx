/** The state timeline: stretches of one state, in its colour. */

import { type DataFrame, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { useTheme2, type VizLegendItem } from '@grafana/ui';
import { type ReactElement, useMemo } from 'react';

import type { Panel, Range } from '../types.ts';
import { Nothing, type Shown } from './components.tsx';
import { overTime } from './frames.ts';
import { type Cell, type Drawing, Plot } from './plot.tsx';

const ROW_HEIGHT = 0.9; // Of Grafana, where the panel does not say.

export function States({ panel, picture, answers, width, height }: Shown): ReactElement {
  const theme = useTheme2();
  const drawing = useMemo(
    () => drawn(overTime({ panel, answers, theme }), picture.range, panel),
    [panel, picture, answers, theme],
  );
  if (drawing.cells.length === 0) return <Nothing />;
  return <Plot drawing={drawing} picture={picture} width={width} height={height} />;
}

function drawn(frames: DataFrame[], range: Range, panel: Panel): Drawing {
  const fromBelow = [...frames].reverse();
  return {
    rows: fromBelow.map((frame) => getFieldDisplayName(frame.fields[1]!, frame, frames)),
    cells: fromBelow.flatMap((frame, row) => stretches(frame, row, range)),
    exemplars: [],
    legend: legend(frames),
    height: panel.options['rowHeight'] ?? ROW_HEIGHT,
    atEdges: false,
  };
}

function stretches({ fields: [time, field] }: DataFrame, row: number, range: Range): Cell[] {
  const found: Cell[] = [];
  time!.values.forEach((from: number, at) => {
    // A series that has no more samples has no state either.
    const to = Math.min(time!.values[at + 1] ?? range.to, from + (time!.config.interval ?? 0));
    const { color: colour = '' } = field!.display!(field!.values[at]);
    const last = found.at(-1);
    if (last?.to === from && last.colour === colour) last.to = to;
    else found.push({ row, from, to, colour });
  });
  return found;
}

function legend(frames: DataFrame[]): VizLegendItem[] {
  const found = new Map<string, VizLegendItem>();
  for (const { fields: [, field] } of frames) {
    for (const value of new Set(field!.values)) {
      const { color = '', ...text } = field!.display!(value);
      const label = formattedValueToString(text);
      found.set(label, { label, color, yAxis: 1 });
    }
  }
  return [...found.values()];
}

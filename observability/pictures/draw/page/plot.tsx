/** A plain drawing of cells in rows over time, on the plot and the axes of Grafana: for what it publishes no component. */

import { FieldColorModeId, type GrafanaTheme2 } from '@grafana/data';
import { AxisPlacement, LegendDisplayMode, ScaleDirection, ScaleOrientation } from '@grafana/schema';
import { measureText, UPLOT_AXIS_FONT_SIZE, UPlotChart, UPlotConfigBuilder, useTheme2, VizLayout, VizLegend, type VizLegendItem } from '@grafana/ui';
import { type ReactElement, useMemo } from 'react';
import type uPlot from 'uplot';

import type { Exemplar, Mark, Picture, Range } from '../types.ts';
import { mark } from './marks.ts';

// Beside the plot: what is written of a time at its end.
const PADDING: [number, number, number, number] = [8, 24, 0, 0];

/** From one time to another, in a row that is counted from below. */
export interface Cell {
  row: number;
  from: number;
  to: number;
  colour: string;
}

export interface Drawing {
  rows: string[];
  cells: Cell[];
  exemplars: Exemplar[];
  legend: VizLegendItem[];
  /** Of a row, what is filled. */
  height: number;
  /** Whether every second row is named, at its upper edge, as buckets are by what they end at. */
  atEdges: boolean;
}

interface PlotProps {
  drawing: Drawing;
  picture: Picture;
  width: number;
  height: number;
}

export function Plot({ drawing, picture: { range, marks }, width, height }: PlotProps): ReactElement {
  const theme = useTheme2();
  const config = useMemo(() => plotted(drawing, range, marks, theme), [drawing, range, marks, theme]);
  const legend = (
    <VizLayout.Legend placement="bottom">
      <VizLegend placement="bottom" displayMode={LegendDisplayMode.List} items={drawing.legend} />
    </VizLayout.Legend>
  );
  return (
    <VizLayout width={width} height={height} legend={legend}>
      {(plotWidth: number, plotHeight: number) => (
        <UPlotChart config={config} data={[[range.from, range.to], [0, 0]]} width={plotWidth} height={plotHeight} />
      )}
    </VizLayout>
  );
}

function plotted(drawing: Drawing, range: Range, marks: readonly Mark[], theme: GrafanaTheme2): UPlotConfigBuilder {
  const builder = new UPlotConfigBuilder('utc');
  const { rows, atEdges } = drawing;
  const [x, y] = [{ scaleKey: 'x', isTime: true }, { scaleKey: 'y' }];
  const grid = { show: false };
  builder.addScale({ ...x, orientation: ScaleOrientation.Horizontal, direction: ScaleDirection.Right, range: () => [range.from, range.to] });
  builder.addScale({ ...y, orientation: ScaleOrientation.Vertical, direction: ScaleDirection.Up, range: () => [0, rows.length] });
  builder.addAxis({ ...x, placement: AxisPlacement.Bottom, timeZone: 'utc', theme, grid });
  builder.addAxis({
    ...y,
    placement: AxisPlacement.Left,
    theme,
    grid,
    size: Math.max(...rows.map((name) => measureText(name, UPLOT_AXIS_FONT_SIZE).width)) + 2 * UPLOT_AXIS_FONT_SIZE,
    splits: () => rows.map((_, row) => (atEdges ? row + 1 : row + 0.5)).filter((_, row) => !atEdges || row % 2 === 1),
    values: (_, splits) => splits.map((split) => rows[Math.ceil(split) - 1] ?? ''),
  });
  builder.addSeries({ ...y, theme, colorMode: { id: FieldColorModeId.Fixed } as never, pathBuilder: () => null, show: true });
  builder.setCursor({ show: false });
  builder.setPadding(PADDING);
  builder.addHook('draw', (plot) => fill(plot, drawing));
  mark(builder, marks, drawing.exemplars, theme);
  return builder;
}

function fill(plot: uPlot, { cells, height }: Drawing): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { row, from, to, colour } of cells) {
    const [left, right] = [from, to].map((time) => plot.valToPos(time, 'x', true)) as [number, number];
    const [top, bottom] = [1 + height, 1 - height].map((at) => plot.valToPos(row + at / 2, 'y', true)) as [number, number];
    ctx.fillStyle = colour;
    ctx.fillRect(left, top, right - left, bottom - top);
  }
  ctx.restore();
}

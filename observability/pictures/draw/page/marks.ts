/** What is drawn over a plot: annotations, and exemplars as diamonds. */

import type { GrafanaTheme2 } from '@grafana/data';
import type { UPlotConfigBuilder } from '@grafana/ui';
import type uPlot from 'uplot';

import type { Exemplar, Mark } from '../types.ts';

const BAR_PIXELS = 2;
const DIAMOND_PIXELS = 4;
const marked = new WeakSet<UPlotConfigBuilder>();

/** Once for each plot, which may be rendered again. */
export function mark(
  builder: UPlotConfigBuilder,
  marks: readonly Mark[],
  exemplars: readonly Exemplar[],
  theme: GrafanaTheme2,
): void {
  if (marked.has(builder)) return;
  marked.add(builder);
  builder.addHook('draw', (plot) => {
    plot.ctx.save();
    for (const one of marks) annotate(plot, one, theme);
    plot.ctx.setLineDash([]);
    for (const one of exemplars) diamond(plot, one, theme);
    plot.ctx.restore();
  });
}

/** A dashed line where it begins, and a bar below the plot for as long as it lasts. */
function annotate(plot: uPlot, { colour, from, to }: Mark, theme: GrafanaTheme2): void {
  const { ctx, bbox } = plot;
  const [begin, end] = [bbox.left, bbox.left + bbox.width];
  const [left, right] = [from, to].map((time) => Math.round(plot.valToPos(time, 'x', true))) as [number, number];
  ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(colour);
  // Of one that has begun before, or after, there is no line.
  if (left >= begin && left <= end) {
    ctx.setLineDash([4, 3]);
    ctx.beginPath();
    ctx.moveTo(left, bbox.top);
    ctx.lineTo(left, bbox.top + bbox.height);
    ctx.stroke();
  }
  const [shownFrom, shownTo] = [Math.max(left, begin), Math.min(Math.max(right, left + BAR_PIXELS), end)];
  if (shownTo > shownFrom) ctx.fillRect(shownFrom, bbox.top + bbox.height, shownTo - shownFrom, BAR_PIXELS);
}

/** What is above all that is drawn is at its upper edge. */
function diamond(plot: uPlot, { time, value, colour = 'blue' }: Exemplar, theme: GrafanaTheme2): void {
  const { ctx } = plot;
  const [key, scale] = Object.entries(plot.scales).find(([name, { min }]) => name !== 'x' && min != null) ?? [];
  if (key === undefined || scale?.min == null || scale.max == null) return;
  const x = plot.valToPos(time, 'x', true);
  if (x < plot.bbox.left) return;
  const y = plot.valToPos(Math.min(Math.max(value, scale.min), scale.max), key, true);
  ctx.fillStyle = theme.visualization.getColorByName(colour);
  ctx.beginPath();
  ctx.moveTo(x, y - DIAMOND_PIXELS);
  ctx.lineTo(x + DIAMOND_PIXELS, y);
  ctx.lineTo(x, y + DIAMOND_PIXELS);
  ctx.lineTo(x - DIAMOND_PIXELS, y);
  ctx.fill();
}

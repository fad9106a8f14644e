/** The panels that Grafana's own components draw. */

import { type DataFrame, dateTime, getDisplayProcessor, getDisplayValueAlignmentFactors, getFieldDisplayValues, type TimeRange, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, Table, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { BarGaugeNamePlacement, BarGaugeValueMode } from '@grafana/schema';
import { type ReactElement, useEffect, useMemo, useState } from 'react';

import type { Answer, Panel, Picture, Range } from '../types.ts';
import { asTable, fieldConfig, overTime } from './frames.ts';
import { mark } from './marks.ts';

export interface Shown {
  panel: Panel;
  picture: Picture;
  answers: Answer[];
  width: number;
  height: number;
}

export function Graph({ panel, picture, answers, width, height }: Shown): ReactElement {
  const theme = useTheme2();
  const frames = useMemo(() => overTime({ panel, answers, theme }), [panel, answers, theme]);
  if (frames.length === 0) return <Nothing />;
  return (
    <TimeSeries
      frames={frames}
      width={width}
      height={height}
      timeRange={timeRange(picture.range)}
      timeZone="utc"
      legend={panel.options['legend']}
    >
      {(builder) => {
        mark(builder, picture.marks, answers.flatMap((answer) => answer.exemplars), theme);
        return null;
      }}
    </TimeSeries>
  );
}

export function Numbers({ panel, answers, width, height }: Shown): ReactElement {
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => reduced(panel, overTime({ panel, answers, theme }), theme, true)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, width: itsWidth, height: itsHeight, count }) => (
        <BigValue
          value={value.display}
          count={count}
          {...(value.sparkline && { sparkline: value.sparkline })}
          colorMode={options['colorMode']}
          graphMode={options['graphMode']}
          justifyMode={options['justifyMode']}
          textMode={options['textMode']}
          disableWideLayout={!options['wideLayout']}
          alignmentFactors={alignmentFactors}
          width={itsWidth}
          height={itsHeight}
          theme={theme}
        />
      )}
      source={answers}
      renderCounter={0}
      orientation={options['orientation'] ?? VizOrientation.Auto}
      autoGrid
      width={width}
      height={height}
    />
  );
}

export function Bars({ panel, answers, width, height }: Shown): ReactElement {
  const theme = useTheme2();
  const { options } = panel;
  return (
    <VizRepeater
      getValues={() => reduced(panel, overTime({ panel, answers, theme }), theme, false)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, orientation, width: itsWidth, height: itsHeight }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={getDisplayProcessor({ field: { config: value.field }, theme, timeZone: 'utc' })}
          displayMode={options['displayMode']}
          showUnfilled={options['showUnfilled'] ?? true}
          valueDisplayMode={options['valueMode'] ?? BarGaugeValueMode.Color}
          namePlacement={options['namePlacement'] ?? BarGaugeNamePlacement.Auto}
          alignmentFactors={alignmentFactors}
          orientation={orientation}
          itemSpacing={8}
          isOverflow={false}
          width={itsWidth}
          height={itsHeight}
          theme={theme}
        />
      )}
      source={answers}
      renderCounter={0}
      orientation={options['orientation'] ?? VizOrientation.Horizontal}
      itemSpacing={8}
      width={width}
      height={height}
    />
  );
}

export function Rows({ panel, answers, width, height }: Shown): ReactElement | null {
  const theme = useTheme2();
  const [frame, setFrame] = useState<DataFrame>();
  useEffect(() => {
    void asTable({ panel, answers, theme }).then(setFrame);
  }, [panel, answers, theme]);
  if (!frame) return null;
  if (frame.length === 0) return <Nothing />;
  return <Table data={frame} width={width} height={height} {...(panel.options['sortBy'] && { initialSortBy: panel.options['sortBy'] })} />;
}

export function Nothing(): ReactElement {
  const theme = useTheme2();
  const style = { height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary };
  return <div style={style}>No data</div>;
}

export function timeRange({ from, to }: Range): TimeRange {
  const [begin, end] = [dateTime(from), dateTime(to)];
  return { from: begin, to: end, raw: { from: begin, to: end } };
}

function reduced(panel: Panel, data: DataFrame[], theme: ReturnType<typeof useTheme2>, sparkline: boolean) {
  return getFieldDisplayValues({
    data,
    fieldConfig: fieldConfig(panel),
    reduceOptions: { values: false, ...panel.options['reduceOptions'] },
    replaceVariables: (text) => text,
    sparkline,
    theme,
    timeZone: 'utc',
  });
}

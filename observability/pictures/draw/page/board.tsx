/** The dashboard: its title, what is chosen, and its panels where the JSON puts them. */

import { dateTimeFormat } from '@grafana/data';
import { PanelChrome, Text, useTheme2 } from '@grafana/ui';
import type { ReactElement } from 'react';

import type { Panel, Picture } from '../types.ts';
import { Bars, Graph, Numbers, Rows, type Shown } from './components.tsx';
import { Heat } from './heat.tsx';
import { States } from './states.tsx';

// As Grafana has them, in pixels.
const ROW_HEIGHT = 30;
const GAP = 8;
const COLUMNS = 24;

const KINDS: Record<string, (shown: Shown) => ReactElement | null> = {
  bargauge: Bars,
  heatmap: Heat,
  stat: Numbers,
  'state-timeline': States,
  table: Rows,
  timeseries: Graph,
};

export function Board({ picture }: { picture: Picture }): ReactElement {
  const { board } = picture;
  const width = window.innerWidth - 2 * GAP;
  const height = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h)) * (ROW_HEIGHT + GAP);
  return (
    <div style={{ padding: GAP, overflow: 'hidden' }}>
      <Head picture={picture} />
      <div style={{ position: 'relative', width, height }}>
        {board.panels.map((panel) => (
          <Placed key={panel.id} panel={panel} picture={picture} width={width} />
        ))}
      </div>
    </div>
  );
}

function Head({ picture: { board, chosen, range } }: { picture: Picture }): ReactElement {
  const theme = useTheme2();
  const box = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '4px 8px' };
  const [from, to] = [range.from, range.to].map((time) => dateTimeFormat(time, { timeZone: 'utc' }));
  return (
    <div style={{ display: 'flex', alignItems: 'center', gap: 16, padding: '4px 8px 12px' }}>
      <Text variant="h4" element="h1">{board.title}</Text>
      {chosen.map(({ label, text }) => (
        <span key={label} style={{ ...box, fontSize: 12 }}>
          <span style={{ color: theme.colors.text.secondary, marginRight: 8 }}>{label}</span>
          {text}
        </span>
      ))}
      <span style={{ ...box, fontSize: 12, marginLeft: 'auto' }}>{from} to {to?.slice(11)} UTC</span>
    </div>
  );
}

function Placed({ panel, picture, width }: { panel: Panel; picture: Picture; width: number }): ReactElement {
  const column = (width + GAP) / COLUMNS;
  const { x, y, w, h } = panel.gridPos;
  const place = {
    position: 'absolute' as const,
    left: x * column,
    top: y * (ROW_HEIGHT + GAP),
    width: w * column - GAP,
    height: h * (ROW_HEIGHT + GAP) - GAP,
  };
  if (panel.type === 'row') {
    return <div style={{ ...place, display: 'flex', alignItems: 'center' }}><Text variant="h6" element="h2">{panel.title}</Text></div>;
  }
  const Kind = KINDS[panel.type];
  if (!Kind) throw new Error(`nothing here draws a panel of type ${panel.type}`);
  return (
    <div style={place}>
      <PanelChrome
        title={panel.title}
        description={panel.description ?? ''}
        width={place.width}
        height={place.height}
        padding={panel.type === 'table' ? 'none' : 'md'}
      >
        {(innerWidth, innerHeight) => (
          <Kind panel={panel} picture={picture} answers={picture.answers[panel.id] ?? []} width={innerWidth} height={innerHeight} />
        )}
      </PanelChrome>
    </div>
  );
}

/** The page: `draw` shows a picture, and is done when all of it is there. */

import 'uplot/dist/uPlot.min.css';

import { createTheme, standardTransformers, standardTransformersRegistry, ThemeContext } from '@grafana/data';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import type { ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';

import type { Picture } from '../types.ts';
import { Board } from './board.tsx';

const { mergeTransformer, organizeFieldsTransformer } = standardTransformers;
standardTransformersRegistry.setInit(() =>
  [mergeTransformer, organizeFieldsTransformer].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation,
    editor: () => null,
  })),
);

function frame(): Promise<void> {
  return new Promise((resolve) => requestAnimationFrame(() => resolve()));
}

async function draw(picture: Picture): Promise<void> {
  const root = document.getElementById('root');
  if (!root) throw new Error('the page has no root');
  const theme = createTheme({ colors: { mode: 'dark' } });
  const react = createRoot(root);
  const show = (content: ReactNode) => react.render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {content}
      <PortalContainer />
    </ThemeContext.Provider>,
  );
  // Plots write with the fonts that are there when they are drawn.
  flushSync(() => show(null));
  const fonts = await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 12px Inter`)));
  if (fonts.some((found) => found.length === 0)) throw new Error('the page has no font');
  show(<Board picture={picture} />);
  // Plots are drawn in the frames after the one that lays them out.
  for (let frames = 0; frames < 10; frames++) await frame();
}

Object.assign(globalThis, { draw });

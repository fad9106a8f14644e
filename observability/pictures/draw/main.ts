/** Draws dashboards as PNG: asks Prometheus for what they show, and has a page with Grafana's components show it. */

import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';

import { Questions } from './questions.ts';
import type { Dashboard, Picture } from './types.ts';

const HERE = import.meta.dirname;
// Nobody is asked for it: each request of the page is answered here.
const ORIGIN = 'http://pictures.invalid';
const MODULES = join(HERE, 'node_modules');
const GRAFANA = join(MODULES, '@grafana');
// The fonts of Grafana, which it does not publish, where its style sheet looks for them.
const FONTS = new Map([
  ['/public/fonts/inter/Inter-Regular.woff2', 'inter-latin-400-normal.woff2'],
  ['/public/fonts/inter/Inter-Medium.woff2', 'inter-latin-500-normal.woff2'],
]);
const PAGE = '<!doctype html><link rel="stylesheet" href="page.css"><body style="margin: 0"><div id="root"></div><script src="page.js"></script>';

const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:9090' },
    dashboards: { type: 'string', default: '.' },
    out: { type: 'string', default: '.' },
    from: { type: 'string', default: String(Date.now() / 1_000 - 3_600) },
    to: { type: 'string', default: String(Date.now() / 1_000) },
    browser: { type: 'string', default: 'chromium' },
    width: { type: 'string', default: '1600' },
    theme: { type: 'string', default: 'dark' },
  },
});

async function bundle(): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    entryPoints: { page: join(HERE, 'page', 'main.tsx') },
    outdir: '/',
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    jsx: 'automatic',
    // In the other form some packages that they import have their default export one level deeper.
    alias: Object.fromEntries(['data', 'schema', 'ui'].map((name) => [`@grafana/${name}`, join(GRAFANA, name, 'dist', 'cjs', 'index.cjs')])),
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    loader: { '.woff2': 'dataurl', '.svg': 'dataurl', '.png': 'dataurl', '.ttf': 'empty' },
    logLevel: 'error',
  });
  return new Map(outputFiles.map((file) => [`/${basename(file.path)}`, file.text]));
}

async function serve(page: Page): Promise<void> {
  const bundled = await bundle();
  await page.route('**', async (route) => {
    const path = new URL(route.request().url()).pathname;
    const text = path === '/' ? PAGE : bundled.get(path);
    const font = FONTS.get(path);
    if (font) {
      await route.fulfill({ path: join(MODULES, '@fontsource', 'inter', 'files', font) });
    } else if (text !== undefined) {
      const type = path.endsWith('.js') ? 'text/javascript' : path.endsWith('.css') ? 'text/css' : 'text/html';
      await route.fulfill({ body: text, contentType: `${type}; charset=utf-8` });
    } else if (path.startsWith('/public/img/')) {
      await route.fulfill({ path: join(GRAFANA, 'ui', 'dist', path) });
    } else {
      await route.abort();
    }
  });
}

async function draw(page: Page, path: string, width: number): Promise<void> {
  const board: Dashboard = JSON.parse(await readFile(path, 'utf8'));
  const range = { from: Number(options.from) * 1_000, to: Number(options.to) * 1_000 };
  const answered = await new Questions(options.prometheus, range).all(board, width);
  const picture: Picture = { ...answered, theme: options.theme === 'light' ? 'light' : 'dark' };
  await page.goto(ORIGIN);
  await page.evaluate((drawn) => (globalThis as unknown as { draw(it: Picture): Promise<void> }).draw(drawn), picture);
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: join(options.out, `${basename(path, '.json')}.png`), fullPage: true });
}

const width = Number(options.width);
// It shows nothing but what is made here, and where root runs it there is no sandbox.
const browser = await chromium.launch({ executablePath: options.browser, args: ['--no-sandbox', '--force-color-profile=srgb'] });
try {
  const page = await browser.newPage({ viewport: { width, height: 900 }, timezoneId: 'UTC', reducedMotion: 'reduce' });
  let failed: Error | undefined;
  page.on('pageerror', (error) => (failed = error));
  page.on('console', (message) => message.type() === 'error' && console.warn(message.text()));
  await serve(page);
  for (const name of (await readdir(options.dashboards)).filter((one) => one.endsWith('.json')).sort()) {
    await draw(page, join(options.dashboards, name), width);
    if (failed) throw failed;
    console.log(name);
  }
} finally {
  await browser.close();
}

/** What a dashboard's JSON says, as far as it is drawn, and what Prometheus answered; times are in milliseconds. */

import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface Target {
  refId: string;
  expr: string;
  legendFormat?: string;
  instant?: boolean;
  interval?: string;
  exemplar?: boolean;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: FieldConfigSource;
  options: Record<string, any>;
  targets?: Target[];
  transformations?: DataTransformerConfig[];
}

export interface Variable {
  name: string;
  type: string;
  label?: string;
  hide?: number;
  query: string | { query: string };
  includeAll?: boolean;
  allValue?: string;
}

export interface Annotation {
  name: string;
  iconColor: string;
  expr?: string;
  titleFormat?: string;
  step?: string;
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  templating: { list: Variable[] };
  annotations: { list: Annotation[] };
}

export interface Series {
  labels: Record<string, string>;
  times: number[];
  values: number[];
}

export interface Exemplar {
  time: number;
  value: number;
  colour?: string;
}

export interface Answer {
  target: Target;
  step: number;
  series: Series[];
  exemplars: Exemplar[];
}

/** What an annotation marks: from when to when, and in which colour. */
export interface Mark {
  colour: string;
  title: string;
  from: number;
  to: number;
}

export interface Range {
  from: number;
  to: number;
}

/** All that the page needs; `chosen` is what each variable says at the top. */
export interface Picture {
  board: Dashboard;
  range: Range;
  chosen: { label: string; text: string }[];
  answers: Record<number, Answer[]>;
  marks: Mark[];
  theme: 'dark' | 'light';
}

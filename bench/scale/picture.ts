import type { Scale } from './figures.ts';

const width = 920;
const left = 24;
const panel = { width: 420, height: 190, gap: 32, top: 86 };
const inner = { left: 56, top: 34, width: 330, height: 110 };
const colour = '#2f6fb0';

interface Panel {
  title: string;
  unit: string;
  of: (scale: Scale) => number;
}

const panels: readonly Panel[] = [
  { title: 'vault write to last pod, by push', unit: 's', of: ({ push }) => push.used },
  { title: 'vault write to status, by push', unit: 's', of: ({ push }) => push.propagated },
  { title: "operator's resident memory, most", unit: 'MB', of: ({ memory }) => memory.mostMB },
  { title: "operator's CPU of a rotation on all pods", unit: 's', of: ({ push }) => push.cpuSeconds },
  { title: "operator's API writes of a rotation on all pods", unit: '', of: ({ push }) => push.writes },
  { title: "webhook's p99 at 100 admissions a second", unit: 'ms', of: ({ webhook }) => webhook.p99 },
];

/** Each cost over the number of pods, both axes from 0, so that what grows with the pods alone is a straight line: SVG. */
export function picture(scales: readonly Scale[]): string {
  const rows = Math.ceil(panels.length / 2);
  const height = panel.top + rows * panel.height + 12;
  const sizes = scales.map(({ pods }) => pods.toLocaleString('en')).join(', ');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
<text x="${left}" y="30" font-size="17" font-weight="600" fill="#1b1f27">One operator, 100 credentials, ${sizes} pods</text>
<text x="${left}" y="50" fill="#5b6472">a real API server and a real vault; nodes and pods played by kwok, sidecars by one process</text>
<text x="${left}" y="68" fill="#5b6472">both axes begin at 0: what grows with the number of pods alone is a straight line</text>
${panels.map((one, index) => panelOf(one, scales, index)).join('\n')}
</svg>
`;
}

function panelOf({ title, unit, of }: Panel, scales: readonly Scale[], index: number): string {
  const x = left + (index % 2) * (panel.width + panel.gap);
  const y = panel.top + Math.floor(index / 2) * panel.height;
  const most = Math.max(...scales.map(of), Number.MIN_VALUE) * 1.15;
  const widest = Math.max(...scales.map(({ pods }) => pods));
  const at = (pods: number, figure: number): [number, number] => [
    Math.round(x + inner.left + (inner.width * pods) / widest),
    Math.round(y + inner.top + inner.height * (1 - figure / most)),
  ];
  const points = scales.map((scale) => at(scale.pods, of(scale)));
  const marks = scales.map((scale) => markOf(at(scale.pods, of(scale)), of(scale), unit));
  const ticks = scales.map(({ pods }) => tickOf(at(pods, 0), pods));
  const [originX, originY] = at(0, 0);
  return `<text x="${x}" y="${y + 16}" fill="#1b1f27" font-weight="600">${title}</text>
<path d="M${originX} ${y + inner.top} V${originY} H${originX + inner.width}" fill="none" stroke="#c5ccd6"/>
<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>
${[...marks, ...ticks].join('\n')}`;
}

function markOf([x, y]: [number, number], figure: number, unit: string): string {
  const text = `${figure >= 10 ? figure.toFixed(0) : figure.toFixed(2)} ${unit}`.trim();
  return `<circle cx="${x}" cy="${y}" r="4" fill="${colour}"/>
<text x="${x}" y="${y - 9}" text-anchor="middle" font-size="12" fill="#1b1f27">${text}</text>`;
}

function tickOf([x, y]: [number, number], pods: number): string {
  return `<text x="${x}" y="${y + 16}" text-anchor="middle" font-size="11" fill="#5b6472">${pods.toLocaleString('en')}</text>`;
}

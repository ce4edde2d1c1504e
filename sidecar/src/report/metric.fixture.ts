import type { FakePod } from '../pod.fake.ts';

/** All that /metrics says. */
export async function scrape({ sidecar }: Pick<FakePod, 'sidecar'>): Promise<string> {
  return (await fetch(`http://127.0.0.1:${sidecar.healthPort}/metrics`)).text();
}

/** What it says of a series, such as `rekey_limits_total{limit="idle"}`; 0 when it is not there. */
export async function metric(pod: FakePod, series: string): Promise<number> {
  const line = (await scrape(pod)).split('\n').find((text) => text.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

import type { FakePod } from '../pod.fake.ts';

/** What /metrics says of a series, such as `rekey_limits_total{limit="idle"}`; 0 when it is not there. */
export async function metric(pod: FakePod, series: string): Promise<number> {
  const exposition = await (await fetch(`http://127.0.0.1:${pod.sidecar.healthPort}/metrics`)).text();
  const line = exposition.split('\n').find((text) => text.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

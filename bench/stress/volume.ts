import { call } from './client.ts';
import { bytesOf, repeated } from './content.ts';
import type { Stage } from './stage.ts';

const mebibytes = 1024;
const piece = bytesOf(2, 1024 * 1024);

/** 1 GB down and 1 GB up, and how much memory the sidecar took for it. */
export async function ofAGigabyte({ through, direct, watch }: Stage): Promise<object> {
  const download = { path: `/download?mebibytes=${mebibytes}` };
  const upload = {
    path: '/echo',
    method: 'POST',
    headers: { 'transfer-encoding': 'chunked' },
    body: () => repeated(piece, mebibytes),
  };
  await call(through, { path: '/download?mebibytes=16' });
  await call(through, { ...upload, body: () => repeated(piece, 16) });
  const before = watch.now();
  const down = (await call(through, download)).word;
  const up = (await call(through, upload)).word;
  const most = watch.most();
  return {
    beforeMB: before,
    mostMB: most,
    downDiffers: down !== (await call(direct, download)).word,
    upDiffers: up !== (await call(direct, upload)).word,
  };
}
